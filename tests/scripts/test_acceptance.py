"""Acceptance runs what it is told to, each on a stack of its own, and fails when one of them fails."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scripts import acceptance
from scripts.acceptance import Step
from topics.errors import UserError

NOTE = "import os, pathlib; pathlib.Path(os.environ['IOT_DATA_DIR'], 'note').write_text(os.environ['IOT_TASK_SLOTS'])"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(("ends", "kept"), [("", ["3"]), ("; raise SystemExit(4)", ["3"])])
def test_a_step_gets_a_place_of_its_own_which_is_kept_when_it_fails(
    temporary: Path, ends: str, kept: list[str]
) -> None:
    code = acceptance.run(Step("noting", ["-c", NOTE + ends], minutes=0, apart={"task_slots": 3}))
    assert code == (4 if ends else 0)
    assert [note.read_text() for note in temporary.glob("iot-noting-*/note")] == (kept if ends else [])
    assert bool(list(temporary.iterdir())) == bool(ends)


def test_all_steps_are_run_and_the_failed_ones_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [Step(name, ["-c", f"raise SystemExit({code})"], 0) for name, code in (("a", 0), ("b", 2), ("c", 0))]
    monkeypatch.setattr(acceptance, "STEPS", {step.name: step for step in steps})
    done = CliRunner().invoke(acceptance.app, [])
    assert isinstance(done.exception, UserError)
    assert str(done.exception) == "b failed: see above"
    assert [line.split()[:2] for line in done.output.splitlines()[-3:]] == [["a", "well"], ["b", "exit"], ["c", "well"]]
    assert CliRunner().invoke(acceptance.app, ["--only", "a", "--only", "c"]).exit_code == 0


def test_a_step_that_is_not_there_is_refused_with_those_that_are() -> None:
    done = CliRunner().invoke(acceptance.app, ["--only", "nothing"])
    assert "there is no nothing: say one of fuzz, chaos, determinism, overload, bench" in str(done.exception)
