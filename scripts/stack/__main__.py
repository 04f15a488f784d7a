"""python -m scripts.stack: the local stack, without Docker."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from typing import Annotated

import psutil
import typer
from rich import box
from rich.console import Console
from rich.table import Table

import command_line
import settings as settings_module
from jobs import cluster
from scripts.stack.paths import Paths
from scripts.stack.supervision import Stack
from scripts.stack.system import start
from settings import Settings
from topics import admin

app = typer.Typer(
    help="Kafka, Redis, Flink and the bridge as supervised processes on this machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
console = Console(highlight=False, soft_wrap=True)

COLOURS = {"RUNNING": "green", "STOPPED": "dim", "STARTING": "yellow"}


@app.command()
def up() -> None:
    """Install what is missing and start everything: processes, topics, job, bridge. Goes on where it stopped."""
    start(settings_module.load(), console)


@app.command()
def down() -> None:
    """Stop every process; the data stay. The job is stopped by its last checkpoint, from which `up` goes on."""
    stack = Stack(settings_module.load())
    if not stack.running():
        console.print("the stack is down")
        return
    with console.status("stopping"):
        stack.down()
    console.print("the stack is down; `make up` goes on where it stopped, `make reset` empties it")


@app.command()
def status() -> None:
    """Show processes, job, topics and lag (records). Exits with 1 when the stack is down or unwell."""
    settings = settings_module.load()
    stack = Stack(settings)
    table = Table("process", "state", "pid", "up (s)", "memory (MiB)", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns[2:]:
        column.justify = "right"
    unwell = 0
    for process in stack.states():
        state, pid = process["statename"], process["pid"]
        unwell += state != "RUNNING"
        table.add_row(
            process["name"],
            f"[{COLOURS.get(state, 'red')}]{state.lower()}[/]",
            str(pid) if pid else "–",
            f"{process['now'] - process['start']:,}" if pid else "–",
            f"{psutil.Process(pid).memory_info().rss / 2**20:,.0f}" if pid and psutil.pid_exists(pid) else "–",
        )
    console.print(table)
    unwell += not _show_job(settings)
    _show_lag(settings)
    raise typer.Exit(1 if unwell else 0)


@app.command()
def logs() -> None:
    """Follow the logs of every process, until Ctrl-C."""
    files = sorted(Paths.of(settings_module.load()).logs.glob("*.log"))
    if not files:
        raise command_line.UserError("there are no logs: `make up` starts the stack")
    os.execvp("tail", ["tail", "-n", "20", "-F", *map(str, files)])


@app.command()
def reset(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Stop the stack and delete all that it holds: topics, series, checkpoints, logs."""
    settings = settings_module.load()
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


def _show_job(settings: Settings) -> bool:
    try:
        job = cluster.find(settings)
        checkpoint = cluster.last_checkpoint(settings, job.id)
    except cluster.ClusterError as error:
        console.print(f"[red]job:[/] {error}")
        return False
    taken = "none yet"
    if checkpoint:
        age = datetime.now(UTC).timestamp() - checkpoint["latest_ack_timestamp"] / 1000
        taken = f"{age:.0f} s ago, {checkpoint['state_size'] / 1024:,.0f} KiB"
    console.print(f"job {job.name}: {job.state.lower()}, last checkpoint {taken}")
    return job.state == "RUNNING"


def _show_lag(settings: Settings) -> None:
    groups = {"job": settings.prefix + settings.job_group, "bridge": settings.prefix + settings.ingest_group}
    try:
        states = admin.describe(settings, groups.values())
    except admin.TopicError as error:
        console.print(f"[red]topics:[/] {error}")
        return
    for topic in dict.fromkeys(state.topic for state in states):
        of_topic = [state for state in states if state.topic == topic]
        records = sum(state.next_offset - state.first_offset for state in of_topic)
        lags = [
            f"{name} {sum(state.lag[group] for state in of_topic if group in state.lag):,} behind"
            for name, group in groups.items()
            if any(group in state.lag for state in of_topic)
        ]
        console.print(f"topic {topic:<14} {records:>12,} records  {', '.join(lags)}")


if __name__ == "__main__":
    command_line.run(app, "python -m scripts.stack")
