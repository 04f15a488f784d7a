"""python -m scripts.acceptance: what takes too long for `make test`, one after the other."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from commands import terminal
from infrastructure.home import ROOT
from scripts.stack.apart import settings_apart
from scripts.stack.hints import hint
from scripts.stack.supervision import Stack
from topics.errors import UserError

app = typer.Typer(pretty_exceptions_enable=False)
console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Step:
    """A program that exits with 0 when all is well. ``words``: for the interpreter.

    ``apart``: further settings of the stack that it gets, in a temporary directory and on free ports. None: it starts
    its own.
    """

    name: str
    words: Sequence[str]
    minutes: int
    apart: dict[str, Any] | None = field(default=None)


STEPS = {
    step.name: step
    for step in (
        Step("fuzz", ["-m", "scripts.fuzz"], minutes=3),
        Step("chaos", ["-m", "scripts.chaos"], minutes=20),
        Step("determinism", ["-m", "scripts.determinism"], minutes=10, apart={"task_slots": 8}),
        Step("overload", ["-m", "scripts.overload"], minutes=25, apart={"redis_memory": "2g"}),
        Step("bench", ["-m", "scripts.bench"], minutes=55),
    )
}
"""Minutes as on two cores."""


def run(step: Step) -> int:
    """Run one to its end and stop its stack; its exit code. What failed leaves data and logs behind, and says where."""
    if step.apart is None:
        return subprocess.run([sys.executable, *step.words], cwd=ROOT).returncode
    directory = Path(tempfile.mkdtemp(prefix=f"iot-{step.name}-"))
    settings = settings_apart(directory, **step.apart)
    code = 1
    try:
        environment = {**os.environ, **settings.environment()}
        code = subprocess.run([sys.executable, *step.words], cwd=ROOT, env=environment).returncode
    finally:
        Stack(settings).down()
        if code:
            console.print(f"data and logs are kept in {directory}")
        else:
            shutil.rmtree(directory)
    return code


@app.command()
def main(
    only: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(STEPS)}; several times for several. Default: all.")
    ] = None,
) -> None:
    """Run what is too long for every day, and tell what failed. Exits with 1 when something did."""
    if unknown := set(only or ()) - STEPS.keys():
        raise UserError(f"there is no {', '.join(sorted(unknown))}: say one of {', '.join(STEPS)}")
    steps = [STEPS[name] for name in only] if only else list(STEPS.values())
    table = Table("what", "result", "min", box=None, pad_edge=False)
    failed = []
    for number, step in enumerate(steps, 1):
        console.print(f"[bold]{number} of {len(steps)}: {step.name}[/], about {step.minutes} min")
        began = time.monotonic()
        if code := run(step):
            failed.append(step.name)
        table.add_row(step.name, f"exit code {code}" if code else "well", f"{(time.monotonic() - began) / 60:.1f}")
    console.print(table)
    if failed:
        raise UserError(f"{', '.join(failed)} failed: see above")


if __name__ == "__main__":
    terminal.run(app, "python -m scripts.acceptance", hint)
