"""The one way to put readings on Kafka: partition, key, headers, and whether each of them arrived."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from confluent_kafka import KafkaError, Producer

from infrastructure import logs
from infrastructure.kafka import admin
from infrastructure.kafka.client import kafka_options
from infrastructure.kafka.diagnostics import Diagnostics, KafkaUnreachableError, explain, fetch_metadata
from infrastructure.kafka.sensor_classes import SensorClasses
from infrastructure.kafka.watchdog import Watchdog, Watched
from infrastructure.settings import Settings
from topics import produced_at
from topics.catalogue import Catalogue
from topics.encoding import Message, encode, encode_heartbeat
from topics.errors import UserError
from topics.names import READINGS, sensor_key
from topics.reading import Reading

log = logs.get(__name__)

POLL_EVERY = 2_000
"""Messages sent between two looks for acknowledgements."""

PATIENCE = timedelta(minutes=5)


class PublishError(UserError):
    """At least one message was not acknowledged, or there is no topic."""


class Publisher:
    """Publishes readings to dailyAggr by an idempotent producer, and counts what the broker has acknowledged.

    Used as a context, it waits for every acknowledgement in the end.
    """

    sent = 0
    """Messages handed to the client, heartbeats included."""
    heartbeats = 0
    acknowledged = 0
    failed = 0
    waited = 0.0
    """Seconds that ``send`` has waited for room, since the broker was slower."""
    _stopping = False

    def __init__(self, settings: Settings, catalogue: Catalogue, *, patience: timedelta | None = PATIENCE) -> None:
        """``patience`` is how long a message waits for Kafka until it is given up; None is for ever.

        Raises ``PublishError`` when the topic is not there or Kafka does not answer, ``ClassChangedError`` when a
        sensor of the catalogue has readings under another class.
        """
        self.topic = settings.prefix + READINGS
        self._failure = ""
        self._diagnostics = Diagnostics()
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
            metadata = fetch_metadata(self._producer, self._diagnostics, settings.kafka, self.topic).topics[self.topic]
        except KafkaUnreachableError as error:
            raise PublishError(str(error)) from error
        if metadata.error is not None:
            raise PublishError(admin.no_topic(self.topic, admin.partitions(settings.kafka)))
        self.partitions = len(metadata.partitions)
        self._classes = SensorClasses(settings, catalogue, self.partitions)
        self._watchdog = Watchdog(settings.kafka, self.topic, Watched(self._producer, lambda: self.acknowledged))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.finish()
        self.close()

    @property
    def pending(self) -> int:
        """Messages that are sent and neither acknowledged nor failed yet."""
        return self.sent - self.acknowledged - self.failed

    def partition(self, site: str, sensor: str) -> int:
        """The partition of a sensor of the catalogue. Raises as ``SensorClasses.partition``."""
        return self._classes.partition(site, sensor)

    def know(self, sensors: Iterable[str]) -> None:
        """Write down at once what ``partition`` would write down for each of these sensors."""
        self._classes.know(sensors)

    def publish(self, reading: Reading, headers: Sequence[tuple[str, bytes]] = ()) -> None:
        """Publish one reading of a sensor of the catalogue. Raises as ``send`` and ``partition`` do."""
        key = sensor_key(reading.site, reading.sensor).encode()
        self.send([(self.partition(reading.site, reading.sensor), key, encode(reading), list(headers))])

    def heartbeat(self, ts: int) -> None:
        """Say that time has come this far (epoch ms), in every partition."""
        self.send([(number, None, encode_heartbeat(ts), []) for number in range(self.partitions)])

    def stop(self) -> None:
        """Send no more: what ``send`` is at comes to an end soon. May be called from a signal handler."""
        self._stopping = True

    def stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._stopping

    def send(self, messages: Iterable[Message]) -> None:
        """Queue messages. Those with headers, of the first ones, are told when they were produced.

        Waits for room while the broker is slower. After ``stop`` the rest of the messages is left out. Raises
        ``ClientStuckError``, as ``poll`` and ``finish`` do, when only a new client would be answered.
        """
        produce, poll = self._producer.produce, self._producer.poll
        topic, delivered = self.topic, self._delivered
        stamp = [produced_at.header(time.time())]
        for partition, key, value, headers in messages:
            while True:
                try:
                    if headers is None:
                        produce(topic, value, key, partition, delivered)
                    else:
                        produce(topic, value, key, partition, delivered, None, 0, headers + stamp)
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
                # On all messages of a long batch it would take 4 % of the speed of one house.
                stamp = []
                if self._stopping:
                    return
        poll(0)

    def poll(self, seconds: float = 0.0) -> None:
        """Serve acknowledgements for up to ``seconds``."""
        self._producer.poll(seconds)
        self._watchdog.check()

    def check(self) -> None:
        """Raise ``PublishError`` when a message has failed."""
        if self.failed:
            raise PublishError(
                f"{self.failed:,} messages were not acknowledged ({self._failure}). "
                "Start the same command again: it goes on where the topic ends."
            )

    def finish(self) -> None:
        """Wait for every acknowledgement. Raises ``PublishError`` when one does not come."""
        while self._producer.flush(0.5):
            self._watchdog.check()
        self.check()
        if self.pending > 0:
            raise PublishError(f"{self.pending:,} messages were neither acknowledged nor refused")

    def close(self) -> None:
        """Leave Kafka."""
        self._classes.close()

    def _delivered(self, error: KafkaError | None, _message: Any) -> None:
        if error is None:
            self.acknowledged += 1
        else:
            self.failed += 1
            self._failure = explain(error)

    def _error(self, error: KafkaError) -> None:
        self._diagnostics(error)
        log.warning(
            "Kafka does not answer, readings wait here until it does",
            error=explain(error),
            patience=self._patience,
        )
