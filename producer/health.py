"""Whether a simulation's producer is well."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta

from infrastructure.kafka.publisher import PATIENCE, Publisher
from infrastructure.settings import KafkaSettings
from topics.wording import duration

SILENT_SECONDS = 30.0
"""For so long messages may wait without any being acknowledged."""
EVERY = 1.0
"""Seconds between two looks."""


class ProducerHealth:
    """Why a producer is not well.

    A count of acknowledgements does not tell when the last one came: somebody has to ``look`` now and then, as the
    thread of ``watch`` does. The producer's own thread may be waiting for room.
    """

    def __init__(self, kafka: KafkaSettings, publisher: Publisher, clock: Callable[[], float] = time.monotonic) -> None:
        self._kafka = kafka
        self._publisher = publisher
        self._clock = clock
        self._acknowledged = publisher.acknowledged
        self._since = clock()

    def look(self) -> None:
        """See whether acknowledgements have come since the last look, or none is waited for."""
        if self._acknowledged != self._publisher.acknowledged or self._publisher.pending <= 0:
            self._acknowledged, self._since = self._publisher.acknowledged, self._clock()

    def watch(self) -> None:
        """Look every second, as long as the process lives."""

        def run() -> None:
            while True:
                self.look()
                time.sleep(EVERY)

        threading.Thread(target=run, name="watching acknowledgements", daemon=True).start()

    def __call__(self) -> list[str]:
        """A sentence for each thing."""
        self.look()
        found, failed = [], self._publisher.failed
        if failed:
            found.append(
                f"the producer has given up {failed:,} messages, which Kafka did not acknowledge: it ends with 1. "
                "Start it again: it goes on where the topic ends"
            )
        silent = self._clock() - self._since
        if silent > SILENT_SECONDS:
            found.append(
                f"Kafka at {self._kafka.servers} has acknowledged nothing for {duration(1000 * silent)}, and "
                f"{self._publisher.pending:,} messages wait for it: they go on when it answers, and are given up after "
                f"{PATIENCE // timedelta(minutes=1)} minutes. Start Kafka if it is down"
            )
        return found
