"""How far a consumer group is behind the topics' ends: asked with little patience, for those who look on.

It asks as a consumer would, not by the admin client: when an answer does not come in time, that one can end the whole
process (seen: librdkafka 2.16, ``rd_kafka_enq_once_del_source_return: Assertion `eonce->refcnt > 0' failed``), and a
bridge must not die of being looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from functools import cached_property
from typing import NamedTuple

from confluent_kafka import Consumer, TopicPartition

from infrastructure.kafka import admin
from infrastructure.kafka.client import kafka_options
from infrastructure.settings import Settings

Partition = tuple[str, int]
"""A topic, prefix included, and one of its partitions."""


class Ends(NamedTuple):
    """The offset of a partition's oldest record, and the one that its next record gets."""

    first: int
    next: int


class LagReader:
    """Looks at one group, which it does not join; connects when it is first asked.

    Methods raise ``KafkaException`` when Kafka does not answer in time.
    """

    def __init__(self, settings: Settings, group: str, patience: float = 2.0) -> None:
        """``group`` is without the prefix; ``patience``: seconds that one answer of Kafka may take."""
        self._patience = patience
        self._topics = set(admin.topics_of(settings))
        self._client = {
            **kafka_options(settings.kafka),
            "group.id": settings.prefix + group,
            "enable.auto.commit": False,
            "log_level": 0,
        }

    @cached_property
    def _consumer(self) -> Consumer:
        return Consumer(self._client)

    def partitions(self) -> list[Partition]:
        """Every partition of the existing topics."""
        topics = self._consumer.list_topics(timeout=self._patience).topics
        return [(name, partition) for name in topics if name in self._topics for partition in topics[name].partitions]

    def ends(self, partitions: Iterable[Partition]) -> dict[Partition, Ends]:
        """Where the partitions begin and end."""
        return {
            partition: Ends(*self._consumer.get_watermark_offsets(TopicPartition(*partition), timeout=self._patience))
            for partition in partitions
        }

    def committed(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        """The group's offsets, where it has committed any."""
        if not partitions:
            return {}
        found = self._consumer.committed(
            [TopicPartition(*partition) for partition in partitions], timeout=self._patience
        )
        return {(tp.topic, tp.partition): tp.offset for tp in found if tp.error is None and tp.offset >= 0}

    def lag(self, partitions: Collection[Partition]) -> Counter[str]:
        """Records that the group has not committed, by topic; where it has committed nothing, all that there are."""
        committed, total = self.committed(partitions), Counter[str]()
        for (topic, partition), ends in self.ends(partitions).items():
            total[topic] += max(0, ends.next - committed.get((topic, partition), ends.first))
        return total

    def forget(self) -> None:
        """Connect anew when it is asked next: an old client may be stuck for good (watchdog.py)."""
        self.__dict__.pop("_consumer", None)  # not closed: another thread may be asking by it

    def close(self) -> None:
        """Leave Kafka."""
        self._consumer.close()
