"""iot demo, live, up, down, status, logs, redis, reset: what they take. What they do is imported when they run."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Annotated

import typer

from topics.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

Seed = Annotated[int, typer.Option(help="Names the values: the same seed gives the same readings.")]


def demo(days: Annotated[int, typer.Option(min=1, help="Days to simulate.")] = 14, seed: Seed = 1) -> None:
    """Simulate a fortnight and compare every stored point with what pandas computes.

    As fast as the broker takes the readings. Starts the system first, which must hold no data. Exits with 1 when a
    point differs. The stack stays up.
    """
    from scripts.demo import demo as run

    raise typer.Exit(0 if run(days=days, seed=seed) else 1)


def live(
    speed: Annotated[str, typer.Option(help="Ticks of 15 minutes in a second, or max.")] = "1", seed: Seed = 1
) -> None:
    """Start the system and simulate until Ctrl-C, 15 minutes in a second.

    Goes on where an earlier run stopped. The stack stays up.
    """
    from scripts.live import live as run

    run(speed=speed, seed=seed)


def up() -> None:
    """Start everything: processes, topics, job, bridge, board.

    Installs what is missing first. Goes on where it stopped: the job from its newest checkpoint or savepoint.
    """
    from rich.console import Console

    from infrastructure.settings import load_settings
    from scripts.stack.system import start

    start(load_settings(), Console(highlight=False))


def down() -> None:
    """Stop every process; the data stay.

    The job is stopped by its last checkpoint, from which `iot up` goes on.
    """
    from commands.steps import Steps
    from infrastructure.settings import load_settings
    from scripts.stack.supervision import Stack

    stack, console = Stack(load_settings()), _console()
    if not stack.running():
        console.print("the stack is down")
        return
    with Steps(console) as steps:
        steps.begin("stopping")
        stack.down()
    console.print("the stack is down; `iot up` goes on where it stopped, `iot reset` empties it")


def status() -> None:
    """Show processes, job, lag, rates and rejects in one screen.

    Exits with 1 when something is not well, and says what to do.
    """
    from infrastructure.settings import load_settings
    from scripts.stack import status as state
    from scripts.stack.supervision import Stack, StackError

    settings, console = load_settings(), _console()
    stack = Stack(settings)
    state.show_places(settings, console)
    if not stack.running():
        raise StackError("the stack is down: `iot up` starts it")
    raise typer.Exit(1 if state.show(state.look(settings, stack), console) else 0)


def logs(
    process: Annotated[
        list[str] | None, typer.Argument(metavar="[PROCESS…]", help="As `iot status` names them.", show_default="all")
    ] = None,
) -> None:
    """Follow the logs of every process, or of some, until Ctrl-C."""
    from infrastructure.settings import load_settings
    from scripts.stack.paths import Paths

    files = {file.stem: str(file) for file in sorted(Paths.of(load_settings()).logs.glob("*.log"))}
    if not files:
        raise UserError("there are no logs: `iot up` starts the stack")
    if unknown := [name for name in process or () if name not in files]:
        raise UserError(f"there is no log of {unknown[0]}; there are those of {', '.join(files)}")
    os.execvp("tail", ["tail", "-n", "20", "-F", *(files[name] for name in process or files)])


def reset(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Stop everything and delete all data: topics, series, checkpoints, logs."""
    from commands.steps import Steps
    from commands.terminal import confirm
    from infrastructure.settings import load_settings
    from scripts.stack.paths import Paths
    from scripts.stack.supervision import Stack

    settings, console = load_settings(), _console()
    if not yes:
        confirm(f"Delete every topic, series and checkpoint below {Paths.of(settings).data}?")
    stack = Stack(settings)
    with Steps(console) as steps:
        steps.begin("stopping")
        stack.down()
        steps.begin("deleting")
        stack.reset()
    if settings.data_dir.exists() and not any(settings.data_dir.iterdir()):
        shutil.rmtree(settings.data_dir)
    console.print("everything is empty; `iot up`, `iot demo` or `iot live` start anew")


redis = typer.Typer(add_completion=False)


@redis.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def redis_(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[COMMAND…]", help="A command of Redis with its arguments; without one, a prompt."),
    ] = None,
) -> None:
    """Open Redis' own client as the user viewer, who may only look.

    For instance: iot redis TS.RANGE AggDayTH1 - +
    """
    from infrastructure.settings import load_settings
    from scripts.stack.redis_cli import command

    line, environment = command(load_settings().redis, words or [])
    os.execve(line[0], line, {**os.environ, **environment})


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)
