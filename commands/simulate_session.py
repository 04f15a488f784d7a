"""One run of the simulation for its user: progress, signals, and how it ends."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from commands.simulate import START
from infrastructure import logs, metrics_endpoint
from infrastructure.kafka import offsets
from infrastructure.kafka.publisher import Publisher
from infrastructure.kafka.watchdog import ClientStuckError
from infrastructure.settings import Settings, load_settings, milliseconds
from operations import clock
from producer import run
from producer.health import ProducerHealth
from producer.metrics import ProducerMetrics
from producer.resume import Mark, marks
from producer.simulation import Simulation, site_names, ticks_of
from topics import catalogue, wording
from topics.days import DAY_MS
from topics.errors import UserError
from topics.names import READINGS

console = Console(stderr=True)
log = logs.get(__name__)


def simulate(*, days: int | None, start: str, speed: str, seed: int, sites: int, sensors: Path | None) -> None:
    """Simulate until the days are over, or until Ctrl-C; the parameters are the options of the command."""
    # A second client beside a stuck one could not know whether what is not acknowledged is there: a process that
    # starts as this one did reads it from the topic.
    try:
        _simulate(days=days, start=start, speed=speed, seed=seed, sites=sites, sensors=sensors)
    except ClientStuckError as error:
        log.warning("Kafka client is stuck, restarting this process", error=str(error))
        os.execv(sys.executable, sys.orig_argv)


def _simulate(*, days: int | None, start: str, speed: str, seed: int, sites: int, sensors: Path | None) -> None:
    settings = load_settings(sensors=sensors)
    ticks_per_second = parse_speed(speed)
    logs.configure(settings.monitoring.log_format)
    simulation = simulation_of(settings, start=start, seed=seed, sites=sites)
    publisher = Publisher(settings, simulation.catalogue)
    before = marks(settings, publisher.topic, simulation.identity)
    check_clock(settings, simulation, before)
    if before:
        last = datetime.fromtimestamp(max(mark.tick for mark in before.values()) / 1000, UTC)
        console.print(f"going on after {last:%Y-%m-%d %H:%M} UTC, where an earlier run stopped")
    ticks = None if days is None else ticks_of(days)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[counts]}"), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("simulating", total=ticks, counts="")

        def report(progress: run.Progress) -> None:
            metrics.progress = progress
            day = simulation.time(progress.tick) // 1000
            counts = f"{described(progress)}  {_date(day)}"
            bar.update(task, completed=progress.tick, counts=counts)

        metrics = ProducerMetrics(simulation, publisher, ticks_per_second)
        health = ProducerHealth(settings.kafka, publisher)
        health.watch()
        metrics_endpoint.serve(
            metrics, settings.monitoring.host, settings.monitoring.producer_port, "IOT_PRODUCER_METRICS", health
        )
        _stop_in_order(publisher)
        began = time.monotonic()
        run.run(simulation, publisher, ticks=ticks, ticks_per_second=ticks_per_second, marks=before, report=report)
    seconds = time.monotonic() - began
    if ticks is not None and not publisher.sent:
        console.print("nothing to send: these days are there already")
        return
    done = run.Progress(0, publisher.sent, publisher.heartbeats, publisher.acknowledged)
    console.print(f"{described(done)}, in {seconds:.1f} s ({publisher.sent / seconds:,.0f}/s)", highlight=False)


def check_clock(settings: Settings, simulation: Simulation, before: Mapping[int, Mark]) -> None:
    """Raise ``UserError`` when the stream is so far ahead of the simulation that all of it would be rejected."""
    ends = offsets.end_offsets(settings.kafka, settings.prefix + READINGS)
    stream = clock.watermark(settings, simulation.catalogue, ends)
    begins = max((mark.tick for mark in before.values()), default=simulation.start)
    lateness = milliseconds(settings.time.allowed_lateness + settings.time.catch_up)
    if stream is not None and begins + lateness + DAY_MS < stream:
        raise UserError(
            f"{settings.prefix}{READINGS} has readings of {wording.minute(stream)}, and the simulation would begin at "
            f"{wording.minute(begins)}: its readings would be rejected. Empty the system first (`iot reset`), or set "
            "IOT_PREFIX for topics apart."
        )


def described(progress: run.Progress) -> str:
    """How much was sent, and whether all of it has arrived."""
    readings = progress.sent - progress.heartbeats
    waiting = progress.sent - progress.acknowledged
    arrived = f"{waiting:,} not acknowledged yet" if waiting else "all acknowledged"
    return f"{readings:,} readings and {progress.heartbeats:,} heartbeats sent, {arrived}"


def simulation_of(settings: Settings, *, start: str = START, seed: int = 1, sites: int = 1) -> Simulation:
    """What the command simulates with these options, or their defaults. Raises ``UserError`` for ``start``."""
    return Simulation(catalogue.read(settings.sensors), seed, parse_start(start), site_names(sites))


def parse_start(text: str) -> int:
    """A date as epoch milliseconds, UTC. Raises ``UserError`` for anything else, and for a date before 1971."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise UserError(f"--start {text}: give a date as YYYY-MM-DD") from None
    if day < datetime(1971, 1, 1, tzinfo=UTC):
        raise UserError(
            f"--start {text}: late readings of the days before it would be older than 1970; give a later one"
        )
    return int(day.timestamp()) * 1000


def parse_speed(text: str) -> float | None:
    """Ticks a second, None for ``max``. Raises ``UserError`` for what is neither."""
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0
    if not 0 < speed < float("inf"):
        raise UserError(f"--speed {text}: give a number above zero, or max")
    return speed


def _date(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


def _stop_in_order(publisher: Publisher) -> None:
    """The first Ctrl-C or SIGTERM ends the run when what is under way has arrived, the second one at once."""

    def stop(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        publisher.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
