"""Put records that hold no valid reading aside, once each, with their origin."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from settings import Settings
from topics.names import DEAD_LETTERS
from topics.reading import Invalid

TIMEOUT = 30


class DeadLetter(NamedTuple):
    """A record as it was found, and why it is not a valid one."""

    message: Message
    why: Invalid


class DeadLetters:
    """Writes dead letters and commits the offsets behind them in one transaction.

    A bridge that dies in between repeats neither. Every method raises ``KafkaException`` when Kafka is not there.
    """

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.prefix + DEAD_LETTERS
        self._settings = settings
        self._producer: Producer | None = None

    def put(self, letters: Sequence[DeadLetter], consumer: Consumer, offsets: list[TopicPartition]) -> None:
        """Write the letters and commit ``offsets`` for the consumer's group: both or neither."""
        producer = self._producer = self._producer or self._connected()
        producer.begin_transaction()
        try:
            for message, why in letters:
                producer.produce(
                    self._topic,
                    key=message.key(),
                    value=message.value(),
                    timestamp=max(0, message.timestamp()[1]),
                    headers={
                        "reason": why.reason,
                        "detail": str(why),
                        "topic": message.topic(),
                        "partition": str(message.partition()),
                        "offset": str(message.offset()),
                    },
                )
                producer.poll(0)
            producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), TIMEOUT)
            _commit(producer)
        except KafkaException:
            # The transaction was not committed; the broker aborts it when its time is over.
            self._producer = None
            raise

    def _connected(self) -> Producer:
        producer = Producer(
            {
                "bootstrap.servers": self._settings.kafka,
                # Offsets are fenced by the consumer group's generation, so that each bridge may have an id of its own.
                "transactional.id": f"{self._settings.prefix}{self._settings.ingest_group}-{uuid.uuid4()}",
                "transaction.timeout.ms": TIMEOUT * 1000,
                # What arrived in a compressed batch may be large; the way it came it will pass again.
                "message.max.bytes": 1_000_000_000,
                "compression.type": "zstd",
                "log_level": 0,
            }
        )
        producer.init_transactions(TIMEOUT)
        return producer


def _commit(producer: Producer) -> None:
    # When the answer is lost the transaction may be committed or not: only asking again can tell.
    while True:
        try:
            producer.commit_transaction(TIMEOUT)
        except KafkaException as error:
            if not error.args[0].retriable():
                raise
        else:
            return
