"""python -m scripts.overload: a producer that is faster than everything behind it, for minutes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Annotated

import psutil
import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from commands import terminal
from commands.simulate_session import simulation_of
from infrastructure.home import ROOT
from infrastructure.kafka.lag import LagReader
from infrastructure.redis.client import redis_client
from infrastructure.settings import Settings, load_settings
from producer.resume import marks
from producer.simulation import TICK_MS, TICKS_PER_DAY, Simulation, ticks_of
from scripts import oracle
from scripts.demo import refuse_to_mix
from scripts.stack.hints import hint
from scripts.stack.job import start_job
from scripts.stack.processes import processes
from scripts.stack.supervision import Stack
from scripts.stack.system import start_stack
from topics.errors import UserError
from topics.names import READINGS
from topics.series import RAW

app = typer.Typer(pretty_exceptions_enable=False)
console = Console(highlight=False)

PRODUCER_MEMORY = 512
"""Memory that the producer may take, MiB."""
SAMPLE_SECONDS = 1.0
PATIENCE_SECONDS = 30.0
"""A broker under such a load may take its time to answer."""
STALL_SECONDS = 120
"""When nothing has moved for so long, what is there is compared as it is."""
STOP_SECONDS = 60
CHUNK_TICKS = 500


@dataclass
class Watch:
    """What is seen of the system while it runs: memory in MiB, lag in records."""

    settings: Settings
    stack: Stack
    readers: dict[str, LagReader] = field(init=False)
    peak: Counter[str] = field(default_factory=Counter)
    most_behind: Counter[str] = field(default_factory=Counter)
    pids: dict[str, set[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        groups = {"job": self.settings.job.group, "ingest": self.settings.ingest.group}
        self.readers = {name: LagReader(self.settings, group, PATIENCE_SECONDS) for name, group in groups.items()}

    def close(self) -> None:
        """Leave Kafka."""
        for reader in self.readers.values():
            reader.close()

    def memory(self, name: str, pid: int) -> None:
        """Note the memory of one process."""
        try:
            self.peak[name] = max(self.peak[name], psutil.Process(pid).memory_info().rss // 2**20)
        except psutil.NoSuchProcess:
            return
        self.pids.setdefault(name, set()).add(pid)

    def look(self) -> tuple[int, dict[str, int]]:
        """Note the memory of the stack's processes; returns the records sent, and how many each reader is behind."""
        for state in self.stack.states():
            if state["pid"]:
                self.memory(state["name"], state["pid"])
        topic = self.settings.prefix + READINGS
        partitions = [(topic, partition) for partition in range(self.settings.partitions)]
        behind = {name: reader.lag(partitions)[topic] for name, reader in self.readers.items()}
        for name, records in behind.items():
            self.most_behind[name] = max(self.most_behind[name], records)
        return sum(ends.next for ends in self.readers["job"].ends(partitions).values()), behind


@app.command()
def main(
    minutes: Annotated[float, typer.Option(min=0.1, help="How long the producer runs at full speed.")] = 10,
    sites: Annotated[int, typer.Option(min=1, help="Houses.")] = 200,
    seed: Annotated[int, typer.Option(help="Names the values.")] = 1,
    compared: Annotated[int, typer.Option(min=1, help="Houses whose series are compared with pandas.")] = 3,
) -> None:
    """Let the producer run at full speed for minutes, and see that nothing is lost and no process outgrows its limit.

    Starts the system, which must be empty. In the end, when the lag has drained: the number of raw points equals the
    number of readings of the simulation, every series of some houses equals what pandas computes, and no process was
    restarted. Memory in MiB, lag in records. Exits with 1 when something is not so. A point takes about 10 bytes of
    IOT_REDIS_MEMORY: ten minutes want 2g.
    """
    settings = load_settings()
    simulation = simulation_of(settings, seed=seed, sites=sites)
    with console.status("starting") as status:
        watch = Watch(settings, start_stack(settings, status.update))
        refuse_to_mix(settings)
        start_job(settings, status.update)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[counts]}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("producing", total=minutes * 60, counts="")

        def show(sent: int, behind: dict[str, int]) -> None:
            lag = ", ".join(f"{name} {records:,} behind" for name, records in behind.items())
            bar.update(task, counts=f"{sent:,} records sent, {lag}")

        began = time.monotonic()
        _produce(watch, sites, seed, minutes * 60, lambda seconds: bar.update(task, completed=seconds), show)
        ticks = _round_off(settings, simulation, sites, seed)
        produced = time.monotonic() - began
        bar.update(task, description="draining ", total=None)
        drained = _drain(watch, show)
    sent, _ = watch.look()
    watch.close()
    wrong = _compare(settings, simulation, ticks, compared)
    _show(watch, sent, produced, drained)
    over = [name for name, limit in _limits(settings).items() if watch.peak[name] > limit]
    wrong += [f"{name} took {watch.peak[name]:,} MiB" for name in over]
    wrong += [f"{name} was restarted" for name, pids in watch.pids.items() if len(pids) > 1]
    for line in wrong[:20]:
        console.print(f"[red]{line}[/]")
    if not wrong:
        console.print("[bold green]nothing lost, nothing beyond its limit[/]")
    raise typer.Exit(1 if wrong else 0)


