"""How the commands end: a user's mistake is one message that says what to do, and an exit code that is not zero."""

from __future__ import annotations

import sys
from collections.abc import Callable

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from infrastructure.proxies import keep_local_direct
from topics.errors import UserError

WIDE = 400
"""Columns of a table that nobody's terminal limits."""


def print_table(console: Console, table: Table) -> None:
    """Print a table as wide as the terminal; where there is none, as wide as it is."""
    (console if console.is_terminal else Console(width=WIDE, highlight=False)).print(table, highlight=False)


def confirm(question: str) -> None:
    """Ask, and go on after a yes. Raises ``UserError`` where nobody answers, ``typer.Abort`` after a no."""
    try:
        sure = typer.confirm(question)
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        raise UserError("nobody is there to be asked: --yes says yes beforehand") from None
    if not sure:
        raise typer.Abort


def run(app: typer.Typer, name: str, hint: Callable[[UserError], str] = lambda _: "") -> None:
    """Run a command; exits with 1 for a ``UserError``, 2 for wrong arguments, 130 for Ctrl-C.

    ``hint`` adds to the error what only the caller knows, for instance how a server is started here.
    """
    keep_local_direct()
    try:
        app(prog_name=name)
    except UserError as error:
        from infrastructure import logs  # `--help` need not wait for it

        message = "\n".join(filter(None, (str(error), hint(error))))
        if logs.structured():
            logs.get(name).error(message)
            sys.exit(1)
        Console(stderr=True, highlight=False).print("[bold red]error:[/]", escape(message), soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
