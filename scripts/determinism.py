"""python -m scripts.determinism: the same readings, run in many ways, and whether the results are the same."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from commands import terminal
from commands.simulate_session import simulation_of
from infrastructure.kafka import admin
from infrastructure.settings import Settings, load_settings
from jobs import cluster
from jobs.daily_aggregates import SPEC
from jobs.tools import local_tools
from operations import replay, results
from operations.results import Results
from producer.encoder import Encoder
from producer.run import Progress, run
from producer.simulation import Simulation, ticks_of
from scripts import oracle, warm
from scripts.repeats import RepeatingPublisher
from scripts.stack.hints import hint
from scripts.stack.supervision import Stack
from scripts.stack.system import start_stack
from topics.encoding import Message
from topics.errors import UserError
from topics.series import Series

app = typer.Typer(pretty_exceptions_enable=False)
console = Console(highlight=False)

PATIENCE_SECONDS = 120
PADDING = 400
"""Bytes that make a reading slow to read: a partition of such is read several times more slowly than the others."""


@dataclass(frozen=True)
class Case:
    """One way to run the readings. ``live``: by an unbounded job, while they are sent; else by a replay afterwards.

    ``pace``: ticks a second, None is full speed. ``slow``: the partition whose records are padded. ``killed``: the
    TaskManager is killed while the job runs, after a checkpoint.
    """

    name: str
    live: bool = False
    parallelism: int = 2
    partitions: int = 6
    pace: float | None = None
    slow: int | None = None
    killed: bool = False


CASES = (
    Case("replay", parallelism=1),
    Case("replay", parallelism=2),
    Case("replay", parallelism=4),
    Case("replay", parallelism=8),
    Case("replay", partitions=1),
    Case("replay", partitions=13),
    Case("replay, one slow", slow=0),
    Case("replay, killed", killed=True),
    Case("live, full speed", live=True),
    Case("live, {pace} ticks/s", live=True, pace=1),
    Case("live, killed", live=True, killed=True),
)


@dataclass(frozen=True)
class Outcome:
    """What came out: points, rejections, a digest of both to the last bit, points that pandas has otherwise."""

    points: int
    rejected: int
    digest: str
    wrong: int
    seconds: float


@app.command()
def main(
    days: Annotated[int, typer.Option(min=3, help="Days to simulate.")] = 30,
    sites: Annotated[int, typer.Option(min=1, help="Houses.")] = 20,
    pace: Annotated[float, typer.Option(min=1, help="Ticks of 15 minutes a second, of the case at live pace.")] = 200,
) -> None:
    """Run the same readings in eleven ways on the running stack, and compare the results bit by bit.

    Four readings of a hundred come again, some at once, some hours or days later and with another value.

    ``instances`` is the parallelism, ``late`` counts the rejected readings, ``wrong`` the points that pandas computes
    otherwise, ``s`` the seconds that it took. Exits with 1 when something differs. Topics and jobs of its own; needs
    8 free task slots (IOT_TASK_SLOTS).
    """
    settings = load_settings()
    stack = Stack(settings)
    start_stack(settings, console.print)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in ("run", "instances", "partitions", "points", "late", "wrong", "s", "SHA-256"):
        table.add_column(head, justify="left" if head in ("run", "SHA-256") else "right", no_wrap=True)
    digests = set()
    wrong = 0
    try:
        with console.status("") as status:
            for case, outcome in outcomes(stack, CASES, days=days, sites=sites, pace=pace, said=status.update):
                digests.add(outcome.digest)
                wrong += outcome.wrong
                table.add_row(
                    case.name.format(pace=f"{pace:g}"),
                    str(case.parallelism),
                    str(case.partitions),
                    f"{outcome.points:,}",
                    f"{outcome.rejected:,}",
                    f"{outcome.wrong:,}",
                    f"{outcome.seconds:.0f}",
                    outcome.digest[:8] if len(digests) == 1 else f"[red]{outcome.digest[:8]}[/]",
                )
    finally:
        warm.shut_down()
    console.print(table)
    if len(digests) > 1 or wrong:
        raise UserError("the results are not the same, or not those of pandas: please report this")
    console.print("all the same, to the last bit, and as pandas computes them")


def outcomes(
    stack: Stack,
    cases: tuple[Case, ...],
    *,
    days: int,
    sites: int,
    pace: float,
    said: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[Case, Outcome]]:
    """Run each case; the results of the days that are closed at the end of the simulation."""
    simulation = simulation_of(stack.settings, sites=sites)
    ticks = ticks_of(days)
    wanted = {
        key: points
        for key, points in oracle.expected(simulation, ticks, stack.settings).items()
        if key.split(":")[-1] not in simulation.catalogue  # raw series do not come from the job
    }
    with ExitStack() as cleaning:
        sent: dict[tuple[int, int | None], Settings] = {}
        for number, case in enumerate(cases):
            said(case.name.format(pace=f"{pace:g}"))
            began = time.monotonic()
            settings = stack.settings.replace(
                prefix=f"determinism-{case.partitions}-{case.slow}.",
                partitions=case.partitions,
                parallelism=case.parallelism,
                checkpoint_interval=timedelta(seconds=1),
            )
            if case.live:
                settings = settings.replace(prefix=f"determinism-live-{number}.")
                _create(settings, cleaning)
                own = _live(stack, settings, simulation, ticks, case, pace, wanted)
            else:
                where = (case.partitions, case.slow)
                if where not in sent:
                    _create(settings, cleaning)
                    _send(settings, simulation, ticks, case.slow)
                    sent[where] = settings
                own = _replayed(stack, settings, case, number, cleaning)
            yield case, _outcome(results.read(own), wanted, time.monotonic() - began)


def _create(settings: Settings, cleaning: ExitStack) -> None:
    admin.delete(settings)  # of a run that was interrupted
    cleaning.callback(admin.delete, settings)
    admin.create(settings)


def _send(settings: Settings, simulation: Simulation, ticks: int, slow: int | None) -> None:
    publisher = RepeatingPublisher(settings, simulation.catalogue)
    for first in range(0, ticks, 100):
        messages = Encoder(simulation, publisher.partitions, publisher.partition).messages(
            first, min(first + 100, ticks)
        )
        publisher.send(messages if slow is None else _padded(messages, slow))
    publisher.finish()


def _padded(messages: Iterator[Message], slow: int) -> Iterator[Message]:
    """Further fields of a reading are ignored, but must be read."""
    padding = b',"padding":"%s"}' % (b"x" * PADDING)
    for partition, key, value, headers in messages:
        longer = value[:-1] + padding if partition == slow else value
        yield partition, key, longer, headers


def _replayed(stack: Stack, settings: Settings, case: Case, number: int, cleaning: ExitStack) -> Settings:
    into = f"determinism-replay-{number}."
    own = settings.replace(prefix=into)
    cleaning.callback(replay.clear, own, SPEC)
    killed = not case.killed

    def watched(_progress: replay.Progress) -> None:
        nonlocal killed
        if not killed and cluster.last_checkpoint(own, cluster.find(own, SPEC).id):
            os.kill(stack.pid("taskmanager"), signal.SIGKILL)
            killed = True

    replay.run(settings, local_tools(settings), SPEC, replay.plan(settings), into, submit=warm.submit, report=watched)
    if not killed:
        raise UserError("the replay was over before its first checkpoint: give it more --sites")
    return own


def _live(
    stack: Stack,
    settings: Settings,
    simulation: Simulation,
    ticks: int,
    case: Case,
    pace: float,
    wanted: dict[str, oracle.Points],
) -> Settings:
    job = warm.submit(settings, local_tools(settings), SPEC)
    try:
        publisher = RepeatingPublisher(settings, simulation.catalogue)
        killed = not case.killed

        def half_way(progress: Progress) -> None:
            nonlocal killed
            if not killed and progress.tick >= ticks // 2:
                _wait(lambda: cluster.last_checkpoint(settings, job) is not None)
                os.kill(stack.pid("taskmanager"), signal.SIGKILL)
                killed = True

        speed = pace if case.pace else None
        run(simulation, publisher, ticks=ticks, ticks_per_second=speed, marks={}, report=half_way)
        _wait(lambda: not _outcome(results.read(settings), wanted, 0).wrong)
    finally:
        cluster.cancel(settings, job)
    return settings


def _wait(condition: Callable[[], bool]) -> None:
    """Return when it is so; after a while, when it is not so, too: the table tells."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.2)


def _outcome(found: Results, wanted: dict[str, oracle.Points], seconds: float) -> Outcome:
    points: dict[str, oracle.Points] = {}
    lines = []
    for result in found.found.values():
        series, site, sensor, _, ts = result.point
        points.setdefault(Series(series, site, sensor).key(), {})[ts] = result.value
        lines.append(f"{series} {site} {sensor} {ts} {result.value.hex()} {result.readings}")
    return Outcome(
        points=len(lines),
        rejected=found.rejected(),
        digest=hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest(),
        wrong=len(oracle.compare(points, wanted).differences),
        seconds=seconds,
    )


if __name__ == "__main__":
    terminal.run(app, "python -m scripts.determinism", hint)
