"""The whole way: the producer at full speed, the job and the bridge behind it, until the last result is in Redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from infrastructure.kafka import admin
from infrastructure.settings import Settings
from jobs import cluster
from jobs.daily_aggregates import SPEC
from jobs.tools import local_tools
from scripts import oracle, warm
from scripts.bench import bridge_run, ingest, producer
from scripts.bench.dataset import Dataset
from scripts.bench.footprint import Memory
from scripts.bench.measure import Contender, Goal, Measuring, Outcome, Row, Stage, median
from topics.series import RAW

SHARE = 0.8


def stage(measuring: Measuring, data: Dataset, alone: list[Row], memory: Memory) -> Stage:
    """Readings a second from the first one sent to the last point stored; ``alone``: the stages for themselves."""
    run = Run(data, memory)
    rows = measuring.take_turns([Contender("end to end", "ours", run.once, note="all on the same cores")])
    goals = []
    if alone := [row for row in alone if row.values]:
        slowest = min(alone, key=lambda row: median(row.values))
        goals = [
            Goal(f"end to end / {slowest.name} alone", [v / median(slowest.values) for v in rows[0].values], SHARE)
        ]
    return Stage(
        "end_to_end",
        "End to end",
        rows,
        goals,
        [f"{data.readings:,} readings of {data.sensors:,} sensors, {data.days} days"],
    )


class Run:
    """Sends a dataset through a live job and a bridge, and sees what memory that takes."""

    def __init__(self, data: Dataset, memory: Memory) -> None:
        self._data = data
        self._memory = memory
        self._derived = data.expected()

    def once(self) -> Outcome:
        """One run over empty topics and series."""
        data, settings = self._data, self._data.settings
        with live(settings):
            if not self._memory.rest:
                self._memory.settle()
            writes = bridge_run.Writes(settings)
            sending = producer.start(settings, "ours", data)
            try:
                with self._memory.watching():
                    _, ended = bridge_run.watch(writes, lambda: sending.poll() is not None and not self._differing())
            except BaseException:  # Ctrl-C among them: nobody waits for what it would still send
                sending.kill()
                sending.communicate()
                raise
            sent = producer.finished(sending)
            writes.close()
            errors = self._differing() + ingest.wrong(data)
        return Outcome(data.readings / (ended - sent.began), data.readings, errors=errors)

    def _differing(self) -> list[str]:
        """What of the derived series is not as it must be."""
        settings = self._data.settings
        if not bridge_run.caught_up(settings):
            return ["the bridge is behind"]
        found = oracle.stored(settings, kinds=[kind for kind in oracle.KINDS if kind != RAW])
        wanted = {settings.prefix + key: points for key, points in self._derived.items()}
        return oracle.compare(found, wanted).differences


@contextmanager
def live(settings: Settings) -> Iterator[None]:
    """Empty topics, the live job, bridge and exporter; all of it is gone when the block is left."""
    admin.delete(settings)
    admin.create(settings)
    ingest.clear(settings)
    job = warm.submit(settings, local_tools(settings), SPEC)
    try:
        with bridge_run.running(settings, bridge_run.BRIDGE), bridge_run.running(settings, bridge_run.EXPORTER):
            yield
    finally:
        cluster.cancel(settings, job)
        admin.delete(settings)
        ingest.clear(settings)
