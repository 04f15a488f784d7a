"""Read a topic, or a stretch of it, without a consumer group."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from infrastructure.kafka.admin import no_topic, partitions
from infrastructure.kafka.client import PREFETCHING, kafka_options
from infrastructure.kafka.offsets import retry_passing
from infrastructure.settings import KafkaSettings
from topics.errors import UserError

TIMEOUT = 30
"""Seconds without an answer after which Kafka counts as away."""
AT_ONCE = 5_000
"""Most records that come at once."""
POLL_SECONDS = 0.1
FIRST_STRETCH = 100


class TopicReadError(UserError):
    """The topic is not there, or Kafka does not answer."""


def consumer(kafka: KafkaSettings) -> Consumer:
    """A consumer that belongs to no group's work: it commits nothing, and says where a partition ends."""
    return Consumer(
        {
            **kafka_options(kafka),
            **PREFETCHING,
            "group.id": "reader",
            "enable.auto.commit": False,
            # Where retention has overtaken the reader it goes on with the oldest record, not behind the newest.
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
            "log_level": 0,
        }
    )


@retry_passing
def watermarks(client: Consumer, topic: str, partition: int) -> tuple[int, int]:
    """The offset of a partition's oldest record, and the one that its next record will get.

    Raises ``KafkaException`` when Kafka does not answer.
    """
    low, high = client.get_watermark_offsets(TopicPartition(topic, partition), timeout=TIMEOUT)
    return low, high


class TopicReader:
    """Reads one topic from its beginning to its end, and later on from there; each partition in order.

    It is in no group: nothing is committed. Every method raises ``KafkaException`` or ``TopicReadError`` when Kafka
    does not answer.
    """

    def __init__(self, kafka: KafkaSettings, topic: str, start: Mapping[int, int] | None = None) -> None:
        """``start``: where to begin, by partition. Raises ``TopicReadError`` when there is no such topic."""
        self._topic = topic
        there = partitions(kafka)
        if topic not in there:
            raise TopicReadError(no_topic(topic, there))
        self._partitions = range(there[topic])
        self._consumer = consumer(kafka)
        self._next: dict[int, int] = dict(start or {})

    def waiting(self) -> int:
        """Records between here and the end. (Compaction makes them fewer.)"""
        return sum(end - self._next[partition] for partition, end in self._ends().items())

    def read_on(self) -> Iterator[list[Message]]:
        """The records up to the end that the topic has when the first one is asked for."""
        missing = self._ends()
        self._consumer.assign([TopicPartition(self._topic, p, self._next[p]) for p in missing])
        answered = time.monotonic()
        while missing:
            found = []
            for message in self._consumer.consume(AT_ONCE, POLL_SECONDS):
                partition, error = message.partition(), message.error()
                if partition not in missing:
                    continue
                if error is None:
                    # Compaction, or the marker of a transaction, may have left nothing at the last offsets.
                    self._next[partition] = min(message.offset() + 1, missing[partition])
                    if message.offset() < missing[partition]:
                        found.append(message)
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name
                    self._next[partition] = missing[partition]
                if self._next[partition] >= missing[partition]:
                    del missing[partition]
            if found:
                yield found
                answered = time.monotonic()
            elif time.monotonic() - answered > TIMEOUT:
                raise _silent(self._topic)
        self._consumer.unassign()

    def close(self) -> None:
        """Leave Kafka."""
        self._consumer.close()

    def _ends(self) -> dict[int, int]:
        """The end of each partition that is not read to its end; what has never been read begins at its beginning."""
        ends = {}
        for partition in self._partitions:
            first, end = watermarks(self._consumer, self._topic, partition)
            if self._next.setdefault(partition, first) < end:
                ends[partition] = end
        return ends


def read_topic(kafka: KafkaSettings, topic: str, start: Mapping[int, int] | None = None) -> Iterator[Message]:
    """Every record of a topic, each partition in order, up to its ends of now. Raises as ``TopicReader`` does.

    ``start``: offsets to begin at, by partition; without it the beginning of each.
    """
    reader = TopicReader(kafka, topic, start)
    try:
        for messages in reader.read_on():
            yield from messages
    finally:
        reader.close()


def backwards(client: Consumer, topic: str, partition: int, end: int | None = None) -> Iterator[list[Message]]:
    """A partition from ``end`` (None: its end of now) to its beginning, in stretches that grow, the newest one first.

    Raises ``TopicReadError`` when Kafka does not answer.
    """
    low, high = watermarks(client, topic, partition)
    end = high if end is None else min(end, high)
    span = FIRST_STRETCH
    while end > low:
        begin = max(low, end - span)
        yield between(client, TopicPartition(topic, partition, begin), end)
        end, span = begin, span * 4


def between(client: Consumer, begin: TopicPartition, end: int) -> list[Message]:
    """The records of a partition from ``begin`` up to ``end``. Raises ``TopicReadError`` when Kafka does not answer."""
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


def _silent(topic: str) -> TopicReadError:
    return TopicReadError(
        f"Kafka stopped answering while {topic} was read: does it run at IOT_KAFKA? Then run it again"
    )
