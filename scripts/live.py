"""python -m scripts.live: the system with sensors at their original pace, until Ctrl-C."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

import command_line
import settings as settings_module
from producer.__main__ import START
from producer.__main__ import main as simulate
from scripts.stack.__main__ import where_to_look
from scripts.stack.system import start_job, start_stack

app = typer.Typer(pretty_exceptions_enable=False)
console = Console(highlight=False)


@app.command()
def main(
    speed: Annotated[str, typer.Option(help="Ticks of 15 minutes in a second, or max.")] = "1",
    seed: Annotated[int, typer.Option(help="Names the values.")] = 1,
) -> None:
    """Start the system and simulate until Ctrl-C. Goes on where an earlier run stopped. The stack stays up."""
    settings = settings_module.load()
    with console.status("starting") as status:

        def said(line: str) -> None:
            status.update(line)
            console.print(line)

        start_stack(settings, said)
        start_job(settings, said)
    where_to_look(console, settings)
    console.print("\nCtrl-C stops the sensors; the stack stays up.\n")
    simulate(days=None, start=START.date().isoformat(), speed=speed, seed=seed, sites=1, sensors=None)


if __name__ == "__main__":
    command_line.run(app, "python -m scripts.live")
