"""How far a stream has come, as the topic tells it: its watermark, and its newest reading."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import Consumer

from infrastructure.kafka import offsets, reader
from infrastructure.settings import Settings, milliseconds
from topics.catalogue import Catalogue
from topics.days import DAY_MS
from topics.names import READINGS
from topics.reading import Rules, event_time


def watermark(settings: Settings, catalogue: Catalogue, upto: Mapping[int, int]) -> int | None:
    """Watermark (epoch ms) of who has read dailyAggr up to these offsets; None when that is not known yet.

    A lower bound: of each partition the newest records are looked at, until some of them are valid. A partition that
    is read to its end and whose newest record was sent a day before the others' is silent and holds nobody.
    Raises ``TopicReadError``.
    """
    ends = offsets.end_offsets(settings.kafka, settings.prefix + READINGS)
    found = _newest_of_each(settings, catalogue, upto)
    if any(upto.get(partition, 0) < end for partition, end in ends.items() if partition not in found):
        return None
    now = max((sent for _, sent in found.values()), default=0)
    silent = {p for p, (_, sent) in found.items() if sent < now - DAY_MS and upto[p] >= ends[p]}
    times = [time for p, (time, _) in found.items() if p not in silent]
    return min(times) - milliseconds(settings.time.watermark_delay) if times else None


def newest(settings: Settings, catalogue: Catalogue) -> int | None:
    """Largest event time (epoch ms) of the newest valid records of dailyAggr; None when there are none.

    It is the stream's own time: in a simulation not that of the wall, and no record's stamp alone can move it.
    Raises ``TopicReadError``.
    """
    found = _newest_of_each(settings, catalogue, offsets.end_offsets(settings.kafka, settings.prefix + READINGS))
    return max((time for time, _ in found.values()), default=None)


def _newest_of_each(settings: Settings, catalogue: Catalogue, upto: Mapping[int, int]) -> dict[int, tuple[int, int]]:
    """By partition: what ``_newest`` finds there, before the offset given; without those that have nothing."""
    rules = Rules(catalogue, milliseconds(settings.time.future_tolerance))
    client = reader.consumer(settings.kafka)
    try:
        found = {
            partition: _newest(client, settings.prefix + READINGS, partition, end, rules)
            for partition, end in upto.items()
            if end
        }
    finally:
        client.close()
    return {partition: times for partition, times in found.items() if times is not None}


def _newest(client: Consumer, topic: str, partition: int, end: int, rules: Rules) -> tuple[int, int] | None:
    """Largest event time and largest sending time (epoch ms) of the newest stretch of valid records."""
    for stretch in reader.backwards(client, topic, partition, end):
        stamped = [(event_time(m.value(), m.timestamp()[1], rules), m.timestamp()[1]) for m in stretch]
        # Anybody can stamp nonsense with any time.
        if valid := [(time, sent) for time, sent in stamped if time is not None]:
            return max(time for time, _ in valid), max(sent for _, sent in valid)
    return None
