"""What is used: every pinned part has its licence written down, and what pip-audit reports is told."""

from __future__ import annotations

import json
import re
from email.message import Message

import pytest
from typer.testing import CliRunner

from infrastructure.home import ROOT
from scripts import licences, vulnerabilities
from scripts.bench.peers import REQUIREMENTS as PEERS
from scripts.stack.paths import DEFINITIONS
from scripts.vulnerabilities import Finding
from topics.errors import UserError

FOUND = {
    "dependencies": [
        {"name": "left", "version": "1.0", "vulns": []},
        {
            "name": "right",
            "version": "2.0",
            "vulns": [
                {"id": "PYSEC-2024-1", "fix_versions": ["2.1", "3.0"], "aliases": [], "description": "d"},
                {"id": "PYSEC-2024-2", "fix_versions": [], "aliases": [], "description": "d"},
            ],
        },
        {"name": "unknown", "skip_reason": "Dependency not found on PyPI and could not be audited: unknown (1)"},
    ],
    "fixes": [],
}


def listed() -> dict[str, str]:
    """Licences by part, as docs/licences.md has them."""
    rows = re.findall(r"^\| (\S+) \| (\S+) \| (.+) \|$", (ROOT / "docs" / "licences.md").read_text(), re.MULTILINE)
    return {f"{name} {version}": licence for name, version, licence in rows if version != "version"}


def test_every_pinned_part_is_listed_with_its_licence_and_nothing_else_is() -> None:
    jars = {f"{group}:{part.name} {part.version}" for group, part in licences.jar_parts()}
    packages = {f"{part.name} {part.version}" for part in licences.python_parts()}
    assert listed().keys() == jars | packages, "python -m scripts.licences > docs/licences.md"


def test_every_requirement_is_pinned_with_a_hash() -> None:
    for file in (*ROOT.glob("requirements*.txt"), PEERS):
        blocks = re.split(r"\n(?=[A-Za-z])", re.sub(r"^\s*#.*\n", "", file.read_text(), flags=re.MULTILINE))
        for block in blocks:
            assert re.match(r"[A-Za-z0-9_.-]+==\S+ ", block), block[:100]
            assert "--hash=sha256:" in block, block[:100]


def test_every_jar_is_locked_with_a_hash() -> None:
    for lock in DEFINITIONS.glob("*/jgo.lock.toml"):
        text = lock.read_text()
        assert text.count("artifactId") == len(re.findall(r'^sha256 = "[0-9a-f]{64}"$', text, re.MULTILINE)) > 0


def test_a_package_without_a_licence_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(licences, "metadata", lambda _: Message())
    with pytest.raises(UserError, match="does not tell its licence"):
        licences.of_package("silent")


def test_findings_are_told_apart_from_what_could_not_be_looked_up() -> None:
    assert vulnerabilities.read(json.dumps(FOUND)) == (
        [Finding("right", "2.0", "PYSEC-2024-1", "2.1, 3.0"), Finding("right", "2.0", "PYSEC-2024-2", "")],
        2,
    )


@pytest.mark.parametrize(
    ("report", "options", "code", "told"),
    [
        (FOUND, [], 1, "2 known vulnerabilities"),
        (FOUND, ["--warn"], 0, "no version yet"),
        ({"dependencies": FOUND["dependencies"][:1]}, [], 0, "none is known of 1 packages"),
        ({"dependencies": FOUND["dependencies"][2:]}, [], 0, "cannot be reached"),
        (None, [], 0, "cannot be reached"),
    ],
)
def test_the_exit_code_says_whether_something_was_found(
    monkeypatch: pytest.MonkeyPatch, report: object, options: list[str], code: int, told: str
) -> None:
    monkeypatch.setattr(vulnerabilities, "ask", lambda: report and json.dumps(report))
    done = CliRunner().invoke(vulnerabilities.app, options)
    assert done.exit_code == code
    assert told in done.output
