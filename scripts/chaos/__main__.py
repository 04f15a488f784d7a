"""python -m scripts.chaos: faults in every process while readings flow, on a stack of its own."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from commands import terminal
from commands.simulate_session import simulation_of
from scripts.chaos import faults as causes
from scripts.chaos.run import Recovery, finish, run
from scripts.chaos.traffic import Traffic
from scripts.chaos.verdict import FATES, ByRound, Finding
from scripts.stack.apart import settings_apart
from scripts.stack.hints import hint
from scripts.stack.job import start_job
from scripts.stack.supervision import Stack
from scripts.stack.system import start_stack
from topics.errors import UserError

app = typer.Typer(pretty_exceptions_enable=False)
console = Console(highlight=False, soft_wrap=True)

CHECKPOINT_INTERVAL = timedelta(seconds=2)
CLOSING_DAYS = 2
SHOWN = 20


@app.command()
def main(
    rounds: Annotated[int, typer.Option(min=1, help="Faults to be injected.")] = 32,
    seed: Annotated[int, typer.Option(help="Draws their order and their moments, and names the values.")] = 1,
    sites: Annotated[int, typer.Option(min=1, help="Houses.")] = 10,
    days: Annotated[int, typer.Option(min=1, help="Days that are sent in a round at full speed.")] = 60,
    pace: Annotated[float, typer.Option(min=0.1, help="Ticks of 15 minutes a second in all other rounds.")] = 1,
    frozen: Annotated[float, typer.Option(min=0, help="Seconds of a freeze.")] = 20,
    away: Annotated[float, typer.Option(min=0, help="Seconds without Redis.")] = 60,
    full: Annotated[float, typer.Option(min=0, help="Seconds without room for checkpoints.")] = 20,
) -> None:
    """Kill, freeze and starve every process at random moments while a simulation runs, and compare in the end.

    It starts a stack of its own, in a temporary directory and on free ports, and deletes it again. Half of the rounds
    are run at the pace of the sensors, the other half at full speed. In the end every series must equal what pandas
    computes, every rejection must be there, and each invalid record must be one dead letter. Seconds; exits with 1
    when something is lost, duplicated or wrong; then the logs are kept.
    """
    began = time.monotonic()
    directory = Path(tempfile.mkdtemp(prefix="iot-chaos-"))
    settings = settings_apart(directory, checkpoint_interval=CHECKPOINT_INTERVAL)
    stack = Stack(settings)
    plan = causes.rounds(rounds, seed, causes.faults(frozen, away, full))
    wrong: list[Finding] | None = None
    try:
        simulation = simulation_of(settings, seed=seed, sites=sites)
        with console.status("starting") as status:
            start_stack(settings, status.update)
            start_job(settings, status.update)
        traffic = Traffic(stack, simulation, pace)
        columns = (MofNCompleteColumn(), BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("", total=len(plan))

            def said(what: str) -> None:
                bar.update(task, description=what)

            recoveries = []
            for recovery in run(traffic, plan, days, said):
                recoveries.append(recovery)
                bar.update(task, advance=1)
                if not console.is_terminal:
                    console.print(f"{len(recoveries):3}  {recovery.round.fault}: {recovery.seconds:.1f} s")
            ticks, wrong = finish(traffic, CLOSING_DAYS, said)
        console.print(table(recoveries, wrong))
        for found in wrong[:SHOWN]:
            console.print(f"[red]{found.fate}: {found.what}[/]")
        if len(wrong) > SHOWN:
            console.print(f"… and {len(wrong) - SHOWN:,} more")
        console.print(
            f"{len(recoveries)} faults in {time.monotonic() - began:,.0f} s; {ticks:,} ticks of {sites} houses, "
            f"{len(traffic.invalid)} invalid records"
        )
    finally:
        stack.down()
        if wrong == []:
            shutil.rmtree(directory)
        else:
            console.print(f"data and logs are kept in {directory}")
    if wrong:
        raise UserError("something was lost, duplicated or wrong: see above")
    console.print("[bold green]nothing lost, nothing duplicated, every series as pandas computes it[/]")


def table(recoveries: Sequence[Recovery], wrong: Sequence[Finding]) -> Table:
    """A row for each fault: how often, seconds to recovery, and what is lost, duplicated, wrong."""
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))  # 80 columns
    shown.add_column("fault", no_wrap=True)
    for head in ("times", "median (s)", "worst (s)", *FATES):
        shown.add_column(head, justify="right", no_wrap=" " not in head)
    by_round = ByRound([recovery.began for recovery in recoveries])
    for found in wrong:
        by_round.add(found)
    for fault in dict.fromkeys(sorted((recovery.round.fault for recovery in recoveries), key=str)):
        of_it = [
            (number, recovery.seconds) for number, recovery in enumerate(recoveries) if recovery.round.fault == fault
        ]
        seconds = [each for _, each in of_it]
        fates = [sum(by_round.counts[number, fate] for number, _ in of_it) for fate in FATES]
        median, worst = f"{statistics.median(seconds):.1f}", f"{max(seconds):.1f}"
        shown.add_row(str(fault), str(len(of_it)), median, worst, *map(str, fates))
    if by_round.elsewhere:
        fates = [sum(found.fate == fate for found in by_round.elsewhere) for fate in FATES]
        shown.add_row("not told which", "", "", "", *map(str, fates))
    return shown


if __name__ == "__main__":
    terminal.run(app, "python -m scripts.chaos", hint)
