"""The command: what its help says, what it imports for it, and from where it works."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infrastructure.home import ROOT
from infrastructure.version import __version__
from iot import reference
from iot.__main__ import app
from iot.lazy import Entry, load
from iot.sections import SECTIONS

ENTRIES = [entry for entries in SECTIONS.values() for entry in entries]
IOT = Path(sys.executable).with_name("iot")
HEAVY = ("confluent_kafka", "redis", "pandas", "pyarrow", "pyflink", "pydantic", "requests", "nicegui", "supervisor")
"""What takes long to import, and no help needs."""


def run(*words: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("IOT_")}
    environment = {**inherited, "COLUMNS": "200", **environment}
    return subprocess.run([str(IOT), *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_the_help_says_of_a_command_what_the_command_says_of_itself(entry: Entry) -> None:
    said = load(entry.target).help.splitlines()[0]
    assert entry.line == said
    help_of_it = CliRunner().invoke(app, [entry.name, "--help"], env={"COLUMNS": "200"}, prog_name="iot")
    assert help_of_it.exit_code == 0, help_of_it.output
    assert f"iot {entry.name}" in help_of_it.output


def test_the_help_names_every_command_and_imports_none() -> None:
    script = f"""
import sys
from iot.__main__ import app
try:
    app(["--help"], prog_name="iot")
finally:
    print("imported", *(name for name in {HEAVY!r} if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    for entry in ENTRIES:
        assert f"{entry.name} " in done.stdout
    assert done.stdout.splitlines()[-1] == "imported"


def test_the_reference_is_what_the_commands_say() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.text(), "run python -m iot.reference"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_and_their_options(shell: str) -> None:
    def completed(line: str) -> str:
        words = line.split(" ")
        return run(
            _IOT_COMPLETE=f"complete_{shell}",
            _TYPER_COMPLETE_ARGS=line,
            _TYPER_COMPLETE_FISH_ACTION="get-args",
            COMP_WORDS=line,
            COMP_CWORD=str(len(words) - 1),
        ).stdout

    assert "replay" in completed("iot re")
    assert "export" not in completed("iot re")
    assert "describe" in completed("iot topics d")
    assert "--source" in completed("iot replay --s")


def test_it_works_from_any_directory(tmp_path: Path) -> None:
    done = run("jobs", "jar", "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = run("status", cwd=tmp_path, IOT_DATA_DIR=str(tmp_path / "data"))
    assert done.returncode == 1
    assert f"{ROOT} (the checkout)" in done.stdout
    assert f"data: {tmp_path}/data" in done.stdout
    assert "the stack is down: `iot up` starts it" in done.stderr


def test_home_holds_the_settings_the_catalogue_and_the_data(tmp_path: Path) -> None:
    (tmp_path / "sensors.toml").write_text('[COLD]\nunit = "°C"\n')
    done = run("--home", str(tmp_path), "status", cwd=ROOT)
    assert f"{tmp_path} (by --home or IOT_HOME)" in done.stdout
    assert "data:" not in done.stdout, "they are at home"
    wrong = run("--home", str(tmp_path), "grafana", "build", "--into", str(tmp_path / "built"), cwd=ROOT)
    assert wrong.returncode == 1
    assert f"{tmp_path}/sensors.toml, sensor COLD" in wrong.stderr
    (tmp_path / ".env").write_text("IOT_PARTITIONS=none\n")
    for done in (
        run("--home", str(tmp_path), "status"),
        run("status", cwd=tmp_path),
        run("status", IOT_HOME=str(tmp_path)),
    ):
        assert done.returncode == 1
        assert "IOT_PARTITIONS" in done.stderr


def test_a_home_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = run("--home", str(tmp_path / "nowhere"), "status")
    assert done.returncode == 1
    assert f"there is no directory {tmp_path}/nowhere" in done.stderr


@pytest.mark.parametrize("module", ["topics", "jobs", "producer", "ingest", "board", "grafana_provisioning", "iot"])
def test_parts_are_modules_too(module: str) -> None:
    done = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert ("Usage: iot " if module == "iot" else f"Usage: python -m {module} ") in done.stdout


def test_the_version_is_the_one_of_the_project() -> None:
    assert run("--version").stdout == f"iot {__version__}\n"
    assert version("iot-live-streaming") == __version__, "make installs it anew when it has changed"
