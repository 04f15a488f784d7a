"""iot demo: fourteen days through the whole system, compared with what they should be."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from commands.simulate_session import described, simulation_of
from commands.steps import Steps
from infrastructure import logs
from infrastructure.kafka import offsets
from infrastructure.kafka.publisher import Publisher
from infrastructure.settings import Settings, load_settings
from producer import run
from producer.simulation import Simulation, ticks_of
from scripts import oracle, views
from scripts.stack.job import start_job
from scripts.stack.system import start_stack, where_to_look
from topics.errors import UserError
from topics.names import DEFAULT_SITE, READINGS
from topics.series import AGG_DAY_COUNT, Series

console = Console(highlight=False)

STALL_SECONDS = 45
"""When nothing more has been stored for so long, what is there is compared as it is."""
SHOWN = 10


def demo(*, days: int, seed: int) -> bool:
    """Run it; returns whether every point is as it should be."""
    began = time.monotonic()
    settings = load_settings()
    logs.configure(settings.monitoring.log_format)
    simulation = simulation_of(settings, seed=seed)
    with Steps(console) as steps:
        start_stack(settings, steps.begin, steps.detail)
        steps.begin("looking whether the system is empty")
        refuse_to_mix(settings)
        with ThreadPoolExecutor(1) as beside:
            job = beside.submit(start_job, settings, steps.begin)
            wanted = oracle.expected(simulation, ticks_of(days), settings)
            job.result()
    found = _simulate(settings, simulation, days, wanted)
    views.show(console, found, settings, simulation.catalogue)
    comparison = oracle.compare(found, wanted)
    console.print()
    for line in comparison.differences[:SHOWN]:
        console.print(f"[red]{line}[/]")
    total = sum(map(len, wanted.values()))
    if comparison.differences:
        console.print(
            f"[bold red]{len(comparison.differences):,} points differ[/] from what pandas computes, see above"
        )
    else:
        console.print(f"[bold green]all {total:,} stored points[/] in {len(wanted)} series equal what pandas computes")
    console.print(f"{time.monotonic() - began:.0f} s. The stack stays up:")
    where_to_look(settings, console)
    return not comparison.differences


def refuse_to_mix(settings: Settings) -> None:
    """Raise ``UserError`` when the system holds data: what comes out of it could not be compared."""
    if oracle.stored(settings) or sum(offsets.end_offsets(settings.kafka, settings.prefix + READINGS).values()):
        raise UserError(
            "the system holds data already, and the demo compares with an empty one. "
            "`iot reset` empties it; `iot live` goes on with what is there."
        )


def _simulate(
    settings: Settings, simulation: Simulation, days: int, wanted: dict[str, oracle.Points]
) -> dict[str, oracle.Points]:
    """Send the readings and wait until every point is stored, or until nothing more comes."""
    publisher = Publisher(settings, simulation.catalogue)
    total = sum(map(len, wanted.values()))
    counted = Series(AGG_DAY_COUNT, DEFAULT_SITE, next(iter(simulation.catalogue))).key(settings.prefix)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        sending = bar.add_task("readings", total=ticks_of(days), counts="")
        storing = bar.add_task("points  ", total=total, counts="")

        def sent(progress: run.Progress) -> None:
            bar.update(sending, completed=progress.tick, counts=described(progress))

        run.run(simulation, publisher, ticks=ticks_of(days), ticks_per_second=None, marks={}, report=sent)
        found: dict[str, oracle.Points] = {}
        changed = time.monotonic()
        while time.monotonic() - changed < STALL_SECONDS:
            now = oracle.stored(settings)
            if now != found:
                found, changed = now, time.monotonic()
            stored = sum(map(len, found.values()))
            counts = f"{stored:,} stored, {len(found.get(counted, {}))} of {days} days closed"
            bar.update(storing, completed=stored, counts=counts)
            if not oracle.compare(found, wanted).differences:
                break
            time.sleep(0.2)
    return found
