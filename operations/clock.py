"""How far a stream has come, as the topic tells it."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import Consumer

from infrastructure.kafka import offsets, reader
from infrastructure.settings import Settings, milliseconds
from topics.catalogue import Catalogue
from topics.decoding import decode
from topics.names import READINGS
from topics.reading import Invalid, Rules


def watermark(settings: Settings, catalogue: Catalogue, upto: Mapping[int, int]) -> int | None:
    """Watermark (epoch ms) of who has read dailyAggr up to these offsets; None when that is not known yet.

    A lower bound: of each partition the newest records are looked at, until some of them are valid. A partition that
    is read to its end, and whose newest record Kafka received long before the newest one of all, is silent and holds
    nobody: long is the idleness after which the job leaves it out.
    Raises ``TopicReadError``.
    """
    ends = offsets.end_offsets(settings.kafka, settings.prefix + READINGS)
    found = _newest_of_each(settings, catalogue, upto)
    if any(upto.get(partition, 0) < end for partition, end in ends.items() if partition not in found):
        return None
    newest = max((received for _, received in found.values()), default=0)
    idle = newest - milliseconds(settings.time.watermark_idleness)
    silent = {p for p, (_, received) in found.items() if received < idle and upto[p] >= ends[p]}
    times = [time for p, (time, _) in found.items() if p not in silent]
    return min(times) - milliseconds(settings.time.watermark_delay) if times else None


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
    """Largest event time, and when Kafka received the newest (epoch ms), of the newest stretch of valid records."""
    for stretch in reader.backwards(client, topic, partition, end):
        times = [
            (item.ts, received)
            for message in stretch
            for received in (message.timestamp()[1],)
            for item in decode(message.value(), received, rules)
            if not isinstance(item, Invalid)
        ]
        if times:
            return max(ts for ts, _ in times), max(received for _, received in times)
    return None
