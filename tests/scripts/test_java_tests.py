"""The tests of the job's Java: what fails is told, and that nothing was tested is a failure too."""

from __future__ import annotations

import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from scripts import java_tests
from scripts.stack.job_jar import CompileError
from scripts.stack.paths import DEFINITIONS

TEST = """
package iot;

class TrialTest {
    ANNOTATION
    void trial() {
        org.junit.jupiter.api.Assertions.assertEquals(WANTED, new Seen().clock());
    }
}
"""


def written(directory: Path, annotation: str, wanted: str) -> Path:
    """A directory with one test, of the clock before the first reading, which is -1."""
    (directory / "TrialTest.java").write_text(TEST.replace("ANNOTATION", annotation).replace("WANTED", wanted))
    return directory


def test_a_test_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(java_tests.FailedError, match=r"(?s)trial\(\).*expected: <5> but was: <-1>"):
        java_tests.run(written(tmp_path, "@org.junit.jupiter.api.Test", "5"))


@pytest.mark.parametrize("annotation", ["", "@org.junit.jupiter.api.Test @org.junit.jupiter.api.Disabled"])
def test_that_no_test_has_run_is_a_failure(annotation: str, tmp_path: Path) -> None:
    with pytest.raises(java_tests.FailedError):
        java_tests.run(written(tmp_path, annotation, "-1"))


def test_a_test_that_does_not_compile_is_told(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match=r"TrialTest.java \(at line 7\)"):
        java_tests.run(written(tmp_path, "@org.junit.jupiter.api.Test", "nothing"))


def test_the_harness_is_of_the_flink_that_runs_the_job() -> None:
    lock = tomllib.loads((DEFINITIONS / "junit" / "jgo.lock.toml").read_text())
    versions = {jar["version"] for jar in lock["dependencies"] if jar["groupId"] == "org.apache.flink"}
    assert versions == {version("apache-flink")}
