"""python -m scripts.live: the system with sensors at their original pace, until Ctrl-C."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from commands import terminal
from commands.producer import START, simulate
from infrastructure.settings import load_settings
from scripts.stack.hints import hint
from scripts.stack.system import start

app = typer.Typer(pretty_exceptions_enable=False)
console = Console(highlight=False)


@app.command()
def main(
    speed: Annotated[str, typer.Option(help="Ticks of 15 minutes in a second, or max.")] = "1",
    seed: Annotated[int, typer.Option(help="Names the values.")] = 1,
) -> None:
    """Start the system and simulate until Ctrl-C. Goes on where an earlier run stopped. The stack stays up."""
    start(load_settings(), console)
    console.print("\nCtrl-C stops the sensors; the stack stays up.\n")
    simulate(days=None, start=START, speed=speed, seed=seed, sites=1, sensors=None)


if __name__ == "__main__":
    terminal.run(app, "python -m scripts.live", hint)
