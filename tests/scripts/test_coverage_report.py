"""What the tests have run is told by file, the least first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from coverage import Coverage

from scripts import coverage_report
from scripts.coverage_report import File
from topics.errors import UserError

HALF = "def used():\n    return 1\n\n\ndef unused():\n    return 2\n\n\nused()\n"
"""Five statements, of which the last but one is not run."""
CHILD = "import subprocess, sys\nsubprocess.run([sys.executable, '-m', 'half'], check=True)\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "half.py").write_text(HALF)
    (tmp_path / "never.py").write_text("a = 1\nb = 2\n")
    (tmp_path / "child.py").write_text(CHILD)
    (tmp_path / ".coveragerc").write_text("[run]\nsource = .\npatch = subprocess\ndata_file = data\n")
    return tmp_path


def run(project: Path, *words: str) -> None:
    others = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    subprocess.run([sys.executable, "-m", "coverage", *words], cwd=project, env=others, check=True, capture_output=True)


def measured(project: Path) -> set[File]:
    coverage = Coverage(data_file=str(project / "data"), config_file=str(project / ".coveragerc"))
    return set(coverage_report.measured(coverage, project))


def test_files_are_told_with_what_was_not_run_also_by_a_process_that_a_process_has_started(project: Path) -> None:
    run(project, "run", "child.py")
    run(project, "combine")
    assert measured(project) == {File("half.py", 5, 1), File("never.py", 2, 2), File("child.py", 2, 0)}


def test_without_a_measurement_the_command_that_makes_one_is_named(project: Path) -> None:
    with pytest.raises(UserError, match="make test"):
        measured(project)


def test_a_file_that_has_gone_is_told(project: Path) -> None:
    run(project, "run", "child.py")
    run(project, "combine")
    (project / "never.py").unlink()
    with pytest.raises(UserError, match="has gone since"):
        measured(project)


def test_the_least_covered_come_first_and_of_equals_the_longer_without_tools() -> None:
    files = [
        File("a.py", 10, 1),
        File("b.py", 4, 4),
        File("c.py", 8, 8),
        File("scripts/d.py", 9, 9),
        File("e.py", 0, 0),
    ]
    assert [file.name for file in coverage_report.least(files, 3)] == ["c.py", "b.py", "a.py"]
    assert coverage_report.total(files, "all") == File("all", 31, 22)
