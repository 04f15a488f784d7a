"""Read stretches of a topic, without a consumer group."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition

from command_line import UserError
from settings import Settings
from topics.admin import end_offsets

TIMEOUT = 30
"""Seconds without an answer after which Kafka counts as away."""
AT_ONCE = 10_000
FIRST_STRETCH = 100


class LogError(UserError):
    """The topic is not there, or Kafka does not answer."""


def consumer(settings: Settings) -> Consumer:
    """A consumer that belongs to no group's work: it commits nothing, and says where a partition ends."""
    return Consumer(
        {
            "bootstrap.servers": settings.kafka,
            "group.id": "reader",
            "enable.auto.commit": False,
            # Where retention has overtaken the reader it goes on with the oldest record, not behind the newest.
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
            "log_level": 0,
        }
    )


def read(settings: Settings, topic: str, end: Mapping[int, int] | None = None) -> Iterator[Message]:
    """Every record of a topic, each partition in order, up to ``end`` (offsets by partition; None: its ends of now).

    Raises ``LogError``.
    """
    if end is None:
        try:
            end = end_offsets(settings, topic)
        except KeyError:
            raise LogError(f"there is no topic {topic}: `python -m topics create` makes it") from None
    ends = {partition: offset for partition, offset in end.items() if offset}
    client = consumer(settings)
    try:
        client.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in ends])
        heard = time.monotonic()
        while ends:
            messages = client.consume(AT_ONCE, 0.1)
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > TIMEOUT:
                raise _silent(topic)
            for message in messages:
                partition = message.partition()
                if (error := message.error()) is not None:
                    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name
                        ends.pop(partition, None)
                    continue
                if partition in ends:
                    if message.offset() < ends[partition]:
                        yield message
                    if message.offset() + 1 >= ends[partition]:
                        del ends[partition]
    finally:
        client.close()


def backwards(client: Consumer, topic: str, partition: int, end: int | None = None) -> Iterator[list[Message]]:
    """A partition from ``end`` (None: its end of now) to its beginning, in stretches that grow, the newest one first.

    Raises ``LogError`` when Kafka does not answer.
    """
    low, high = client.get_watermark_offsets(TopicPartition(topic, partition), timeout=TIMEOUT)
    end = high if end is None else min(end, high)
    span = FIRST_STRETCH
    while end > low:
        begin = max(low, end - span)
        yield between(client, TopicPartition(topic, partition, begin), end)
        end, span = begin, span * 4


def between(client: Consumer, begin: TopicPartition, end: int) -> list[Message]:
    """The records of a partition from ``begin`` up to ``end``. Raises ``LogError`` when Kafka does not answer."""
    client.assign([begin])
    messages = list[Message]()
    while True:
        message = client.poll(TIMEOUT)
        if message is None:
            raise _silent(begin.topic)
        if message.error() is not None or message.offset() >= end:  # the end of the partition, or of the stretch
            return messages
        messages.append(message)
        if message.offset() == end - 1:
            return messages


def _silent(topic: str) -> LogError:
    return LogError(f"Kafka stopped answering while {topic} was read: is it up (`make status`)?")
