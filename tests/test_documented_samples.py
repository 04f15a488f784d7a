"""Every fenced block of a page is what it says it is: Python whose imports exist, TOML, JSON, YAML, SQL of the job."""

from __future__ import annotations

import ast
import importlib
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from infrastructure.home import ROOT
from tests.pages import Block, blocks, pages
from tests.test_documented_commands import SHELL
from topics import catalogue
from topics.errors import UserError

SENSOR_FIELD = "aggregate"
"""The field that every table of a sensor catalogue has."""


def _python(text: str, _: Path) -> None:
    """It compiles, and what it imports is there."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            for each in node.names:
                if not hasattr(importlib.import_module(str(node.module)), each.name):
                    importlib.import_module(f"{node.module}.{each.name}")
        elif isinstance(node, ast.Import):
            for each in node.names:
                importlib.import_module(each.name)


def _toml(text: str, scratch: Path) -> None:
    """It is TOML; tables of sensors are read with those of sensors.toml that have other names."""
    sample = tomllib.loads(text)
    if not any(isinstance(table, dict) and SENSOR_FIELD in table for table in sample.values()):
        return
    tables = re.split(r"^(?=\[)", (ROOT / "sensors.toml").read_text(encoding="utf-8"), flags=re.MULTILINE)
    others = [table for table in tables if re.sub(r"\].*", "", table, flags=re.DOTALL).lstrip("[") not in sample]
    file = scratch / "sensors.toml"
    file.write_text("".join(others) + text, encoding="utf-8")
    catalogue.read(file)


def _json(text: str, _: Path) -> None:
    """It is one document, or one a line."""
    try:
        json.loads(text)
    except json.JSONDecodeError:
        for line in text.splitlines():
            json.loads(line)


def _yaml(text: str, _: Path) -> None:
    yaml.safe_load(text)


def _sql(text: str, _: Path) -> None:
    """It stands in a file of SQL, but for its white space: what is quoted from the job is what the job runs."""
    quoted = " ".join(text.split())
    if not any(
        quoted in " ".join(path.read_text(encoding="utf-8").split()) for path in sorted(ROOT.glob("[js]*/**/*.sql"))
    ):
        raise ValueError("no file of SQL in jobs/ or scripts/ holds this")


CHECKS: dict[str, Callable[[str, Path], None]] = {
    "python": _python,
    "toml": _toml,
    "json": _json,
    "yaml": _yaml,
    "sql": _sql,
}


def _wrong(block: Block, scratch: Path) -> str | None:
    """What is wrong with a block."""
    if block.language in SHELL:
        return None
    if block.language not in CHECKS:
        return f"{block.where}: no test knows the language {block.language!r}: {', '.join(CHECKS)}"
    try:
        CHECKS[block.language](block.text, scratch)
    except (SyntaxError, ImportError, ValueError, UserError, yaml.YAMLError) as error:
        return f"{block.where}: {error}"
    return None


def test_every_sample_is_what_it_says(tmp_path: Path) -> None:
    shown = [block for page in pages() for block in blocks(page)]
    assert {"python", "yaml", "toml", "sql"} <= {block.language for block in shown}
    wrong = [found for block in shown if (found := _wrong(block, tmp_path))]
    assert not wrong, "\n".join(wrong)


SENSOR = '[TH9]\nunit = "°C"\ncadence = "15min"\naggregate = "mean"\nclass = "mean"\nlow = 1\nhigh = 2\n'


@pytest.mark.parametrize(
    ("language", "text", "said"),
    [
        ("python", "from topics.reading import Reeding", "Reeding"),
        ("python", "import topix", "topix"),
        ("python", "def f(:", "invalid syntax"),
        ("toml", "[TH9", "Expected"),
        ("toml", SENSOR.replace("mean", "median"), "TH9"),
        ("toml", SENSOR + 'part_of = "Gas"\n', "TH9"),
        ("json", '{"a": 1}\n{"a": }', "Expecting value"),
        ("yaml", "a: [1", "expected"),
        ("sql", "SELECT 1 FROM nothing_of_ours", "no file of SQL"),
        ("rust", "fn main() {}", "no test knows"),
    ],
)
def test_a_sample_that_is_not_is_named(language: str, text: str, said: str, tmp_path: Path) -> None:
    wrong = _wrong(Block("page.md:7", language, text), tmp_path)
    assert wrong is not None
    assert wrong.startswith("page.md:7: ")
    assert said in wrong


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("", "make up"),
        ("python", "from topics import catalogue"),
        ("toml", "[project]\nname = 'x'"),
        ("toml", SENSOR),
        ("toml", SENSOR.replace("TH9", "TH1")),
        ("json", '{"a": 1}\n{"b": 2}'),
    ],
)
def test_a_sample_that_is_passes(language: str, text: str, tmp_path: Path) -> None:
    assert _wrong(Block("page.md:7", language, text), tmp_path) is None
