"""Send to Kafka, and know of each reading whether it arrived."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from confluent_kafka import KafkaError, Producer

from infrastructure import logs
from infrastructure.kafka.client import kafka_options
from infrastructure.kafka.diagnostics import Diagnostics, KafkaUnreachableError, explain, fetch_metadata
from infrastructure.kafka.watchdog import Watchdog, Watched
from infrastructure.settings import Settings
from topics import sent
from topics.errors import UserError

log = logs.get(__name__)

HEADER = "sim"
"""Header of the first reading of each tick in each partition; its value is the simulation's identity.

On every reading it would take a third of the producer's speed.
"""

POLL_EVERY = 2_000
"""Readings sent between two looks for acknowledgements."""

PATIENCE = timedelta(minutes=5)


class DeliveryError(UserError):
    """At least one reading was not acknowledged."""


class Delivery:
    """An idempotent producer that counts what it sends, heartbeats included, and what the broker has acknowledged."""

    waited = 0.0
    """Seconds that ``send`` has waited for room, since the broker was slower."""
    _stopping = False

    def __init__(self, settings: Settings, topic: str, identity: str, *, patience: timedelta | None = PATIENCE) -> None:
        """``patience`` is how long a message waits for Kafka until it is given up; None is for ever.

        Raises ``DeliveryError`` when the topic is not there or Kafka does not answer.
        """
        self.sent = 0
        self.heartbeats = 0
        self.acknowledged = 0
        self.failed = 0
        self._failure = ""
        self._diagnostics = Diagnostics()
        self._topic = topic
        self._identity = (HEADER, identity.encode())
        self._patience = (
            f"{patience // timedelta(minutes=1)} minutes at most" if patience else "for as long as it takes"
        )
        self._producer = Producer(
            {
                **kafka_options(settings.kafka),
                "enable.idempotence": True,
                "acks": "all",
                "compression.type": "lz4",
                "linger.ms": 5,
                "batch.size": 1_000_000,
                "queue.buffering.max.messages": 500_000,
                "error_cb": self._error,
                "message.timeout.ms": patience // timedelta(milliseconds=1) if patience else 0,
                "log_level": 0,
            }
        )
        try:
            # A message for a partition that librdkafka does not know of yet fails, so ask first.
            metadata = fetch_metadata(self._producer, self._diagnostics, settings.kafka, topic).topics[topic]
        except KafkaUnreachableError as error:
            raise DeliveryError(str(error)) from error
        if metadata.error is not None:
            raise DeliveryError(f"there is no topic {topic}: `python -m topics create` makes it")
        self.partitions = len(metadata.partitions)
        self._watchdog = Watchdog(settings.kafka, topic, Watched(self._producer, lambda: self.acknowledged))

    @property
    def pending(self) -> int:
        """Messages that are sent and neither acknowledged nor failed yet."""
        return self.sent - self.acknowledged - self.failed

    def stop(self) -> None:
        """Send no more: what ``send`` is at comes to an end soon. May be called from a signal handler."""
        self._stopping = True

    def stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._stopping

    def send(self, messages: Iterable[tuple[int, bytes | None, bytes, int, bool]]) -> None:
        """Queue messages: partition, key, value, timestamp (epoch ms), with header or not.

        Waits for room while the broker is slower. After ``stop`` the rest of the messages is left out. Raises
        ``ClientStuckError``, as ``poll`` and ``finish`` do, when only a new client would be answered.
        """
        produce, poll = self._producer.produce, self._producer.poll
        topic, delivered = self._topic, self._delivered
        headers = [self._identity, sent.header(time.time())]
        for partition, key, value, timestamp, marked in messages:
            while True:
                try:
                    if marked:
                        produce(topic, value, key, partition, delivered, None, timestamp, headers)
                    else:
                        produce(topic, value, key, partition, delivered, None, timestamp)
                except BufferError:
                    if self._stopping:
                        return
                    began = time.monotonic()
                    poll(0.05)
                    self._watchdog.check()
                    self.waited += time.monotonic() - began
                else:
                    break
            self.sent += 1
            self.heartbeats += key is None
            if self.sent % POLL_EVERY == 0:
                poll(0)
                # Of a long batch the first ones tell when they were sent: all would take 4 % of the speed of one house.
                headers = [self._identity]
                if self._stopping:
                    return
        poll(0)

    def poll(self, seconds: float = 0.0) -> None:
        """Serve acknowledgements for up to ``seconds``."""
        self._producer.poll(seconds)
        self._watchdog.check()

    def check(self) -> None:
        """Raise ``DeliveryError`` when a reading has failed."""
        if self.failed:
            raise DeliveryError(
                f"{self.failed:,} messages were not acknowledged ({self._failure}). "
                "Start the producer again: it goes on where the topic ends."
            )

    def finish(self) -> None:
        """Wait for every acknowledgement. Raises ``DeliveryError`` when one does not come."""
        while self._producer.flush(0.5):
            self._watchdog.check()
        self.check()
        if self.pending > 0:
            raise DeliveryError(f"{self.pending:,} messages were neither acknowledged nor refused")

    def _delivered(self, error: KafkaError | None, _message: Any) -> None:
        if error is None:
            self.acknowledged += 1
        else:
            self.failed += 1
            self._failure = explain(error)

    def _error(self, error: KafkaError) -> None:
        self._diagnostics(error)
        log.warning(
            "Kafka does not answer, readings wait here until it is back; start it if it is down",
            error=explain(error),
            patience=self._patience,
        )
