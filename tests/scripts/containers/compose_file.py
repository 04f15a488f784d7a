"""docker-compose.yml as Compose reads it: variables filled in, and each service's command, environment and mounts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from infrastructure import settings as settings_module
from infrastructure.home import ROOT
from infrastructure.settings import Settings
from scripts.containers.passwords import filled

FILE = ROOT / "docker-compose.yml"
EXAMPLE = ROOT / ".env.example"
VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?:(?P<how>:[-?])(?P<what>[^${}]+))?\}|(?P<wrong>.{0,9}))")


class UnsetError(Exception):
    """A variable that is wanted is not set."""


def variables(text: str) -> dict[str, str]:
    """The lines of an env file."""
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


def resolve(value: Any, environment: Mapping[str, str]) -> Any:
    """Fill in every variable, as Compose does: ``${A}``, ``${A:-default}``, ``${A:?message}``, ``$$`` for a dollar."""
    if isinstance(value, dict):
        return {name: resolve(each, environment) for name, each in value.items()}
    if isinstance(value, list):
        return [resolve(each, environment) for each in value]
    if not isinstance(value, str):
        return value

    def one(found: re.Match[str]) -> str:
        assert found["wrong"] is None, f"not a variable: {found[0]}"
        if found["dollar"]:
            return "$"
        if given := environment.get(found["name"]):
            return given
        if found["how"] == ":-":
            return found["what"]
        raise UnsetError(f"{found['name']} {found['what'] or 'is not set'}")

    return VARIABLE.sub(one, value)


@cache
def given() -> dict[str, str]:
    """What .env holds when it was made by passwords.py."""
    return variables(filled(EXAMPLE.read_text()))


@cache
def project() -> dict[str, Any]:
    """The file with every variable filled in."""
    return dict(resolve(yaml.safe_load(FILE.read_text()), given()))


def services() -> dict[str, dict[str, Any]]:
    """Its services, by name."""
    return dict(project()["services"])


def ours() -> dict[str, dict[str, Any]]:
    """The services that run in the application's image."""
    return {name: service for name, service in services().items() if "build" in service}


def command(service: dict[str, Any]) -> list[str]:
    """What the container runs. Images whose entry point is not replaced have none."""
    return [*service.get("entrypoint", []), *service.get("command", [])]


def environment(service: dict[str, Any]) -> dict[str, str]:
    """Environment of the container; a variable without a value is that of .env, or else is not set."""
    found = service.get("environment", {})
    return {name: value for name, value in found.items() if value is not None} | {
        name: given()[name] for name, value in found.items() if value is None and name in given()
    }


def settings_of(service: dict[str, Any], monkeypatch: Any) -> Settings:
    """The settings that a process in the container reads."""
    with monkeypatch.context() as patched:
        for variable in settings_module.variables():
            patched.delenv(f"IOT_{variable.name.upper()}", raising=False)
        for name, value in environment(service).items():
            patched.setenv(name, value)
        return Settings.of(env_file=None)


@dataclass(frozen=True)
class Mount:
    """Something mounted into a container."""

    source: str
    target: str
    writable: bool

    @property
    def named(self) -> bool:
        """Whether it is a volume of the file; a path otherwise."""
        return not self.source.startswith((".", "/"))


def mounts(service: dict[str, Any]) -> list[Mount]:
    """The volumes of a service, which are all written as SOURCE:TARGET[:ro]."""
    found = []
    for text in service.get("volumes", []):
        source, target, *mode = text.split(":")
        assert mode in ([], ["ro"]), text
        found.append(Mount(source, target, not mode))
    return found
