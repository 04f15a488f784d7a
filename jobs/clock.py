"""How far a stream has come: its watermark, as the topic tells it."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import Consumer

from settings import Settings, milliseconds
from topics import log
from topics.admin import end_offsets
from topics.catalogue import Catalogue
from topics.names import READINGS
from topics.reading import Rules, event_time


def watermark(settings: Settings, catalogue: Catalogue, upto: Mapping[int, int]) -> int | None:
    """Watermark (epoch ms) of who has read dailyAggr up to these offsets; None when that is not known yet.

    A lower bound: of each partition the newest records are looked at, until some of them are valid. A partition that
    is read to its end and whose newest record was sent a day before the others' is silent and holds nobody.
    Raises ``LogError``.
    """
    rules = Rules(catalogue, milliseconds(settings.future_tolerance))
    ends = end_offsets(settings, settings.prefix + READINGS)
    found: dict[int, tuple[int, int]] = {}
    client = log.consumer(settings)
    try:
        for partition, end in ends.items():
            if end and (
                newest := _newest(client, settings.prefix + READINGS, partition, upto.get(partition, 0), rules)
            ):
                found[partition] = newest
            elif upto.get(partition, 0) < end:
                return None
    finally:
        client.close()
    now = max((sent for _, sent in found.values()), default=0)
    silent = {p for p, (_, sent) in found.items() if sent < now - milliseconds(settings.window) and upto[p] >= ends[p]}
    times = [time for p, (time, _) in found.items() if p not in silent]
    return min(times) - milliseconds(settings.watermark_delay) if times else None


def _newest(client: Consumer, topic: str, partition: int, end: int, rules: Rules) -> tuple[int, int] | None:
    """Largest event time and largest sending time (epoch ms) of the newest stretch of records that has any."""
    for stretch in log.backwards(client, topic, partition, end):
        times = [(event_time(m.value(), m.timestamp()[1], rules), m.timestamp()[1]) for m in stretch]
        valid = [time for time, _ in times if time is not None]
        if valid:
            return max(valid), max(sent for _, sent in times)
    return None
