"""Read a topic from its beginning to its end, and later on from there."""

from __future__ import annotations

import time
from collections.abc import Iterator

from confluent_kafka import KafkaError, Message, TopicPartition

from settings import Settings
from topics import admin
from topics.log import TIMEOUT, LogError, consumer

BATCH = 5000
"""Most records that come at once."""
POLL_SECONDS = 0.5


class TopicReader:
    """Reads one topic, in the order of each partition. It is in no group: nothing is committed.

    Every method raises ``KafkaException`` or ``LogError`` when Kafka does not answer.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        self._topic = settings.prefix + topic
        try:
            self._partitions = range(admin.partitions(settings)[self._topic])
        except KeyError:
            raise LogError(f"there is no topic {self._topic}: `python -m topics create` makes it") from None
        self._consumer = consumer(settings)
        self._next: dict[int, int] = {}

    def waiting(self) -> int:
        """Records between here and the end. (Compaction makes them fewer.)"""
        return sum(end - self._next[partition] for partition, end in self._ends().items())

    def read_on(self) -> Iterator[list[Message]]:
        """The records up to the end that the topic has when the first one is asked for; perhaps some behind it."""
        missing = self._ends()
        self._consumer.assign([TopicPartition(self._topic, p, self._next[p]) for p in missing])
        heard = time.monotonic()
        while missing:
            found = []
            for message in self._consumer.consume(BATCH, POLL_SECONDS):
                partition, error = message.partition(), message.error()
                if error is None:
                    found.append(message)
                    self._next[partition] = after = message.offset() + 1
                    if after >= missing.get(partition, after + 1):
                        del missing[partition]
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name
                    # Compaction, or the marker of a transaction, may have left nothing at the last offsets.
                    self._next[partition] = max(self._next[partition], message.offset())
                    missing.pop(partition, None)
            if found:
                yield found
                heard = time.monotonic()
            elif time.monotonic() - heard > TIMEOUT:
                raise LogError(f"Kafka stopped answering while {self._topic} was read: is it up (`make status`)?")
        self._consumer.unassign()

    def close(self) -> None:
        """Leave Kafka."""
        self._consumer.close()

    def _ends(self) -> dict[int, int]:
        """The end of each partition that is not read to its end; what has never been read begins at its beginning."""
        ends = {}
        for partition in self._partitions:
            first, end = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=TIMEOUT)
            if self._next.setdefault(partition, first) < end:
                ends[partition] = end
        return ends
