"""iot, python -m iot: every command line of the system."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from commands.terminal import run
from infrastructure.home import VARIABLE
from infrastructure.version import __version__
from iot.lazy import LazyGroup
from iot.sections import SECTIONS
from topics.errors import UserError


class Commands(LazyGroup):
    """The commands of ``SECTIONS``."""

    sections = SECTIONS


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"iot {__version__}")
        raise typer.Exit


app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def settle(
    home: Annotated[
        Path | None,
        typer.Option(
            help="Directory of your own .env, sensors.toml and data.",
            show_default="IOT_HOME, else found from the working directory, else the checkout",
        ),
    ] = None,
    version: Annotated[  # noqa: ARG001 - the callback has seen it
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Readings of sensors through Kafka and Flink into RedisTimeSeries: one command for all of it.

    Works from any directory. The manual: docs/README.md.
    """
    if home is not None:
        os.environ[VARIABLE] = str(home.absolute())


def main() -> None:
    """Run `iot`."""
    run(app, "iot", _hint)


def _hint(error: UserError) -> str:
    """What the local stack knows of an error; nothing where the stack is not, as in the image."""
    try:
        from scripts.stack.hints import hint
    except ModuleNotFoundError:
        return ""
    return hint(error)


if __name__ == "__main__":
    main()
