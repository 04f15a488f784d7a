"""How far consumer groups are behind the topics' ends: asked with little patience, for those who look on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from settings import Settings
from topics import admin

PATIENCE = 1.0
"""Seconds that Kafka may take for an answer."""

Place = tuple[str, int]
"""A topic, prefix included, and one of its partitions."""


class LagReader:
    """Keeps its connection. Methods raise ``KafkaException`` when Kafka does not answer in time."""

    def __init__(self, settings: Settings) -> None:
        self._client = admin.client(settings)
        self._topics = set(admin.topics_of(settings))

    def places(self) -> list[Place]:
        """Every partition of the existing topics."""
        topics = self._client.list_topics(timeout=PATIENCE).topics
        return [(name, partition) for name in topics if name in self._topics for partition in topics[name].partitions]

    def records(self, places: Collection[Place]) -> Counter[str]:
        """How many records the partitions hold, by topic (in a compacted topic, how many it held, at most)."""
        first, end = self._ask(places, OffsetSpec.earliest()), self._ask(places, OffsetSpec.latest())
        return _by_topic((topic, end[topic, partition] - first[topic, partition]) for topic, partition in places)

    def lag(self, group: str, places: Collection[Place]) -> Counter[str]:
        """Records that a group has not committed yet, by topic; where it has committed nothing, all that there are."""
        if not places:
            return Counter()
        committed = self.committed(group)
        begin = committed | self._ask([place for place in places if place not in committed], OffsetSpec.earliest())
        end = self._ask(places, OffsetSpec.latest())
        return _by_topic((topic, max(0, end[topic, p] - begin[topic, p])) for topic, p in places)

    def committed(self, group: str) -> dict[Place, int]:
        """The offsets that a group has committed."""
        request = [ConsumerGroupTopicPartitions(group)]
        (future,) = self._client.list_consumer_group_offsets(request, request_timeout=PATIENCE).values()
        return {(tp.topic, tp.partition): tp.offset for tp in future.result().topic_partitions if tp.offset >= 0}

    def _ask(self, places: Collection[Place], spec: OffsetSpec) -> dict[Place, int]:
        if not places:
            return {}
        request = dict.fromkeys([TopicPartition(*place) for place in places], spec)
        futures = self._client.list_offsets(request, request_timeout=PATIENCE)
        errors, found = list[KafkaException](), {}
        for tp, future in futures.items():  # each is waited for, also behind one that failed
            try:
                found[tp.topic, tp.partition] = future.result().offset
            except KafkaException as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return found


def _by_topic(counts: Iterable[tuple[str, int]]) -> Counter[str]:
    total = Counter[str]()
    for topic, count in counts:
        total[topic] += count
    return total
