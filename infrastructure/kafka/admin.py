"""Create, describe and delete the topics."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from concurrent.futures import wait
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, OffsetSpec
from tenacity import retry, retry_if_exception, retry_if_result, stop_after_delay, wait_fixed

from infrastructure.kafka.client import kafka_options
from infrastructure.kafka.diagnostics import Diagnostics, KafkaUnreachableError, explain, fetch_metadata
from infrastructure.settings import Settings
from topics.errors import UserError
from topics.names import AGGREGATES, DEAD_LETTERS, HISTORY, READINGS, REJECTED, TOPICS

FOREVER = "-1"
FAR = str(2**63 - 1)
TIMEOUT = 30

# Readings carry the time at which they were sent as their record timestamp. In a simulation that is a date long
# past, which any retention by time would delete at the next roll of the log, or one to come, which Kafka 4 refuses.
_BY_SIZE = {"retention.ms": FOREVER, "message.timestamp.after.max.ms": FAR}
# A withdrawal (null) outlives a day and more in which no bridge runs: unread, its point would stay in Redis for good.
_COMPACTED = {**_BY_SIZE, "cleanup.policy": "compact", "delete.retention.ms": str(30 * 86_400_000)}

CONFIGURATION = {
    # Flink's connector cannot unpack zstd (its jar has no library for it): one such record would end the job, and every
    # restart of it. The broker packs anew what comes otherwise; what comes as lz4, as from our producer, it leaves.
    #
    # Kafka begins a new segment with every week of record timestamps, and history would pass hundreds of them in a
    # minute: 2,000,000 readings of five years took 27 s, and take 8 s with segments by size alone.
    READINGS: {**_BY_SIZE, "segment.ms": FAR, "compression.type": "lz4"},
    HISTORY: {**_BY_SIZE, "segment.ms": FAR},
    AGGREGATES: _COMPACTED,
    REJECTED: _COMPACTED,
    # A dead letter is larger than the record it was, by its headers and by another compression.
    DEAD_LETTERS: {**_BY_SIZE, "max.message.bytes": "10000000"},
}
"""Configuration of each topic, where it differs from the broker's."""


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


class TopicError(UserError):
    """Kafka refused, or cannot be reached; the message says what to do."""


@dataclass(frozen=True)
class PartitionState:
    """One partition: its offsets, the timestamps at its ends (epoch ms, None when empty), and each group's lag."""

    topic: str
    partition: int
    first_offset: int
    next_offset: int
    first_timestamp: int | None
    last_timestamp: int | None
    lag: dict[str, int]


def client(settings: Settings) -> AdminClient:
    """A client whose complaints reach the caller as errors, not as log lines.

    Keep it until the futures that it gave are done: with it they end.
    """
    return AdminClient({**kafka_options(settings), "log_level": 0})


def topics_of(settings: Settings) -> tuple[str, ...]:
    """Names of the topics, with the prefix."""
    return tuple(settings.prefix + topic for topic in TOPICS)


def existing(settings: Settings) -> set[str]:
    """Those of the topics that exist. Raises ``TopicError`` when Kafka does not answer."""
    return set(topics_of(settings)) & partitions(settings).keys()


def partitions(settings: Settings) -> dict[str, int]:
    """Every topic on the broker, with its number of partitions. Raises ``TopicError`` when Kafka does not answer."""
    heard = Diagnostics()
    asking = AdminClient({**kafka_options(settings), "log_level": 0, "error_cb": heard})
    try:
        metadata = fetch_metadata(asking, heard, settings, seconds=TIMEOUT)
    except KafkaUnreachableError as error:
        raise TopicError(str(error)) from error
    return {name: len(topic.partitions) for name, topic in metadata.topics.items()}


