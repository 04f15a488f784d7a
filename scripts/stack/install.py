"""Bring Kafka, the Flink connector, a Java compiler and OpenSSL 1.1 (for Redis) from their registries, once.

The compiler makes the job's jar, again when its source has changed. JUnit comes for the tests of that Java alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from jobs.tools import INSTALLED, jar_path, java_home
from scripts.stack import job_jar
from scripts.stack.paths import DEFINITIONS
from topics.errors import UserError

JOB = "the job's jar"
"""It is made of the connector and by the compiler: who wants it wants them, and names it behind them."""
PARTS = ("kafka", "connector", "compiler", "openssl", JOB)
"""What the local stack wants."""
STEPS = {
    "kafka": "installing Kafka",
    "connector": "installing Flink's Kafka connector",
    "compiler": "installing a Java compiler",
    "openssl": "installing OpenSSL 1.1, for Redis",
    JOB: "compiling the job's Java",
}
"""What is done for each part."""

Fetched = Callable[[int], None]
"""Receives how many bytes of a part are there, several times a second."""
LOOK_SECONDS = 0.2

OPENSSL_CARRIER = "mysql-connector-python==8.0.32"
"""Its wheel carries libssl.so.1.1 and libcrypto.so.1.1, which the Redis binaries want."""


class InstallError(UserError):
    """A part could not be installed; the message says what to do."""


def missing(wanted: Collection[str] = PARTS) -> list[str]:
    """Parts that are not installed yet, of those that are wanted, in their order."""
    return [part for part in wanted if not _installed(part)]


def compiler() -> Path:
    """Eclipse's Java compiler, which the part ``compiler`` has brought."""
    return next((INSTALLED / "compiler").glob("*/ecj-*.jar"))


def install(wanted: Collection[str] = PARTS, fetched: Fetched = lambda _: None) -> Iterator[str]:
    """Install what is missing of ``wanted``; yields the name of each part before it is fetched.

    Who comes while another process installs waits for it. Raises ``InstallError`` when a download fails, a jar
    differs from the lock file, ``CompileError`` when the job's Java is wrong.
    """
    INSTALLED.mkdir(parents=True, exist_ok=True)
    with (INSTALLED / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for part in missing(wanted):
            yield part
            if part == JOB:
                job_jar.make(jar_path(), compiler())
                continue
            target = INSTALLED / part
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir(parents=True)
            if part == "openssl":
                _openssl(target, fetched)
            else:
                _jars(part, target, fetched)
            (target / "complete").touch()


def _installed(part: str) -> bool:
    if part == JOB:
        return _installed("connector") and jar_path().exists()
    return (INSTALLED / part / "complete").exists()


def _run(part: str, command: list[str], cwd: Path, target: Path, fetched: Fetched, **env: str) -> None:
    """Run a command that fills ``target``."""
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        with subprocess.Popen(command, cwd=cwd, env={**os.environ, **env}, stdout=output, stderr=output) as running:
            while running.poll() is None:
                try:
                    running.wait(LOOK_SECONDS)
                except subprocess.TimeoutExpired:
                    fetched(_size(target))
        if running.returncode:
            output.seek(0)
            raise InstallError(f"could not install {part}; is the network there? Try again.\n{output.read()[-2000:]}")


def _size(directory: Path) -> int:
    """Bytes of the files below a directory that another process is filling."""
    size = 0
    for path in directory.rglob("*"):
        with suppress(OSError):  # gone again
            size += path.lstat().st_size
    return size


def _jars(part: str, target: Path, fetched: Fetched) -> None:
    definition = DEFINITIONS / part
    jgo = [str(Path(sys.executable).with_name("jgo")), "--system-java", "--resolver", "python"]
    sync = [*jgo, "--links", "copy", "--cache-dir", str(target), "sync"]
    _run(part, sync, definition, target, fetched, JAVA_HOME=str(java_home()))
    lock = tomllib.loads((definition / "jgo.lock.toml").read_text())
    expected = {_file_name(dependency): dependency["sha256"] for dependency in lock["dependencies"]}
    found = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in target.glob("*/*.jar")}
    if wrong := sorted(name for name in expected | found if expected.get(name) != found.get(name)):
        raise InstallError(
            f"{part}: not the jars of {definition / 'jgo.lock.toml'}: {', '.join(wrong)}. "
            "If the version was changed on purpose, copy the new lock file from "
            f"{target / 'jgo.lock.toml'}; if not, do not run them."
        )


def _file_name(dependency: Mapping[str, str]) -> str:
    """As Maven has it: a classifier, such as that of a library's own tests, stands behind the version."""
    words = (dependency.get(key) for key in ("artifactId", "version", "classifier"))
    return "-".join(filter(None, words)) + ".jar"


def _openssl(target: Path, fetched: Fetched) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
    # It unpacks what it downloads in the temporary directory, and nothing is left there.
    _run(
        "openssl",
        [*pip, "--target", str(target / "wheel"), OPENSSL_CARRIER],
        target,
        target,
        fetched,
        TMPDIR=str(target),
    )
    for library in ("libssl.so.1.1", "libcrypto.so.1.1"):
        shutil.copy(target / "wheel" / "mysql" / "vendor" / library, target / library)
    shutil.rmtree(target / "wheel")
