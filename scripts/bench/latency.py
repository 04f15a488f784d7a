"""How long it takes, at a steady 1,000 readings a second, from sending to Redis: raw points, and a day's aggregates.

Everything is sent and looked for by one thread: a look takes what it asks for in one command, and nobody else is asked.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from infrastructure.kafka.publisher import Publisher
from infrastructure.redis.client import redis_client
from producer.encoder import Encoder
from producer.simulation import TICKS_PER_DAY
from scripts import oracle
from scripts.bench import bridge_run, ingest
from scripts.bench.dataset import Dataset
from scripts.bench.end_to_end import live
from scripts.bench.measure import Goal, Row, Stage, percentile
from topics.series import DERIVED, RAW, Series

READINGS_A_SECOND = 1_000
SITES = 14
RAW_BAR, AGGREGATE_BAR = 0.1, 1.5
"""Seconds: 99 % of the raw points, and of the aggregates, are to be there."""
LOOK_SECONDS = 0.002
SLOW_LOOK_SECONDS = 0.02
GIVE_UP_SECONDS = 30
SHARES = {"95 %, s": 0.95, "99 %, s": 0.99, "longest, s": 1.0}
SETTLING_TICKS = 60
"""Ticks (some seconds) at the beginning that are not looked for: the bridge is still joining its group."""


@dataclass
class Waiting:
    """Points that are looked for: by key the times (epoch ms) that are not there yet, and when each was sent."""

    sent: dict[tuple[str, int], float] = field(default_factory=dict)
    took: list[float] = field(default_factory=list)

    def look(self, client: Any) -> None:
        """Ask for all of them at once."""
        if not self.sent:
            return
        pipeline = client.pipeline(transaction=False)
        for key, ts in self.sent:
            pipeline.execute_command("TS.RANGE", key, ts, ts)
        answers = pipeline.execute(raise_on_error=False)
        now = time.monotonic()
        for place, answer in zip(list(self.sent), answers, strict=True):
            if isinstance(answer, list) and answer:
                self.took.append(now - self.sent.pop(place))
            elif now - self.sent[place] > GIVE_UP_SECONDS:
                self.sent.pop(place)
                self.took.append(float(GIVE_UP_SECONDS))


def stage(data: Dataset) -> Stage:
    """Send the dataset, of ``SITES`` houses, at its pace. Raises ``WrongResultError``."""
    raw, aggregates = Waiting(), Waiting()
    wanted = data.expected()
    with live(data.settings), redis_client(data.settings.redis, "viewer") as client:
        _send(data, client, raw, aggregates, wanted)
        writes = bridge_run.Writes(data.settings)
        bridge_run.watch(writes, lambda: bridge_run.caught_up(data.settings))
        writes.close()
        errors = ingest.wrong(data)
    rows = [
        Row(
            what,
            "ours",
            "s",
            [percentile(waiting.took, 0.5)],
            amount=len(waiting.took),
            more={name: [percentile(waiting.took, share)] for name, share in SHARES.items()},
        )
        for what, waiting in (("raw point", raw), ("aggregate", aggregates))
    ]
    goals = [
        Goal("raw point, 99 %", [percentile(raw.took, 0.99)], RAW_BAR, at_least=False, unit="s"),
        Goal("aggregate, 99 %", [percentile(aggregates.took, 0.99)], AGGREGATE_BAR, at_least=False, unit="s"),
    ]
    ingest.refuse(errors)
    pace = f"{READINGS_A_SECOND:,} readings/s of {data.sensors:,} sensors, {data.days} simulated days"
    return Stage(
        "latency", "Latency", rows, goals, [pace, "from handing a reading to librdkafka to seeing it in Redis"]
    )


def _send(data: Dataset, client: Any, raw: Waiting, aggregates: Waiting, wanted: dict[str, oracle.Points]) -> None:
    """Tick by tick; of each tick one house's readings are looked for, and of each day's end one house's aggregates."""
    simulation, prefix = data.simulation, data.settings.prefix
    publisher = Publisher(data.settings, simulation.catalogue)
    encoder = Encoder(simulation, publisher.partitions, publisher.partition)
    period = data.readings / data.ticks / READINGS_A_SECOND
    ready = time.monotonic() + 1
    asked = 0.0
    for tick in range(data.ticks):
        due = ready + tick * period
        while (now := time.monotonic()) < due:
            publisher.poll()
            raw.look(client)
            if now - asked > SLOW_LOOK_SECONDS:
                aggregates.look(client)
                asked = now
            time.sleep(min(LOOK_SECONDS, max(0.0, due - time.monotonic())))
        messages = list(encoder.messages(tick, tick + 1))
        site = simulation.sites[tick % len(simulation.sites)]
        sent = time.monotonic()
        publisher.send(messages)
        now_ms = simulation.time(tick)
        if tick >= SETTLING_TICKS:
            raw.sent |= {(Series(RAW, site, sensor).key(prefix), now_ms): sent for sensor in _speaking(data)}
        # The first tick past a day's end + B closes it, and the aggregates of one house are waited for.
        if tick % TICKS_PER_DAY == 1 and tick > TICKS_PER_DAY:
            day = simulation.time(tick - 1 - TICKS_PER_DAY)
            aggregates.sent |= {(prefix + key, day): sent for key in _of_day(wanted, site, day)}
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while (raw.sent or aggregates.sent) and time.monotonic() < deadline:
        publisher.poll(LOOK_SECONDS)
        raw.look(client)
        aggregates.look(client)
    publisher.finish()


def _speaking(data: Dataset) -> Iterator[str]:
    """Sensors that have a reading of every tick: those that never withhold one."""
    for sensor in data.simulation.catalogue.values():
        if sensor.cadence == "15min" and not sensor.late:
            yield sensor.name


def _of_day(wanted: dict[str, oracle.Points], site: str, day: int) -> list[str]:
    """Keys (without prefix) of a house's series that have a point for a day."""
    kinds = sorted(DERIVED, key=len, reverse=True)
    mine = "" if site == "home" else f"{site}:"
    return [
        key
        for key, points in wanted.items()
        if day in points
        and (key.startswith(mine) if mine else ":" not in key)
        and any(key.removeprefix(mine).startswith(kind) for kind in kinds)
    ]