def create(settings: Settings, only: Container[str] = TOPICS) -> list[str]:
    """Create the topics that are not there, or ``only`` some of them; returns their names. Idempotent.

    Topics of an earlier version get the configuration that they lack; what somebody has set on them stays.

    Raises ``TopicError`` when Kafka refuses, or when dailyAggr is there with another number of partitions: a
    sensor's readings would change their partition, and with it their order.
    """
    there = partitions(settings)
    readings = settings.prefix + READINGS
    if READINGS in only and there.get(readings, settings.partitions) != settings.partitions:
        raise TopicError(
            f"{readings} has {there[readings]} partitions and IOT_PARTITIONS is {settings.partitions}: a sensor's "
            f"readings must stay in one partition. Set IOT_PARTITIONS={there[readings]}, or delete the topics first."
        )
    wanted = [
        NewTopic(
            settings.prefix + topic,
            num_partitions=settings.partitions if topic in (READINGS, HISTORY) else 1,
            replication_factor=-1,  # the broker's default
            config=configuration,
        )
        for topic, configuration in CONFIGURATION.items()
        if topic in only and settings.prefix + topic not in there
    ]
    created = []
    admin = client(settings)
    _configure(settings, {settings.prefix + topic: CONFIGURATION[topic] for topic in CONFIGURATION if topic in only})
    for name, future in (admin.create_topics(wanted, operation_timeout=TIMEOUT) if wanted else {}).items():
        try:
            future.result()
            created.append(name)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise TopicError(f"could not create {name}: {_text(error)}") from error
    return created


def _configure(settings: Settings, wanted: Mapping[str, Mapping[str, str]]) -> None:
    """Set on topics that are there what is not set on them."""
    resources = []
    for name, found in configuration(settings).items():
        lacking = {entry: value for entry, value in wanted.get(name, {}).items() if entry not in found}
        changes = [
            ConfigEntry(entry, value, incremental_operation=AlterConfigOpType.SET) for entry, value in lacking.items()
        ]
        if changes:
            resources.append(ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=changes))
    admin = client(settings)
    for resource, future in (admin.incremental_alter_configs(resources) if resources else {}).items():
        try:
            future.result()
        except KafkaException as error:
            raise TopicError(f"could not configure {resource.name}: {_text(error)}") from error


def delete(settings: Settings, only: Iterable[str] = TOPICS) -> list[str]:
    """Delete those of the topics that are there; returns their names, when they are gone. Idempotent."""
    there = sorted(existing(settings) & {settings.prefix + topic for topic in only})
    admin = client(settings)
    for name, future in (admin.delete_topics(there, operation_timeout=TIMEOUT) if there else {}).items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise TopicError(f"could not delete {name}: {_text(error)}") from error

    @retry(
        retry=retry_if_result(bool),
        wait=wait_fixed(0.05),
        stop=stop_after_delay(TIMEOUT),
        retry_error_callback=lambda _: None,
    )
    def left() -> set[str]:
        return existing(settings) & set(there)

    if there and left() is None:
        raise TopicError(f"Kafka has not deleted {', '.join(there)} in {TIMEOUT} s: run it again")
    return there


def configuration(settings: Settings) -> dict[str, dict[str, str]]:
    """What is configured on each existing topic, where it differs from the broker's defaults."""
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in sorted(existing(settings))]
    admin = client(settings)
    found = admin.describe_configs(resources) if resources else {}
    return {
        resource.name: {
            entry.name: entry.value for entry in future.result().values() if not entry.is_default and entry.value
        }
        for resource, future in found.items()
    }


def describe(settings: Settings, groups: Iterable[str] = ()) -> list[PartitionState]:
    """State of every partition of the existing topics, with the lag of each group that has committed there."""
    every = _places(settings, partitions(settings))
    first = _offsets(settings, every, OffsetSpec.earliest())
    last = _offsets(settings, every, OffsetSpec.latest())
    committed = {group: _committed(settings, group, every) for group in groups}
    consumer = Consumer({**kafka_options(settings), "group.id": "describe", "log_level": 0})
    try:
        states = []
        for tp in every:
            place = (tp.topic, tp.partition)
            low, high = first[place], last[place]
            states.append(
                PartitionState(
                    topic=tp.topic,
                    partition=tp.partition,
                    first_offset=low,
                    next_offset=high,
                    first_timestamp=_timestamp(consumer, tp, low) if high > low else None,
                    last_timestamp=_timestamp(consumer, tp, high - 1) if high > low else None,
                    lag={group: high - offsets[place] for group, offsets in committed.items() if place in offsets},
                )
            )
        return states
    finally:
        consumer.close()


