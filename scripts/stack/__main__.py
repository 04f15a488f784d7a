"""python -m scripts.stack: the local stack, without Docker."""

from __future__ import annotations

import os
import shutil
from typing import Annotated

import typer
from rich.console import Console

from commands import terminal
from infrastructure.settings import load_settings
from scripts.stack.hints import hint
from scripts.stack.paths import Paths
from scripts.stack.status import look, show
from scripts.stack.supervision import Stack, StackError
from scripts.stack.system import start
from topics.errors import UserError

app = typer.Typer(
    help="Kafka, Redis, Flink and the bridge as supervised processes on this machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
console = Console(highlight=False, soft_wrap=True)


@app.command()
def up() -> None:
    """Install what is missing and start everything: processes, topics, job, bridge, board. Goes on where it stopped."""
    start(load_settings(), console)


@app.command()
def down() -> None:
    """Stop every process; the data stay. The job is stopped by its last checkpoint, from which `up` goes on."""
    stack = Stack(load_settings())
    if not stack.running():
        console.print("the stack is down")
        return
    with console.status("stopping"):
        stack.down()
    console.print("the stack is down; `make up` goes on where it stopped, `make reset` empties it")


@app.command()
def status() -> None:
    """Show processes, job, lag, rates and rejects in one screen. Exits with 1 when something is not well."""
    settings = load_settings()
    stack = Stack(settings)
    if not stack.running():
        raise StackError("the stack is down: `make up` starts it")
    raise typer.Exit(1 if show(look(settings, stack), console) else 0)


@app.command()
def logs() -> None:
    """Follow the logs of every process, until Ctrl-C."""
    files = sorted(Paths.of(load_settings()).logs.glob("*.log"))
    if not files:
        raise UserError("there are no logs: `make up` starts the stack")
    os.execvp("tail", ["tail", "-n", "20", "-F", *map(str, files)])


@app.command()
def reset(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Stop the stack and delete all that it holds: topics, series, checkpoints, logs."""
    settings = load_settings()
    paths = Paths.of(settings)
    if not yes:
        typer.confirm(f"Delete every topic, series and checkpoint below {paths.data}?", abort=True)
    stack = Stack(settings)
    with console.status("stopping"):
        stack.down()
        stack.reset()
    if settings.data_dir.exists() and not any(settings.data_dir.iterdir()):
        shutil.rmtree(settings.data_dir)
    console.print("everything is empty; `make up`, `make demo` or `make live` start anew")


if __name__ == "__main__":
    terminal.run(app, "python -m scripts.stack", hint)
