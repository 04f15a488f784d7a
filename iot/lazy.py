"""A group whose commands are imported when they run: `--help` and completion wait for none of them."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from topics.errors import UserError


class Entry(NamedTuple):
    """A command: its name, a line for the help, and ``module:attribute``, a function or a ``typer.Typer``."""

    name: str
    line: str
    target: str


class LazyGroup(TyperGroup):
    """The commands of ``sections``: the entries below each heading of the help."""

    sections: dict[str, tuple[Entry, ...]]

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self._targets: dict[str, str] = {}
        for heading, entries in self.sections.items():
            for name, line, target in entries:
                self._targets[name] = target
                self.add_command(TyperCommand(name, help=line, rich_help_panel=heading))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that the arguments name, imported."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and load(self._targets[str(command.name)]), rest


def load(target: str) -> Any:
    """The command ``module:attribute``. Raises ``UserError`` where that module was left out."""
    module, _, attribute = target.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise UserError("this command is one of the local stack, which is not part of the image") from error
    if not isinstance(found, typer.Typer):
        function, found = found, typer.Typer(add_completion=False)
        found.command()(function)
    return typer.main.get_command(found)
