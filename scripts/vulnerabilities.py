"""python -m scripts.vulnerabilities: what is known against the pinned packages; pip-audit asks the index."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from commands import terminal
from infrastructure.home import ROOT
from scripts.stack.hints import hint
from topics.errors import UserError

app = typer.Typer(pretty_exceptions_enable=False)
console = Console(highlight=False, soft_wrap=True)

FILES = ("requirements.txt", "requirements-dev.txt")
SECONDS = 10
"""How long the index may take for one answer."""


class Finding(NamedTuple):
    """A known vulnerability of a pinned package, and the versions without it (empty: there is none yet)."""

    package: str
    version: str
    identifier: str
    fixed: str


def read(report: str) -> tuple[list[Finding], int]:
    """The findings of a report of pip-audit (JSON), and how many packages it could look up."""
    dependencies = json.loads(report)["dependencies"]
    known = [dependency for dependency in dependencies if "skip_reason" not in dependency]
    found = {
        Finding(each["name"], each["version"], vulnerability["id"], ", ".join(vulnerability["fix_versions"]))
        for each in known
        for vulnerability in each["vulns"]
    }
    return sorted(found), len(known)


def ask() -> str | None:
    """The report of pip-audit on what is pinned; None when the index does not answer.

    Raises ``UserError`` when pip-audit finds fault with the requirements themselves.
    """
    files = [word for file in FILES for word in ("--requirement", str(ROOT / file))]
    options = ["--require-hashes", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
    command = [sys.executable, "-m", "pip_audit", *options, "--timeout", str(SECONDS), *files]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.stdout.startswith("{"):
        return done.stdout
    if any(word in done.stderr for word in ("ConnectionError", "connect", "timed out", "Timeout")):
        return None
    raise UserError(f"pip-audit: {done.stderr.strip()[-1000:]}")


@app.command()
def main(
    warn: Annotated[bool, typer.Option("--warn", help="Exit with 0 even when something is found.")] = False,
) -> None:
    """Compare what is pinned with the index of known vulnerabilities.

    Exits with 1 when something is found. Without the index nothing is compared, which is said, and the exit code is 0.
    """
    report = ask()
    found, known = read(report) if report else ([], 0)
    if not known:
        console.print("vulnerabilities: not compared, the index cannot be reached from here")
        return
    if not found:
        console.print(f"vulnerabilities: none is known of {known} packages")
        return
    table = Table("package", "version", "vulnerability", "fixed in", box=None, pad_edge=False)
    for finding in found:
        table.add_row(*finding[:3], finding.fixed or "no version yet")
    console.print(table)
    console.print(
        f"[bold red]{len(found)} known vulnerabilities.[/] `make lock` pins newer versions, where requirements.in and "
        "the packages that want the old ones allow it"
    )
    raise typer.Exit(0 if warn else 1)


if __name__ == "__main__":
    terminal.run(app, "python -m scripts.vulnerabilities", hint)
