"""Whether a bridge is well."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from confluent_kafka import KafkaException

from infrastructure.kafka.diagnostics import explain
from infrastructure.kafka.lag import LagReader
from infrastructure.settings import Settings
from ingest.metrics import Counts
from topics.names import SERIES_TOPICS
from topics.wording import duration

PATIENCE = 60.0
"""Seconds for which a bridge may have no partitions: a group takes some to share them anew."""


class BridgeHealth:
    """Why a bridge is not well; asks Kafka when it is asked itself, which takes 2 s while Kafka is away.

    The bridge's own client does not tell: it has no word for "Kafka is back".
    """

    def __init__(self, settings: Settings, counts: Counts, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` is the bridge's."""
        self._settings = settings
        self._counts = counts
        self._clock = clock
        self._kafka = LagReader(settings, settings.ingest.group)
        self._topics = [settings.prefix + topic for topic in SERIES_TOPICS]

    def __call__(self) -> list[str]:
        """A sentence for each thing."""
        return list(self._reasons())

    def _reasons(self) -> Iterator[str]:
        counts = self._counts
        if waiting := counts.waiting:
            yield (
                f"the bridge waits for {waiting} ({counts.errors[waiting]}): it stores nothing, and goes on when "
                f"{waiting} does its part. Start it if it is down; its log says more"
            )
        if waiting == "Kafka":
            return
        try:
            there = {topic for topic, _ in self._kafka.partitions()}
        except KafkaException as error:
            self._kafka.forget()
            yield (
                f"the bridge waits for Kafka, which does not answer at {self._settings.kafka.servers} "
                f"({counts.errors.get('Kafka') or explain(error)}): it goes on when Kafka does. Start it, or set "
                "IOT_KAFKA"
            )
            return
        idle = self._clock() - counts.idle_since
        if missing := [topic for topic in self._topics if topic not in there]:
            yield (
                f"the bridge waits for topics that are missing ({', '.join(missing)}), and stores the others: "
                "`iot topics create` makes them"
            )
        elif waiting is None and not counts.assigned and idle > PATIENCE:
            yield (
                f"the bridge has had no partitions for {duration(1000 * idle)}, so it stores nothing: other bridges "
                f"of the group {self._settings.prefix}{self._settings.ingest.group} have them all, and it takes over "
                "when one of them ends. If there is no other, start it again"
            )
