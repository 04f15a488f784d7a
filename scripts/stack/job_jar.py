"""Make the job's jar: the Kafka connector and the job's own classes in one, for `flink run --jarfile`."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

from jobs.tools import JAVA, connector_jar, flink_home, java_home, java_sources
from topics.errors import UserError

RELEASE = "11"
"""The oldest Java that runs Flink 2."""

STAMP = (1980, 1, 1, 0, 0, 0)
"""Time of each entry: the same source gives the same jar."""


class CompileError(UserError):
    """The job's Java does not compile; the message has the compiler's words."""


def make(jar: Path, compiler: Path) -> None:
    """Compile the job's Java and put it into ``jar``, beside what the connector's jar holds.

    ``compiler`` is Eclipse's. The jar appears when it is complete. Raises ``CompileError``.
    """
    jar.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=jar.parent) as directory:
        classes = Path(directory, "classes")
        _compile(classes, compiler)
        made = Path(directory, jar.name)
        shutil.copy(connector_jar(), made)
        with zipfile.ZipFile(made, "a", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(classes.glob("**/*.class")):
                entry = zipfile.ZipInfo(path.relative_to(classes).as_posix(), STAMP)
                archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
        made.replace(jar)


def _compile(classes: Path, compiler: Path) -> None:
    libraries = ":".join(str(path) for path in sorted((flink_home() / "lib").glob("flink-*.jar")))
    command = [str(java_home() / "bin" / "java"), "-jar", str(compiler), "-source", RELEASE, "-target", RELEASE, "-g"]
    command += ["-encoding", "UTF-8", "-failOnWarning", "-classpath", libraries, "-d", str(classes)]
    sources = [str(path) for path in java_sources()]
    done = subprocess.run([*command, *sources], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise CompileError(f"the Java below {JAVA} does not compile:\n{done.stdout}")
