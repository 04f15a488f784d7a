"""iot live: the system with sensors at their original pace, until Ctrl-C."""

from __future__ import annotations

from rich.console import Console

from commands.simulate import START
from commands.simulate_session import simulate
from infrastructure.settings import load_settings
from scripts.stack.system import start

console = Console(highlight=False)


def live(*, speed: str, seed: int) -> None:
    """Start the system and simulate until Ctrl-C; the parameters are the options of the command."""
    start(load_settings(), console)
    console.print("\nCtrl-C stops the sensors; the stack stays up.\n")
    simulate(days=None, start=START, speed=speed, seed=seed, sites=1, sensors=None)