def end_offsets(settings: Settings, topic: str) -> dict[int, int]:
    """For each partition of a topic, the offset that its next record will get."""
    every = [TopicPartition(topic, p) for p in range(partitions(settings)[topic])]
    return {p: offset for (_, p), offset in _offsets(settings, every, OffsetSpec.latest()).items()}


def first_offsets(settings: Settings, topic: str) -> dict[int, int]:
    """For each partition of a topic, the offset of the oldest record that it still has."""
    every = [TopicPartition(topic, p) for p in range(partitions(settings)[topic])]
    return {p: offset for (_, p), offset in _offsets(settings, every, OffsetSpec.earliest()).items()}


def offsets_at(settings: Settings, topic: str, timestamp: int) -> dict[int, int]:
    """For each partition of a topic, the offset of the first record stamped ``timestamp`` (epoch ms) or later.

    Where there is none, that of the next record.
    """
    ends = end_offsets(settings, topic)
    every = [TopicPartition(topic, p) for p in ends]
    found = _offsets(settings, every, OffsetSpec.for_timestamp(timestamp))
    return {p: offset if offset >= 0 else ends[p] for (_, p), offset in found.items()}


def committed_offsets(settings: Settings, group: str) -> dict[tuple[str, int], int]:
    """What a group has committed in the existing topics, by topic and partition; empty for one that does not exist.

    Raises ``TopicError`` when Kafka does not say.
    """
    return _committed(settings, group, _places(settings, partitions(settings)))


def _places(settings: Settings, counts: dict[str, int]) -> list[TopicPartition]:
    """Every partition of the topics that exist."""
    return [TopicPartition(topic, p) for topic in topics_of(settings) if topic in counts for p in range(counts[topic])]


when_it_has_passed = retry(
    retry=retry_if_exception(lambda error: isinstance(error, KafkaException) and error.args[0].code() in PASSING),
    wait=wait_fixed(0.1),
    stop=stop_after_delay(TIMEOUT),
    reraise=True,
)
"""Calls a function again while Kafka refuses for a reason of PASSING."""


def _committed(settings: Settings, group: str, every: list[TopicPartition]) -> dict[tuple[str, int], int]:
    # Asked as a member of the group would, which it does not become by that. AdminClient.list_consumer_group_offsets
    # ends the whole process by a segmentation fault when the broker that it asks has just started and does not
    # coordinate the group yet (librdkafka issue 5040).
    consumer = Consumer({**kafka_options(settings), "group.id": group, "log_level": 0})
    try:
        found = when_it_has_passed(consumer.committed)(every, timeout=TIMEOUT) if every else []
    except KafkaException as error:
        raise TopicError(f"Kafka does not say what group {group} has committed: {_text(error)}") from error
    finally:
        consumer.close()
    return {(tp.topic, tp.partition): tp.offset for tp in found if tp.offset >= 0}


@when_it_has_passed
def _offsets(settings: Settings, every: list[TopicPartition], spec: OffsetSpec) -> dict[tuple[str, int], int]:
    admin = client(settings)
    found = admin.list_offsets(dict.fromkeys(every, spec), request_timeout=TIMEOUT) if every else {}
    wait(found.values())  # one that fails must not end the client under the others
    return {(tp.topic, tp.partition): future.result().offset for tp, future in found.items()}


def _timestamp(consumer: Consumer, tp: TopicPartition, offset: int) -> int | None:
    consumer.assign([TopicPartition(tp.topic, tp.partition, offset)])
    message = consumer.poll(5)
    # Behind the last record of a transaction stands its marker, which no consumer sees.
    return message.timestamp()[1] if message is not None and message.error() is None else None


def _text(error: KafkaException) -> str:
    return explain(error)
