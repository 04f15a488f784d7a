"""python -m scripts.bench.deduplication: what it costs to count a reading that is delivered twice only once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from commands import terminal
from commands.simulate_session import simulation_of
from infrastructure.kafka import admin
from infrastructure.kafka.publisher import Publisher
from infrastructure.settings import Settings, load_settings, milliseconds
from jobs.daily_aggregates import SPEC
from operations import replay
from producer.encoder import Encoder
from producer.simulation import TICKS_PER_DAY, Simulation
from scripts import oracle, warm
from scripts.bench import bounded
from scripts.bench.bounded import Declaration
from scripts.repeats import Repeats
from scripts.stack.hints import hint
from scripts.stack.supervision import Stack
from scripts.stack.system import start_stack
from topics.errors import UserError

app = typer.Typer(pretty_exceptions_enable=False)
console = Console(highlight=False)

FORMS = Path(__file__).with_name("forms")
PREFIX = "bench-deduplication."
CHECKPOINTS = timedelta(seconds=2)
"""Often enough that the last one holds all but a little."""


@dataclass(frozen=True)
class Form:
    """A way to find duplicates: the file that defines the view ``clocked``, in place of the job's clock.sql.

    ``memory``: for how long after a day's end its readings are remembered, in place of the job's, ms. ``exact``: its
    results are to be those of pandas. What spreads a sensor's readings over instances loses their order, on which every
    verdict rests.
    """

    clock: Path | None
    exact: bool = True
    memory: int | None = None


@dataclass(frozen=True)
class Cost:
    """What a run took: wall and processor seconds, the largest checkpoint in bytes, results that are wrong."""

    seconds: float
    processor: float
    state: int
    wrong: int


def forms(settings: Settings) -> dict[str, Form]:
    """Those that are compared, by name."""
    late = milliseconds(settings.time.allowed_lateness + settings.time.watermark_delay)
    return {
        "none": Form(FORMS / "none.sql", exact=False),
        "job": Form(None),
        "job, only L": Form(None, exact=False, memory=late),
        "row_number": Form(FORMS / "row_number.sql", exact=False),
        "count": Form(FORMS / "count.sql", exact=False),
        "bitmap": Form(FORMS / "bitmap.sql", exact=False),
        "count_distinct": Form(FORMS / "count_distinct.sql"),
    }


@app.command()
def main(
    readings: Annotated[int, typer.Option(min=1, help="Readings, about, besides the repeated ones.")] = 3_000_000,
    sites: Annotated[int, typer.Option(min=1, help="Houses of ten sensors.")] = 500,
    only: Annotated[list[str] | None, typer.Option("--form", help="A form to run.", show_default="all")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Each form runs so many times; the fastest counts.")] = 1,
    check: Annotated[bool, typer.Option(help="Compare results with pandas.")] = True,
) -> None:
    """Run the whole job over the same readings, of which 4 % come again, with several ways to find duplicates.

    The forms take turns, so that what else the machine does weighs on all of them. ``processor`` is the TaskManager's
    time for a record; ``state`` the largest checkpoint. Exits with 1 when a form that is to be exact is not. Topics and
    jobs of its own.
    """
    settings = load_settings()
    chosen = {name: form for name, form in forms(settings).items() if not only or name in only}
    if unknown := sorted(set(only or ()) - chosen.keys()):
        raise UserError(f"there is no form {', '.join(unknown)}: {', '.join(forms(settings))} are there")
    stack = Stack(settings)
    start_stack(settings, console.print)
    simulation = simulation_of(settings, sites=sites)
    per_day = len(simulation.readings(0, TICKS_PER_DAY).ts)
    days = max(3, round(readings / per_day))
    own = settings.replace(prefix=PREFIX, checkpoint_interval=CHECKPOINTS)
    best: dict[str, Cost] = {}
    try:
        sent = _fill(own, simulation, days)
        wanted = _wanted(settings, simulation, days) if check else None
        for turn in range(rounds):
            for name, form in chosen.items():
                cost = _run(
                    stack, own, form, simulation.time((days - 1) * TICKS_PER_DAY), wanted if turn == 0 else None
                )
                console.print(f"{name:<16} {cost or 'given up'}", soft_wrap=True)
                if cost:
                    best[name] = _better(best.get(name, cost), cost)
    finally:
        warm.shut_down()
        admin.delete(own)
    console.print(f"\n{sent:,} records of {sites * len(simulation.catalogue):,} sensors in {days} days\n")
    _show(best, sent, sites * len(simulation.catalogue))
    if any(name not in best or best[name].wrong for name, form in chosen.items() if form.exact):
        raise UserError("results are wrong: please report this")


def _fill(settings: Settings, simulation: Simulation, days: int) -> int:
    admin.delete(settings)  # of a run that was interrupted
    admin.create(settings)
    publisher = Publisher(settings, simulation.catalogue)
    encoder, repeats = Encoder(simulation, publisher.partitions, publisher.partition), Repeats()
    began = time.monotonic()
    ticks = days * TICKS_PER_DAY + 2
    step = max(1, 20_000 // len(simulation.sites) // len(simulation.catalogue))
    for first in range(0, ticks, step):
        publisher.send(repeats.into(encoder.messages(first, min(first + step, ticks))))
    publisher.finish()
    seconds = time.monotonic() - began
    console.print(f"{publisher.sent:,} records sent in {seconds:.0f} s, {repeats.repeated:,} of them repeat another")
    return publisher.sent


def _wanted(settings: Settings, simulation: Simulation, days: int) -> dict[str, oracle.Points]:
    expected = oracle.expected(simulation, days * TICKS_PER_DAY + 2, settings.replace(prefix=""))
    return {key: points for key, points in expected.items() if key.split(":")[-1] not in simulation.catalogue}


def _run(
    stack: Stack, settings: Settings, form: Form, last_day: int, wanted: dict[str, oracle.Points] | None
) -> Cost | None:
    """Its cost, None when it was given up."""
    replay.clear(settings, SPEC)
    admin.create(settings)
    declaration = Declaration(
        files=tuple(form.clock or file if file.stem.endswith("clock") else file for file in SPEC.files),
        values={} if form.memory is None else {"memory_ms": str(form.memory)},
    )
    cost = bounded.run(settings, stack.pid("taskmanager"), declaration, bounded.everything(settings, last_day))
    if cost is None:
        return None
    wrong = len(oracle.compare(oracle.published(settings), wanted).differences) if wanted is not None else 0
    return Cost(cost.seconds, cost.processor, cost.state, wrong)


def _better(one: Cost, other: Cost) -> Cost:
    return Cost(
        min(one.seconds, other.seconds),
        min(one.processor, other.processor),
        max(one.state, other.state),
        max(one.wrong, other.wrong),
    )


def _show(costs: dict[str, Cost], records: int, sensors: int) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in ("form", "records/s", "processor (µs)", "state (MiB)", "a sensor (B)", "wrong"):
        table.add_column(head, justify="left" if head == "form" else "right", no_wrap=True)
    for name, cost in costs.items():
        table.add_row(
            name,
            f"{records / cost.seconds:,.0f}",
            f"{cost.processor / records * 1e6:.2f}",
            f"{cost.state / 2**20:,.1f}",
            f"{cost.state / sensors:,.0f}",
            f"{cost.wrong:,}",
        )
    console.print(table)


if __name__ == "__main__":
    terminal.run(app, "python -m scripts.bench.deduplication", hint)
