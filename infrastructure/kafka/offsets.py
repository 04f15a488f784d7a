"""How far topics reach, and how far groups have come: offsets by topic and partition."""

from __future__ import annotations

from concurrent.futures import wait

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec
from tenacity import retry, retry_if_exception, stop_after_delay, wait_fixed

from infrastructure.kafka.admin import TopicError, client, partitions
from infrastructure.kafka.client import kafka_options
from infrastructure.kafka.diagnostics import explain
from infrastructure.settings import KafkaSettings

TIMEOUT = 30

# A partition has no leader for a moment when it is made or when a broker starts, and a group no coordinator.
PASSING = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    }
)


retry_passing = retry(
    retry=retry_if_exception(lambda error: isinstance(error, KafkaException) and error.args[0].code() in PASSING),
    wait=wait_fixed(0.1),
    stop=stop_after_delay(TIMEOUT),
    reraise=True,
)
"""Calls a function again while Kafka refuses for a reason of PASSING."""


def end_offsets(kafka: KafkaSettings, topic: str) -> dict[int, int]:
    """For each partition of a topic, the offset that its next record will get."""
    every = [TopicPartition(topic, p) for p in range(partitions(kafka)[topic])]
    return {p: offset for (_, p), offset in list_offsets(kafka, every, OffsetSpec.latest()).items()}


def first_offsets(kafka: KafkaSettings, topic: str) -> dict[int, int]:
    """For each partition of a topic, the offset of the oldest record that it still has."""
    every = [TopicPartition(topic, p) for p in range(partitions(kafka)[topic])]
    return {p: offset for (_, p), offset in list_offsets(kafka, every, OffsetSpec.earliest()).items()}


def offsets_at(kafka: KafkaSettings, topic: str, timestamp: int) -> dict[int, int]:
    """For each partition of a topic, the offset of the first record stamped ``timestamp`` (epoch ms) or later.

    Where there is none, that of the next record.
    """
    ends = end_offsets(kafka, topic)
    every = [TopicPartition(topic, p) for p in ends]
    found = list_offsets(kafka, every, OffsetSpec.for_timestamp(timestamp))
    return {p: offset if offset >= 0 else ends[p] for (_, p), offset in found.items()}


def committed_offsets(kafka: KafkaSettings, group: str) -> dict[tuple[str, int], int]:
    """What a group has committed, by topic and partition; empty for one that does not exist.

    Raises ``TopicError`` when Kafka does not say.
    """
    # Asked as a member of the group would, which it does not become by that. AdminClient.list_consumer_group_offsets
    # ends the whole process by a segmentation fault when the broker that it asks has just started and does not
    # coordinate the group yet (librdkafka issue 5040).
    every = [TopicPartition(topic, p) for topic, count in partitions(kafka).items() for p in range(count)]
    consumer = Consumer({**kafka_options(kafka), "group.id": group, "log_level": 0})
    try:
        found = retry_passing(consumer.committed)(every, timeout=TIMEOUT) if every else []
    except KafkaException as error:
        raise TopicError(f"Kafka does not say what group {group} has committed: {explain(error)}") from error
    finally:
        consumer.close()
    return {(tp.topic, tp.partition): tp.offset for tp in found if tp.offset >= 0}


@retry_passing
def list_offsets(kafka: KafkaSettings, every: list[TopicPartition], spec: OffsetSpec) -> dict[tuple[str, int], int]:
    """The offset that ``spec`` asks for, of each partition. Raises ``KafkaException``."""
    admin = client(kafka)
    found = admin.list_offsets(dict.fromkeys(every, spec), request_timeout=TIMEOUT) if every else {}
    wait(found.values())  # one that fails must not end the client under the others
    return {(tp.topic, tp.partition): future.result().offset for tp, future in found.items()}
