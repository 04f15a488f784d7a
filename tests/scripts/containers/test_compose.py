"""docker-compose.yml is whole, keeps to its own rules, and every variable in it is known."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import yaml

from infrastructure.home import ROOT
from infrastructure.settings import Settings
from infrastructure.version import __version__
from scripts.stack.paths import DEFINITIONS
from tests.scripts.containers import compose_file
from tests.scripts.containers.compose_file import UnsetError, given, mounts, ours, project, resolve, services

STEPS = {"configure", "format", "grant", "topics", "submit"}
"""What ends when its work is done; everything else is a server."""

EACH = pytest.mark.parametrize("name", services())


def check_schema(file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_file_is_what_the_schema_of_compose_files_asks_for(tmp_path: Path) -> None:
    assert check_schema(compose_file.FILE).returncode == 0, check_schema(compose_file.FILE).stdout
    resolved = tmp_path / "resolved.yml"
    resolved.write_text(json.dumps(project()))
    assert check_schema(resolved).returncode == 0, check_schema(resolved).stdout
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(compose_file.FILE.read_text().replace("healthcheck:", "heathcheck:"))
    assert "heathcheck" in check_schema(wrong).stdout


# Variables


def used() -> set[str]:
    """Names of all variables: those in the text, those that secrets are read from, and settings that are passed on."""
    lines = [line.split(" #")[0] for line in compose_file.FILE.read_text().splitlines() if not line.startswith("#")]
    return {found["name"] for found in compose_file.VARIABLE.finditer("\n".join(lines)) if found["name"]} | {
        secret["environment"] for secret in project()["secrets"].values()
    }


def test_the_example_names_each_variable_and_no_other() -> None:
    assert used() == given().keys()


def test_the_example_has_the_defaults_of_the_file() -> None:
    example = compose_file.variables(compose_file.EXAMPLE.read_text())
    for found in compose_file.VARIABLE.finditer(compose_file.FILE.read_text()):
        if found["how"] == ":-":
            assert example[found["name"]] == found["what"]


def test_what_the_example_proposes_are_settings() -> None:
    proposed = re.findall(r"^# (IOT_\w+)=(.*)$", compose_file.EXAMPLE.read_text(), re.MULTILINE)
    assert proposed
    for name, value in proposed:
        assert name in services()["ingest"]["environment"]
        assert Settings.of(env_file=None, **{name.removeprefix("IOT_").lower(): value}) == Settings.of(env_file=None)


def test_a_password_that_is_not_set_ends_it_with_what_to_do() -> None:
    example = compose_file.variables(compose_file.EXAMPLE.read_text())
    with pytest.raises(
        UnsetError, match=r"PASSWORD is not set in \.env, python3 scripts/containers/passwords\.py makes one"
    ):
        resolve(yaml.safe_load(compose_file.FILE.read_text()), example)


def test_no_password_stands_in_a_command_a_health_check_or_another_environment() -> None:
    secret = {value for name, value in given().items() if name.endswith("_PASSWORD")}
    assert len(secret) == 6
    for name, service in services().items():
        if name == "grafana":  # its provisioning reads nothing else: docs/how-to/docker.md
            continue
        text = json.dumps(service)
        assert not [each for each in secret if each in text], name


# What is named is there


def test_volumes_secrets_and_networks_are_declared_and_used() -> None:
    each = services().values()
    assert {m.source for s in each for m in mounts(s) if m.named} == project()["volumes"].keys()
    assert {secret["source"] for s in each for secret in s.get("secrets", [])} == project()["secrets"].keys()
    assert {network for s in each for network in s["networks"]} == project()["networks"].keys()


def test_mounted_files_are_in_the_repository() -> None:
    paths = [m for s in services().values() for m in mounts(s) if not m.named]
    assert paths
    for mount in paths:
        assert (ROOT / mount.source).exists(), mount
        assert not mount.writable


def test_nobody_waits_in_a_circle_or_for_what_never_comes() -> None:
    waits: dict[str, dict[str, Any]] = {name: service.get("depends_on", {}) for name, service in services().items()}
    list(TopologicalSorter(waits).static_order())
    for name, on in waits.items():
        for other, condition in on.items():
            wanted = "service_completed_successfully" if other in STEPS else "service_healthy"
            assert condition == {"condition": wanted}, f"{name} waits for {other}"
    assert [name for name, on in waits.items() if not on] == ["configure"]


def test_who_says_not_well_while_another_is_away_keeps_nobody_waiting() -> None:
    asking = {
        name for name, service in services().items() if "/health" in service.get("healthcheck", {}).get("test", ())
    }
    assert asking == {"ingest", "exporter", "producer", "board"}
    waited_for = {other for service in services().values() for other in service.get("depends_on", {})}
    assert not asking & waited_for


# Images


@EACH
def test_images_have_a_whole_version(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9./-]+:\d+\.\d+\.\d+", services()[name]["image"])


def test_versions_are_those_of_the_local_stack_or_said_why() -> None:
    images = {name: service["image"] for name, service in services().items()}
    lock = tomllib.loads((DEFINITIONS / "kafka" / "jgo.lock.toml").read_text())
    kafka = next(jar["version"] for jar in lock["dependencies"] if jar["artifactId"] == "kafka_2.13")
    assert images["kafka"] == images["format"] == f"apache/kafka:{kafka}"
    project_version = __version__
    assert {service["image"] for service in ours().values()} == {f"iot-live-streaming:{project_version}"}
    assert images["redis"].startswith("redis:8.")  # no package brings Redis 8: the local one is 7.4
    assert images["grafana"].startswith("grafana/grafana:11.6.")
    plugin = re.search(r"plugins install (\S+) ([\d.]+)", (ROOT / "docs" / "how-to" / "grafana.md").read_text())
    assert plugin
    assert services()["grafana"]["environment"]["GF_PLUGINS_PREINSTALL"] == f"{plugin[1]}@{plugin[2]}"


# Each container


@EACH
def test_containers_are_confined(name: str) -> None:
    service = services()[name]
    assert re.fullmatch(r"[1-9]\d*:\d+", service["user"])
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is not ("secrets" in service)  # Compose could not put them there
    assert service["init"] is True
    assert service["logging"]["options"] == {"max-size": "20m", "max-file": "3"}
    assert "mem_limit" in service
    assert not {"privileged", "cap_add", "container_name", "hostname", "network_mode", "env_file"} & service.keys()


@EACH
def test_servers_are_watched_and_come_back_and_steps_end(name: str) -> None:
    service = services()[name]
    if name in STEPS:
        assert service["restart"] == "on-failure:5"
        assert "healthcheck" not in service
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"].keys() == {
            *("test", "interval", "timeout", "retries", "start_period", "start_interval")
        }


@EACH
def test_ports_are_open_to_this_machine_alone(name: str) -> None:
    service = services()[name]
    for port in service.get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)
    assert ("ports" in service) == ("outside" in service["networks"])  # no port leads into a network without a way out
    assert "inside" in service["networks"]


def test_taskmanagers_can_be_many() -> None:
    assert "ports" not in services()["taskmanager"]
    assert project()["networks"]["inside"] == {"internal": True}


def test_java_may_run_what_it_unpacks_into_tmp() -> None:
    for name, service in services().items():
        (options,) = [each for each in service["tmpfs"] if each.startswith("/tmp:")]
        assert "exec" in options.split(","), name
