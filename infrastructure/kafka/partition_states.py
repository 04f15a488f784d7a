"""The state of every partition of the topics: how far it reaches, since when, and how far groups have come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import OffsetSpec

from infrastructure.kafka.admin import partitions, topics_of
from infrastructure.kafka.client import kafka_options
from infrastructure.kafka.offsets import committed_offsets, list_offsets
from infrastructure.settings import Settings


@dataclass(frozen=True)
class PartitionState:
    """One partition: its offsets, the timestamps at its ends (epoch ms, None when empty), and each group's lag."""

    topic: str
    partition: int
    first_offset: int
    next_offset: int
    first_timestamp: int | None
    last_timestamp: int | None
    lag: dict[str, int]


def describe(settings: Settings, groups: Iterable[str] = ()) -> list[PartitionState]:
    """State of every partition of the existing topics, with the lag of each group that has committed there."""
    counts = partitions(settings.kafka)
    every = [TopicPartition(name, p) for name in topics_of(settings) if name in counts for p in range(counts[name])]
    first = list_offsets(settings.kafka, every, OffsetSpec.earliest())
    last = list_offsets(settings.kafka, every, OffsetSpec.latest())
    committed = {group: committed_offsets(settings.kafka, group) for group in groups}
    consumer = Consumer({**kafka_options(settings.kafka), "group.id": "describe", "log_level": 0})
    try:
        states = []
        for tp in every:
            key = (tp.topic, tp.partition)
            low, high = first[key], last[key]
            states.append(
                PartitionState(
                    topic=tp.topic,
                    partition=tp.partition,
                    first_offset=low,
                    next_offset=high,
                    first_timestamp=_timestamp(consumer, tp, low) if high > low else None,
                    last_timestamp=_timestamp(consumer, tp, high - 1) if high > low else None,
                    lag={group: high - offsets[key] for group, offsets in committed.items() if key in offsets},
                )
            )
        return states
    finally:
        consumer.close()


def _timestamp(consumer: Consumer, tp: TopicPartition, offset: int) -> int | None:
    consumer.assign([TopicPartition(tp.topic, tp.partition, offset)])
    message = consumer.poll(5)
    # Behind the last record of a transaction stands its marker, which no consumer sees.
    return message.timestamp()[1] if message is not None and message.error() is None else None