def _command(sites: int, seed: int, *options: str) -> list[str]:
    return [sys.executable, "-m", "producer", "--speed", "max", "--sites", str(sites), "--seed", str(seed), *options]


def _produce(
    watch: Watch,
    sites: int,
    seed: int,
    seconds: float,
    elapsed: Callable[[float], None],
    show: Callable[[int, dict[str, int]], None],
) -> None:
    """Let the producer run for so long, as the process that a user starts, and then stop it in order."""
    environment = {**psutil.Process().environ(), **watch.settings.environment()}
    producer = subprocess.Popen(_command(sites, seed), cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        began = time.monotonic()
        while (now := time.monotonic() - began) < seconds and producer.poll() is None:
            watch.memory("producer", producer.pid)
            show(*watch.look())
            elapsed(now)
            time.sleep(SAMPLE_SECONDS)
        producer.send_signal(signal.SIGINT)
        if producer.wait(STOP_SECONDS):
            raise UserError(f"the producer ended with {producer.returncode}: `iot logs` may tell why")
    finally:
        if producer.poll() is None:
            producer.kill()
            producer.wait()


def _round_off(settings: Settings, simulation: Simulation, sites: int, seed: int) -> int:
    """Send the rest of the day in which the producer was stopped; returns the ticks that were sent in all."""
    found = marks(settings, settings.prefix + READINGS, simulation.identity)
    last = (max(mark.tick for mark in found.values()) - simulation.start) // TICK_MS
    days = max(1, -(-(last - 1) // TICKS_PER_DAY))
    environment = {**psutil.Process().environ(), **settings.environment()}
    done = subprocess.run(
        _command(sites, seed, "--days", str(days)), cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    )
    if done.returncode:
        raise UserError(f"the producer ended with {done.returncode}")
    return ticks_of(days)


def _drain(watch: Watch, show: Callable[[int, dict[str, int]], None]) -> float:
    """Wait until nobody is behind any more, or nothing moves; returns the seconds that it took."""
    began = moved = time.monotonic()
    least: dict[str, int] = {}
    while time.monotonic() - moved < STALL_SECONDS:
        sent, behind = watch.look()
        show(sent, behind)
        if behind != least:
            least, moved = behind, time.monotonic()
        if not any(behind.values()):
            break
        time.sleep(SAMPLE_SECONDS)
    return time.monotonic() - began


def _compare(settings: Settings, simulation: Simulation, ticks: int, compared: int) -> list[str]:
    """What is wrong with what is stored."""
    readings = sum(
        len(simulation.readings(first, min(first + CHUNK_TICKS, ticks)).tick) for first in range(0, ticks, CHUNK_TICKS)
    )
    stored = _raw_points(settings)
    console.print(f"{readings:,} readings were simulated, {stored:,} raw points are stored")
    wrong = [] if readings == stored else [f"{readings - stored:,} raw points are missing"]
    some = simulation.sites[:: max(1, len(simulation.sites) // compared)][:compared]
    wanted = oracle.expected(replace(simulation, sites=some), ticks, settings)
    deadline = time.monotonic() + STALL_SECONDS
    # The last aggregates come a moment after the job has read the last reading.
    while (differing := oracle.compare(oracle.stored(settings, some), wanted).differences) and (
        time.monotonic() < deadline
    ):
        time.sleep(SAMPLE_SECONDS)
    points = sum(map(len, wanted.values()))
    console.print(f"{points:,} points in {len(wanted)} series of {len(some)} houses compared with pandas")
    return wrong + differing


def _raw_points(settings: Settings) -> int:
    with redis_client(settings.redis, "viewer") as client:
        keys = client.execute_command("TS.QUERYINDEX", f"series={RAW}", f"prefix={settings.prefix}")
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            pipeline.execute_command("TS.INFO", key)
        return sum(dict(zip(flat[::2], flat[1::2], strict=True))[b"totalSamples"] for flat in pipeline.execute())


def _limits(settings: Settings) -> dict[str, int]:
    return {"producer": PRODUCER_MEMORY, **{process.name: process.memory for process in processes(settings)}}


def _show(watch: Watch, sent: int, produced: float, drained: float) -> None:
    table = Table("process", "most memory (MiB)", "limit (MiB)", "most behind (records)", box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    behind = {"taskmanager": "job", "ingest": "ingest"}
    for name, limit in _limits(watch.settings).items():
        most = watch.most_behind[behind[name]] if name in behind else None
        table.add_row(name, f"{watch.peak[name]:,}", f"{limit:,}", "" if most is None else f"{most:,}")
    console.print(table)
    console.print(
        f"{sent:,} records in {produced:,.0f} s ({sent / produced:,.0f}/s), the rest drained in {drained:,.0f} s more"
    )


if __name__ == "__main__":
    terminal.run(app, "python -m scripts.overload", hint)
