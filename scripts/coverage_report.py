"""python -m scripts.coverage_report: how much of the code the tests have run; `make test` ends with it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import typer
from coverage import Coverage
from coverage.exceptions import NoDataError, NoSource
from rich.console import Console
from rich.table import Table

from commands import terminal
from infrastructure.home import ROOT
from scripts.stack.hints import hint
from topics.errors import UserError

app = typer.Typer(pretty_exceptions_enable=False)
console = Console(highlight=False, soft_wrap=True)

SHOWN = 10
TOOLS = "scripts/"
"""Much of it is run by hand or by `make acceptance`; it is told in one line, lest it hides the rest."""


class File(NamedTuple):
    """A file of the project, its statements, and those of them that no test has run."""

    name: str
    statements: int
    missed: int

    @property
    def covered(self) -> float:
        """Share of the statements that were run, 0 to 1; 1 for a file without any."""
        return 1 - self.missed / self.statements if self.statements else 1.0


def measured(coverage: Coverage, root: Path) -> list[File]:
    """Every file that was measured, or should have been. Raises ``UserError`` when nothing was."""
    coverage.load()
    try:
        found = [coverage.analysis2(name) for name in coverage.get_data().measured_files()]
    except NoSource as gone:
        raise UserError(f"{gone}: it has gone since it was measured; run `make test` again") from None
    except NoDataError:
        found = []
    if not found:
        raise UserError("nothing has been measured yet: `make test` does it")
    return [File(Path(a[0]).relative_to(root).as_posix(), len(a[1]), len(a[3])) for a in found]


def least(files: Iterable[File], count: int) -> list[File]:
    """The files of which least was run, outside the tools; of equals the longer first."""
    return sorted((f for f in files if not f.name.startswith(TOOLS)), key=lambda f: (f.covered, -f.statements))[:count]


def total(files: Iterable[File], name: str) -> File:
    """All of them as one."""
    files = list(files)
    return File(name, sum(f.statements for f in files), sum(f.missed for f in files))


@app.command()
def main() -> None:
    """Print the files of which the tests have run least, and the total."""
    files = measured(Coverage(), ROOT)
    table = Table("covered", "lines", "missed", "file", box=None, pad_edge=False)
    for column in table.columns[:3]:
        column.justify = "right"
    tools = total((f for f in files if f.name.startswith(TOOLS)), f"{TOOLS}, partly run by hand")
    for file in (*least(files, SHOWN), tools, total(files, "all files")):
        table.add_row(f"{file.covered:.1%}", f"{file.statements:,}", f"{file.missed:,}", file.name)
    console.print(table)


if __name__ == "__main__":
    terminal.run(app, "python -m scripts.coverage_report", hint)
