"""Put records that hold no valid reading aside, once each, with their origin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from infrastructure.kafka.client import kafka_options
from infrastructure.kafka.watchdog import Watchdog, Watched
from infrastructure.settings import Settings
from topics.names import DEAD_LETTERS
from topics.origin import Origin
from topics.reading import Invalid

TIMEOUT = 5
"""Seconds that Kafka may take before the caller hears that it is away."""


class DeadLetter(NamedTuple):
    """A record as it was found, and why it is not a valid one."""

    message: Message
    why: Invalid


class DeadLetters:
    """Writes dead letters whose origin the topic does not have yet.

    A bridge reads its records again when it dies between a letter and the commit behind it. Letters of one partition
    are written in the order of their offsets, so that the newest one there tells which are written.
    """

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.prefix + DEAD_LETTERS
        client = {**kafka_options(settings.kafka), "log_level": 0}
        self._producer = Producer(
            {
                **client,
                "enable.idempotence": True,
                "delivery.timeout.ms": 0,  # for ever: while Kafka is away the bridge waits as well
                # What arrived in a compressed batch may be large; the way it came it will pass again.
                "message.max.bytes": 1_000_000_000,
                "compression.type": "zstd",
            }
        )
        self._reader = Consumer(
            {
                **client,
                "group.id": "dead-letters",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 10,
            }
        )
        # Asked by the thread that writes: a client lets one thread in at a time.
        self._watchdog = Watchdog(settings.kafka, self._topic, Watched(self._producer), Watched(self._reader))
        self._reading = False
        self._newest: dict[tuple[str, int], int] = {}

    def put(self, letters: Sequence[DeadLetter]) -> None:
        """Write those letters that are not written yet; they are acknowledged when this returns. Idempotent.

        Raises ``KafkaException`` when Kafka does not answer in time, ``ClientStuckError`` when it answers others only.
        """
        self._watchdog.check()
        self._flush()  # letters of a call that was given up may still be under way
        self._catch_up()
        for message, why in letters:
            if message.offset() <= self._newest.get((message.topic(), message.partition()), -1):
                continue
            self._producer.produce(
                self._topic,
                key=message.key(),
                value=message.value(),
                timestamp=max(0, message.timestamp()[1]),
                headers={"reason": why.reason, "detail": str(why), **Origin.of(message).headers()},
            )
        self._flush()

    def close(self) -> None:
        """Leave Kafka."""
        self._reader.close()

    def _flush(self) -> None:
        if self._producer.flush(TIMEOUT):
            raise _away("dead letters are not acknowledged yet")

    def _catch_up(self) -> None:
        """Read the topic up to its end, and remember the newest origin of each partition."""
        if not self._reading:
            self._reader.assign([TopicPartition(self._topic, 0, 0)])
            self._reading = True
        _, end = self._reader.get_watermark_offsets(TopicPartition(self._topic, 0), timeout=TIMEOUT)
        while self._reader.position([TopicPartition(self._topic, 0)])[0].offset < end:
            message = self._reader.poll(TIMEOUT)
            if message is None:
                raise _away("deadLetter cannot be read")
            if message.error() is None:
                if (origin := Origin.told_by(message)) is not None:
                    partition = (origin.topic, origin.partition)
                    self._newest[partition] = max(self._newest.get(partition, -1), origin.offset)
            elif message.error().code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name
                return


def _away(what: str) -> KafkaException:
    return KafkaException(KafkaError(KafkaError._TIMED_OUT, what))  # noqa: SLF001 - the client's public name
