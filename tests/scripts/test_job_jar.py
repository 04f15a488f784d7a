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

FACTORIES = "META-INF/services/org.apache.flink.table.factories.Factory"


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
        assert len(set(made.namelist())) == len(made.namelist()), "no name twice"
        own = set(made.namelist()) - set(connector.namelist())
        assert {"iot/SensorClock.class", "iot/SeenSerializer.class"} <= own
        files = {path.relative_to(source).with_suffix("").as_posix() for path in tools.java_sources()}
        assert {re.sub(r"(\$\w+)?\.class$", "", name) for name in own} == files, "and nothing of the tests"
        assert set(connector.namelist()) <= set(made.namelist())
        changed = [name for name in connector.namelist() if made.read(name) != connector.read(name)]
        assert changed == [FACTORIES]
        assert classes(made.read(FACTORIES)) == [*classes(connector.read(FACTORIES)), "iot.ReadingFormatFactory"]
    assert list(one.parent.iterdir()) == [one]


def classes(service: bytes) -> list[str]:
    """Those that a file below META-INF/services names."""
    return [line for line in service.decode().splitlines() if line and not line.startswith("#")]


def test_a_file_that_is_no_list_of_services_is_not_merged(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resources = shutil.copytree(tools.RESOURCES, tmp_path / "resources")
    monkeypatch.setattr(tools, "RESOURCES", resources)
    (resources / "META-INF" / "MANIFEST.MF").write_text("Main-Class: iot.Other\n")
    with pytest.raises(job_jar.CompileError, match=r"has a file META-INF/MANIFEST\.MF too"):
        job_jar.make(tmp_path / "job.jar", install.compiler())


def test_a_changed_resource_wants_another_jar(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resources = shutil.copytree(tools.RESOURCES, tmp_path / "resources")
    monkeypatch.setattr(tools, "RESOURCES", resources)
    assert install.missing() == []
    (resources / FACTORIES).open("a").write("iot.Other\n")
    assert install.missing() == [install.JOB]


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
