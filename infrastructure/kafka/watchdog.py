"""Whether a client still sees Kafka.

A broker that was frozen, and was given up meanwhile, tells its clients for a moment that there is no broker at all.
Those of librdkafka 2.10 and later then never look for it again (its issue 5301); only a new client finds it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaException

from infrastructure.kafka.client import kafka_options
from infrastructure.settings import KafkaSettings
from topics.errors import UserError

PATIENCE = 30
"""Seconds for which a client may get no answer though Kafka gives one to others."""
EVERY = 5
"""Seconds between two questions."""


class ClientStuckError(UserError):
    """Kafka answers new clients and not this one any more: only starting the process again helps."""


class Watched(NamedTuple):
    """A client that a process lives with; ``progress`` changes whenever Kafka has given it something."""

    client: Any
    progress: Callable[[], object] = lambda: None


class Watchdog:
    """Asks Kafka now and then by the clients that have got nothing from it meanwhile.

    A question may wait behind much else: a client that gets on is not blind.
    """

    def __init__(
        self, kafka: KafkaSettings, topic: str, *watched: Watched, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``topic``: what is asked for."""
        self._kafka = kafka
        self._topic = topic
        self._watched = watched
        self._clock = clock
        self._next = clock() + EVERY
        self._progress: dict[int, object] = {}
        self._stuck_since: dict[int, float] = {}

    def check(self) -> None:
        """Ask, when it is time to. Raises ``ClientStuckError`` when a client has not been answered for ``PATIENCE``.

        While Kafka answers nobody, nothing happens.
        """
        if self._clock() < self._next:
            return
        for number, (client, progress) in enumerate(self._watched):
            before, self._progress[number] = self._progress.get(number), progress()
            if before != self._progress[number] or _answered(client, self._topic):
                self._stuck_since.pop(number, None)
            elif self._clock() - self._stuck_since.setdefault(number, self._clock()) >= PATIENCE:
                if self._answers_others():
                    raise ClientStuckError(
                        f"Kafka answers at {self._kafka.servers}, but not this process any more, by a "
                        "fault of its client (librdkafka issue 5301): it has to be started again, which loses nothing. "
                        "Where it is supervised there is nothing to be done."
                    )
                self._stuck_since[number] = self._clock()  # it may be back just now, and this client needs a while
        self._next = self._clock() + EVERY

    def _answers_others(self) -> bool:
        fresh = Consumer({**kafka_options(self._kafka), "group.id": "watchdog", "log_level": 0})
        try:
            return _answered(fresh, self._topic, seconds=5)
        finally:
            with suppress(KafkaException):
                fresh.close()


def _answered(client: Any, topic: str, seconds: float = 1) -> bool:
    try:
        return bool(client.list_topics(topic, timeout=seconds).brokers)
    except KafkaException:
        return False
