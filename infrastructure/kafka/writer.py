"""Write records to topics that exist, all of them acknowledged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from confluent_kafka import KafkaError, Message, Producer

from infrastructure.kafka.client import kafka_options
from infrastructure.kafka.diagnostics import Diagnostics, explain, fetch_metadata
from infrastructure.settings import KafkaSettings
from topics.errors import UserError


class TopicWriteError(UserError):
    """A record was not acknowledged."""


class Record(NamedTuple):
    """A record to be written. ``partition`` -1 is Kafka's own choice; ``timestamp`` is in epoch ms, 0 is now."""

    topic: str
    key: bytes | str | None
    value: bytes | None
    partition: int = -1
    timestamp: int = 0
    headers: dict[str, str] | Sequence[tuple[str, bytes]] | None = None


def write_records(kafka: KafkaSettings, records: Iterable[Record]) -> int:
    """Write records to topics that exist, all of them acknowledged when this returns; returns how many.

    Raises ``TopicWriteError`` when one is not.
    """
    failed: list[str] = []
    diagnostics = Diagnostics()
    producer = Producer({**kafka_options(kafka), "enable.idempotence": True, "log_level": 0, "error_cb": diagnostics})
    # A message for a partition that librdkafka does not know of yet fails, so ask first.
    fetch_metadata(producer, diagnostics, kafka)

    def delivered(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failed.append(explain(error))

    written = 0
    for topic, key, value, partition, timestamp, headers in records:
        while True:
            try:
                producer.produce(topic, value, key, partition, delivered, None, timestamp, headers)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
        written += 1
    if producer.flush() or failed:
        raise TopicWriteError(f"{len(failed):,} records were not acknowledged ({failed[:1]}): run it again")
    return written
