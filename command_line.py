"""How the commands end: a user's mistake is one message that says what to do, and an exit code that is not zero."""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.markup import escape


class UserError(Exception):
    """Something that the user can mend; the message says how."""


def run(app: typer.Typer, name: str) -> None:
    """Run a command; exits with 1 for a ``UserError``, 2 for wrong arguments, 130 for Ctrl-C."""
    try:
        app(prog_name=name)
    except UserError as error:
        import logs  # `--help` need not wait for it

        if logs.structured():
            logs.get(name).error(str(error))
            sys.exit(1)
        Console(stderr=True, highlight=False).print("[bold red]error:[/]", escape(str(error)), soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
