"""What a reading costs as the work grows: more sensors, more task slots, more days open."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import psutil

from infrastructure.kafka import admin
from infrastructure.settings import Settings, milliseconds
from jobs.bounds import Bounds
from jobs.daily_aggregates import SPEC
from operations import replay
from scripts.bench import bounded
from scripts.bench.bounded import THE_JOB, Declaration
from scripts.bench.dataset import Dataset
from scripts.bench.ground import Ground
from scripts.bench.measure import Contender, Goal, Measuring, Outcome, Row, Stage, ratios
from scripts.oracle import Points, compare, published
from topics import catalogue

GROWS = 1.2
"""The time a reading takes may grow by so much."""
CHECKPOINTS = timedelta(seconds=2)
"""Where the state is small: often enough that the largest one holds nearly all."""
ENOUGH = 5
"""So many checkpoints in a run, and the largest one tells what the state is."""
READINGS_A_SITE_AND_DAY = 682
FEWEST_DAYS = 3
SLOTS = (1, 2, 4)
STATE = "state, B/sensor-day"
MEMORY = "TaskManager, MiB"
UNIT = "µs/reading"


def stage(
    measuring: Measuring, ground: Ground, readings: int, sites: tuple[int, ...], days_open: tuple[int, ...]
) -> Stage:
    """About ``readings`` each time. Raises ``WrongResultError``."""
    rows, goals = [], []
    for axis, contenders in (
        ("task slots", _slots(ground, readings)),
        ("sensors", _sensors(ground, readings, sites)),
        ("days open", _days_open(ground, readings, days_open)),
    ):
        found = _axis(measuring, contenders)
        rows += found
        goals.append(Goal(f"time a reading, most to fewest {axis}", ratios(found[-1], found[0]), GROWS, at_least=False))
    shipped = ground.settings.job.checkpoint_interval
    notes = [
        f"about {readings:,} readings each, and at least {FEWEST_DAYS} days; results of every run compared",
        f"a checkpoint every {CHECKPOINTS.seconds} s; where sensors grow, every {shipped.seconds} s, as shipped",
    ]
    return Stage("growth", "Cost as work grows", rows, goals, notes)


def _axis(measuring: Measuring, runs: list[tuple[str, Dataset, Callable[[], Outcome]]]) -> list[Row]:
    for data in {data.name: data for _, data, _ in runs}.values():
        data.fill(measuring.said)
    contenders = [
        Contender(name, "ours", run, UNIT, warm=run if n == 0 else None) for n, (name, _, run) in enumerate(runs)
    ]
    rows = measuring.take_turns(contenders)
    for data in {data.name: data for _, data, _ in runs}.values():
        admin.delete(data.settings)
    return rows


def _sensors(ground: Ground, readings: int, sites: tuple[int, ...]) -> list[tuple[str, Dataset, Callable[[], Outcome]]]:
    found = []
    for count in sites:
        days = max(FEWEST_DAYS, round(readings / count / READINGS_A_SITE_AND_DAY))
        data = Dataset(ground.settings, f"sensors-{count}", count, days)
        found.append((f"{data.sensors:,} sensors, {days:,} days", data, _run(ground, data, data.settings)))
    return found


def _slots(ground: Ground, readings: int) -> list[tuple[str, Dataset, Callable[[], Outcome]]]:
    data = _middle(_often(ground.settings), "slots", readings, 10)
    runs = []
    for slots in SLOTS:
        own = data.settings.replace(parallelism=slots)
        runs.append((f"{slots} task slots", data, _run(ground, data, own)))
    return runs


def _days_open(
    ground: Ground, readings: int, days_open: tuple[int, ...]
) -> list[tuple[str, Dataset, Callable[[], Outcome]]]:
    """L is what it is, or as long as the day is open; C is the rest."""
    runs = []
    for days in days_open:
        settings = _often(ground.settings)
        late = min(settings.time.allowed_lateness, timedelta(days=days))
        rest = max(timedelta(days=days) - late, timedelta(seconds=1))
        own = settings.replace(allowed_lateness=late, catch_up=rest)
        data = _middle(own, "open", readings, days_open[-1] + 10)
        runs.append((f"{days} days open", data, _run(ground, data, data.settings, aligned=True)))
    return runs


def _middle(settings: Settings, name: str, readings: int, days: int) -> Dataset:
    """A dataset of so many days, with as many houses as the readings are enough for."""
    return Dataset(settings, name, max(1, round(readings / days / READINGS_A_SITE_AND_DAY)), days)


def _often(settings: Settings) -> Settings:
    return settings.replace(checkpoint_interval=CHECKPOINTS)


def _run(ground: Ground, data: Dataset, settings: Settings, *, aligned: bool = False) -> Callable[[], Outcome]:
    """One bounded run with these settings. ``aligned``: windows are given up in time, as in a live run."""
    wanted: list[dict[str, Points]] = []

    def run() -> Outcome:
        if not wanted:
            wanted.append(data.expected())
        replay.clear(settings, SPEC)
        admin.create(settings)
        bounds = bounded.everything(settings, data.last_day)
        declaration = _aligned(settings, bounds) if aligned else THE_JOB
        process = psutil.Process(ground.stack.pid("taskmanager"))
        cost = bounded.run(settings, process.pid, declaration, bounds)
        assert cost is not None
        errors = compare(published(settings), wanted[0]).differences
        open_days = min(
            data.days, -(-(settings.time.allowed_lateness + settings.time.catch_up) // timedelta(days=1)) + 1
        )
        more = {
            MEMORY: process.memory_info().rss / 2**20,
            "processor, µs/reading": cost.processor / data.readings * 1e6,
        }
        if cost.seconds >= ENOUGH * settings.job.checkpoint_interval.total_seconds():
            more[STATE] = cost.state / (data.sensors * open_days)
        return Outcome(cost.seconds / data.readings * 1e6, data.readings, errors=errors, more=more)

    return run


def _aligned(settings: Settings, bounds: Bounds) -> Declaration:
    values = SPEC.arguments(settings, catalogue.read(settings.sensors), bounds)
    live = SPEC.arguments(settings, catalogue.read(settings.sensors), None)
    together = [option for option in live["scan"].split(",\n") if "alignment" in option]
    return Declaration(
        values={
            "scan": ",\n".join([values["scan"], *together]),
            "open_ms": str(milliseconds(settings.time.allowed_lateness + settings.time.catch_up)),
        }
    )
