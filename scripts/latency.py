"""python -m scripts.latency: how long after a day's end its aggregates are in Redis, at the original pace."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from commands import terminal
from commands.simulate_session import simulation_of
from infrastructure.kafka.publisher import Publisher
from infrastructure.redis.client import redis_client
from infrastructure.settings import Settings, load_settings
from producer.encoder import Encoder
from producer.simulation import TICKS_PER_DAY, Simulation, ticks_of
from scripts import oracle
from scripts.demo import refuse_to_mix
from scripts.stack.hints import hint
from scripts.stack.job import start_job
from scripts.stack.system import start_stack
from topics.series import DERIVED

app = typer.Typer(pretty_exceptions_enable=False)
console = Console(highlight=False)

SLOW_TICKS = 8
"""Ticks at the end of each day that are sent at the original pace; nothing closes in those before."""
PERCENTILE = 0.95
LIMIT = 2.5
GIVE_UP_SECONDS = 30


@app.command()
def main(
    days: Annotated[int, typer.Option(min=2, help="Days whose ends are measured.")] = 10,
    speed: Annotated[float, typer.Option(min=0.01, help="Ticks a second around each day's end.")] = 1.0,
) -> None:
    """Measure the time from sending the first reading past a day's end + B until each aggregate of the day is in Redis.

    Two hours before each midnight the simulation falls back from full speed to the original pace. Seconds, for every
    aggregate of every day; exits with 1 when the 95th percentile is above 2.5 s.
    """
    settings = load_settings()
    simulation = simulation_of(settings)
    with console.status("starting") as status:
        start_stack(settings, status.update)
        refuse_to_mix(settings)
        start_job(settings, status.update)
    waited: dict[str, list[float]] = {kind: [] for kind in DERIVED}
    for kind, seconds in _measure(settings, simulation, days, speed):
        waited[kind].append(seconds)
    table = Table("series", "aggregates", "median (s)", "95 % (s)", "worst (s)", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    everything = [seconds for times in waited.values() for seconds in times]
    for kind, times in [*waited.items(), ("all", everything)]:
        table.add_row(kind, str(len(times)), *(f"{seconds:.2f}" for seconds in _summary(times)))
    console.print(table)
    _, most, _ = _summary(everything)
    console.print(f"95 % of the aggregates within {most:.2f} s; the bar is {LIMIT} s")
    raise typer.Exit(0 if most <= LIMIT else 1)


def _measure(settings: Settings, simulation: Simulation, days: int, speed: float) -> Iterator[tuple[str, float]]:
    publisher = Publisher(settings, simulation.catalogue)
    encoder = Encoder(simulation, publisher.partitions, publisher.partition)
    wanted = oracle.expected(simulation, ticks_of(days), settings)
    tick = 0
    with redis_client(settings.redis, "viewer") as client:
        for day in track(range(days), description="days", console=console):
            closing = (day + 1) * TICKS_PER_DAY + 1
            publisher.send(encoder.messages(tick, closing - SLOW_TICKS))
            publisher.finish()
            for slow in range(closing - SLOW_TICKS, closing + 1):
                publisher.poll()
                time.sleep(1 / speed)
                sent = time.monotonic()
                publisher.send(encoder.messages(slow, slow + 1))
            tick = closing + 1
            start = simulation.time(day * TICKS_PER_DAY)
            awaited = {key for key, points in wanted.items() if start in points and _kind(key, settings)}
            while awaited and time.monotonic() - sent < GIVE_UP_SECONDS:
                pipeline = client.pipeline(transaction=False)
                for key in (asked := sorted(awaited)):
                    pipeline.execute_command("TS.RANGE", key, start, start)
                now = time.monotonic()
                for key, points in zip(asked, pipeline.execute(raise_on_error=False), strict=True):
                    if isinstance(points, list) and points:
                        awaited.discard(key)
                        yield _kind(key, settings), now - sent
            for key in awaited:
                yield _kind(key, settings), float(GIVE_UP_SECONDS)
            publisher.finish()


def _kind(key: str, settings: Settings) -> str:
    """Kind of a derived series by its key, the longest name that fits; empty for another series."""
    name = key.removeprefix(settings.prefix)
    return max((kind for kind in DERIVED if name.startswith(kind)), key=len, default="")


def _summary(times: list[float]) -> tuple[float, float, float]:
    if not times:
        return (float("nan"),) * 3
    return statistics.median(times), sorted(times)[min(len(times) - 1, int(len(times) * PERCENTILE))], max(times)


if __name__ == "__main__":
    terminal.run(app, "python -m scripts.latency", hint)
