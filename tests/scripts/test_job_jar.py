"""The job's jar: what is in it, and when it is made anew."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

import pytest

from jobs import tools
from scripts.stack import install, job_jar
from scripts.stack.supervision import Stack
from topics.errors import UserError


@pytest.fixture
def source(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the job's Java, in place of it; the stack's start has brought the compiler."""
    copy = shutil.copytree(tools.JAVA, tmp_path / "java")
    monkeypatch.setattr(tools, "JAVA", copy)
    return copy


def test_the_same_source_gives_the_same_jar(source: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one" / "job.jar", tmp_path / "other" / "job.jar"
    for path in (one, other):
        job_jar.make(path, install.compiler())
    assert one.read_bytes() == other.read_bytes()
    with zipfile.ZipFile(one) as made, zipfile.ZipFile(tools.connector_jar()) as connector:
        own = set(made.namelist()) - set(connector.namelist())
        assert {"iot/SensorClock.class", "iot/SeenSerializer.class"} <= own
        files = {path.relative_to(source).with_suffix("").as_posix() for path in tools.java_sources()}
        assert {re.sub(r"(\$\w+)?\.class$", "", name) for name in own} == files, "and nothing of the tests"
        assert set(connector.namelist()) <= set(made.namelist())
    assert list(one.parent.iterdir()) == [one]


def test_changed_source_wants_another_jar(source: Path) -> None:
    assert install.missing() == []
    (source / "iot" / "Seen.java").open("a").write("// changed\n")
    assert install.missing() == [install.JOB]
    with pytest.raises(UserError, match="not compiled"):
        tools.job_jar()


def test_what_does_not_compile_is_told(source: Path, tmp_path: Path) -> None:
    (source / "iot" / "Seen.java").write_text("package iot;\nclass Seen {\n")
    with pytest.raises(job_jar.CompileError, match=r"Seen.java \(at line 2\)"):
        job_jar.make(tmp_path / "job.jar", install.compiler())
    assert list(tmp_path.glob("*.jar")) == []
