"""Make the job's jar: the Kafka connector and the job's own classes in one, for `flink run --jarfile`."""

from __future__ import annotations

import subprocess
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from jobs import tools
from jobs.tools import connector_jar, flink_home, java_home, java_resources, java_sources
from topics.errors import UserError

RELEASE = "11"
"""The oldest Java that runs Flink 2."""

STAMP = (1980, 1, 1, 0, 0, 0)
"""Time of each entry: the same source gives the same jar."""

SERVICES = "META-INF/services/"
"""Files that name classes, one a line, for Java's ServiceLoader: what both jars have is merged."""


class CompileError(UserError):
    """Java of this repository does not compile; the message has the compiler's words."""


def make(jar: Path, compiler: Path) -> None:
    """Compile the job's Java and put it into ``jar``, beside what the connector's jar holds.

    ``compiler`` is Eclipse's. The jar appears when it is complete. Raises ``CompileError``.
    """
    jar.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=jar.parent) as directory:
        classes = Path(directory, "classes")
        compile_java(java_sources(), classes, compiler, flink_libraries())
        own = {path.relative_to(classes).as_posix(): path.read_bytes() for path in sorted(classes.glob("**/*.class"))}
        own |= {path.relative_to(tools.RESOURCES).as_posix(): path.read_bytes() for path in java_resources()}
        made = Path(directory, jar.name)
        with zipfile.ZipFile(connector_jar()) as connector, zipfile.ZipFile(made, "w") as archive:
            for entry in connector.infolist():
                content = connector.read(entry)
                if entry.filename in own:
                    content = _merged(entry.filename, content, own.pop(entry.filename))
                archive.writestr(entry, content)
            for name, content in own.items():
                archive.writestr(zipfile.ZipInfo(name, STAMP), content, zipfile.ZIP_DEFLATED)
        made.replace(jar)


def _merged(name: str, connectors: bytes, own: bytes) -> bytes:
    """What stands under a name that both jars have."""
    if not name.startswith(SERVICES):
        raise CompileError(f"the connector's jar has a file {name} too: give the job's another name")
    return connectors.rstrip(b"\n") + b"\n" + own


def compile_java(
    sources: Iterable[Path], classes: Path, compiler: Path, libraries: Iterable[Path], *, release: str = RELEASE
) -> None:
    """Compile ``sources`` into the directory ``classes``, against ``libraries`` (jars, or directories of classes).

    ``compiler`` is Eclipse's, ``release`` the oldest Java that is to run it. Raises ``CompileError``, on a warning too.
    """
    # The compiler lives for a second: to optimise its own code costs more than it saves.
    command = [str(java_home() / "bin" / "java"), "-XX:TieredStopAtLevel=1", "-jar", str(compiler), "-g"]
    command += ["-source", release, "-target", release, "-encoding", "UTF-8", "-failOnWarning"]
    command += ["-classpath", ":".join(map(str, libraries)), "-d", str(classes)]
    done = subprocess.run([*command, *map(str, sources)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise CompileError(f"the Java does not compile:\n{done.stdout}")


def flink_libraries() -> list[Path]:
    """Flink's own jars, which are on the class path of every job."""
    return sorted((flink_home() / "lib").glob("flink-*.jar"))
