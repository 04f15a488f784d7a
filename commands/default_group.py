"""A group of commands of which the first one needs no name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperGroup


class DefaultGroup(TyperGroup):
    """Without a command, or with an option in its place, the first command runs."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the name of the first command where none is given; ``--help`` is the group's."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = [next(iter(self.commands)), *args]
        return super().parse_args(ctx, args)


def group(text: str, *commands: Callable[..., None]) -> typer.Typer:
    """The group of these commands, each called like its function; the help shows ``text``."""
    app = typer.Typer(cls=DefaultGroup, help=text, pretty_exceptions_enable=False, add_completion=False)
    for command in commands:
        app.command(command.__name__.rstrip("_"))(command)  # list_ would hide the built-in
    return app
