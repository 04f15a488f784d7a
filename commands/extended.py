"""A command line that has the commands of another one, and more."""

from __future__ import annotations

from collections.abc import Callable

import typer


def extended(app: typer.Typer, text: str, *commands: Callable[..., None]) -> typer.Typer:
    """A command line with the commands of ``app``, which stays as it is, and these; the help shows ``text``."""
    more = typer.Typer(help=text, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
    more.add_typer(app)
    for command in commands:
        more.command()(command)
    return more
