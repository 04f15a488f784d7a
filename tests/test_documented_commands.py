"""Every command that a page shows can be given as it stands."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator

import pytest

from infrastructure.home import ROOT
from infrastructure.home import VARIABLE as HOME
from infrastructure.settings import variables
from tests.documented_commands import commands, wrong
from tests.pages import blocks, inline_code, name, pages

SETTING = re.compile(r"\bIOT_[A-Z][A-Z_]*[A-Z]\b")
SHELL = ("", "bash", "console", "sh")
"""Languages of the blocks in which commands are looked for."""

PACKAGES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"][
    "packages"
]
"""The packages of the project."""

MANUAL = [page for page in pages() if name(page) != "CHANGELOG.md"]
"""What tells how it is now. The changelog names commands and settings that are gone."""


def _shown() -> Iterator[tuple[str, str]]:
    for page in MANUAL:
        yield from ((block.where, block.text) for block in blocks(page) if block.language in SHELL)
        yield from inline_code(page)


def test_every_command_of_the_manual_can_be_given() -> None:
    shown = list(_shown())
    assert sum(len(commands(text)) for _, text in shown) > 150
    found = [f"{where}: {complaint}" for where, text in shown for complaint in wrong(text)]
    assert not found, "\n".join(found)


def _said() -> Iterator[tuple[str, str]]:
    """Commands in backticks in what the code says, its errors and docstrings; a value that it fills in is X."""
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                match node:
                    case ast.JoinedStr(values=parts):
                        text = "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in parts)
                    case ast.Constant(value=str(text)):
                        pass
                    case _:
                        continue
                for command in re.findall(r"`+((?:iot|make|python -m) [^`]+)`", text):
                    yield f"{file.relative_to(ROOT)}:{node.lineno}", command


def test_every_command_that_an_error_or_a_hint_names_can_be_given() -> None:
    said = list(_said())
    assert len(said) > 50
    found = [f"{where}: {complaint}" for where, text in said for complaint in wrong(text)]
    assert not found, "\n".join(found)


def test_every_setting_that_a_page_names_exists() -> None:
    known = {HOME, *(f"IOT_{variable.name.upper()}" for variable in variables())}
    found = [
        f"{name(page)}:{number}: there is no setting {setting}"
        for page in MANUAL
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
        for setting in SETTING.findall(line)
        if setting not in known
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("make up", [["make", "up"]]),
        ("$ IOT_PREFIX=mine. IOT_PARTITIONS=3 python -m topics create", [["python", "-m", "topics", "create"]]),
        ("python -m topics audit > all.txt 2>&1", [["python", "-m", "topics", "audit"]]),
        ("python -m ingest | make status", [["python", "-m", "ingest"], ["make", "status"]]),
        ("make down && make up; curl x", [["make", "down"], ["make", "up"]]),
        ("python -m jobs \\\n  list", [["python", "-m", "jobs", "list"]]),
        ('flink run --jarfile "$(python -m jobs jar)" \\\n  --python jobs/x.py', [["python", "-m", "jobs", "jar"]]),
        ("docker compose exec -T ingest python -m topics audit", [["python", "-m", "topics", "audit"]]),
        ("docker compose up --detach", []),
        ("python -m ingest export 'series=AggDay'", [["python", "-m", "ingest", "export", "series=AggDay"]]),
        ("  all of it          make status, make logs", [["make", "status"], ["make", "logs"]]),
        ("make up  # starts everything", [["make", "up"]]),
        ("it takes what it's told to make of it", []),
        ("docker-compose.yml", []),
        ("docker compose run configure tar -C /var/lib/iot data", []),
        (".venv/bin/iot up", [[".venv/bin/iot", "up"]]),
    ],
)
def test_commands_are_found_in_shell_and_in_what_commands_print(text: str, seen: list[list[str]]) -> None:
    assert commands(text) == seen


@pytest.mark.parametrize(
    "text",
    [
        "make chaos [ROUNDS=n] [SEED=s]",
        "python -m jobs replay --from 2020-01-02 --to=2020-01-04",
        "python -m ingest export SERIES… [--from] [--to]",
        "python -m producer --days 3 --speed max --sites 1000",
        "python -m producer backfill history.csv --into history. --columns ts=time,value=reading",
        "python -m topics deadletter --reason wrong_type --last 100",
        "python -m topics delete",
        "python -m scripts.bench --stage NAME",
        "python -m pip install x",
        "python -m board --help",
        "python -m iot.reference",
        "iot --version",
        "iot redis TS.RANGE AggDayTH1 - +",
        "iot redis --user viewer PING",
        "iot --home DIRECTORY up",
        "iot deadletter resend bad.jsonl --dry-run",
    ],
)
def test_what_can_be_given_is_not_complained_of(text: str) -> None:
    assert not list(wrong(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("make upp", "no target upp"),
        ("make chaos ROUND=3", "no variable ROUND"),
        ("python -m topix create", "no module topix"),
        ("python -m topics.names", "topics.names is no command"),
        ("python -m topics creat", "'creat'"),
        ("python -m jobs replay --form 2020-01-02", "--form"),
        ("python -m jobs replay --parallelism many", "--parallelism"),
        ("python -m jobs replay --late sometimes", "--late"),
        ("python -m jobs replay --into", "--into"),
        ("python -m producer backfill x.csv --in history.", "--in"),
        ("python -m producer --bogus", "--bogus"),
        ("python -m topics deadletter resend bad.jsonl --dry", "--dry"),
        ("python -m jobs list everything", "everything"),
        ("python -m scripts.bench --stages job", "--stages"),
        ("python -m ingest export x [--form]", "--form"),
        ("curl $(python -m jobs jarr)", "'jarr'"),
        ("python -m iot.reference all", "iot.reference is no command"),
        ("iot upp", "'upp'"),
        ("iot backfill FILE --in PREFIX", "--in"),
        ("iot --hme DIRECTORY up", "--hme"),
        ("python3 scripts/containers/password.py", "no file scripts/containers/password.py"),
    ],
)
def test_what_cannot_be_given_is_named(text: str, said: str) -> None:
    complaints = list(wrong(text))
    assert len(complaints) == 1
    assert said in complaints[0]
