"""Create, configure and delete the topics."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from infrastructure.kafka.client import kafka_options
from infrastructure.kafka.diagnostics import Diagnostics, KafkaUnreachableError, explain, fetch_metadata
from infrastructure.settings import KafkaSettings, Settings
from topics import wording
from topics.errors import UserError
from topics.names import (
    AGGREGATES,
    DEAD_LETTERS,
    HISTORY,
    READINGS,
    REJECTED,
    SENSOR_CLASSES,
    TOPICS,
    prefix_of,
    prefixes_of,
)

FOREVER = "-1"
FAR = str(2**63 - 1)
TIMEOUT = 30

# Records are stamped with the day that they describe, or the tick of a simulation. That is a date long past, which any
# retention by time would delete at the next roll of the log, or one to come, which Kafka 4 refuses.
_BY_SIZE = {"retention.ms": FOREVER, "message.timestamp.after.max.ms": FAR}
# A tombstone (null) outlives a day and more in which no bridge runs: unread, its point would stay in Redis for good.
_COMPACTED = {**_BY_SIZE, "cleanup.policy": "compact", "delete.retention.ms": str(30 * 86_400_000)}

RECEIVED = {"message.timestamp.type": "LogAppendTime"}
"""Of dailyAggr, always: whatever somebody has set is set back."""

CONFIGURATION = {
    # Flink's connector cannot unpack zstd (its jar has no library for it): one such record would end the job, and every
    # restart of it. The broker packs anew what comes otherwise; what comes as lz4, as from our producer, it leaves.
    #
    # The record timestamp is the broker's: no client's clock decides what is of the future, or what retention deletes.
    READINGS: {"retention.ms": FOREVER, "compression.type": "lz4", **RECEIVED},
    # Kafka begins a new segment with every week of record timestamps, and history would pass hundreds of them in a
    # minute: 2,000,000 readings of five years took 27 s, and take 8 s with segments by size alone.
    HISTORY: {**_BY_SIZE, "segment.ms": FAR},
    AGGREGATES: _COMPACTED,
    REJECTED: _COMPACTED,
    # A dead letter is larger than the record it was, by its headers and by another compression.
    DEAD_LETTERS: {**_BY_SIZE, "max.message.bytes": "10000000"},
    SENSOR_CLASSES: {"retention.ms": FOREVER},
}
"""Configuration of each topic, where it differs from the broker's."""


class TopicError(UserError):
    """Kafka refused, or cannot be reached; the message says what to do."""


def client(kafka: KafkaSettings) -> AdminClient:
    """A client whose complaints reach the caller as errors, not as log lines.

    Keep it until the futures that it gave are done: with it they end.
    """
    return AdminClient({**kafka_options(kafka), "log_level": 0})


def topics_of(settings: Settings) -> tuple[str, ...]:
    """Names of the topics, with the prefix."""
    return tuple(settings.prefix + topic for topic in TOPICS)


def existing(settings: Settings) -> set[str]:
    """Those of the topics that exist. Raises ``TopicError`` when Kafka does not answer."""
    return set(topics_of(settings)) & partitions(settings.kafka).keys()


def partitions(kafka: KafkaSettings) -> dict[str, int]:
    """Every topic on the broker, with its number of partitions. Raises ``TopicError`` when Kafka does not answer."""
    diagnostics = Diagnostics()
    asking = AdminClient({**kafka_options(kafka), "log_level": 0, "error_cb": diagnostics})
    try:
        metadata = fetch_metadata(asking, diagnostics, kafka, seconds=TIMEOUT)
    except KafkaUnreachableError as error:
        raise TopicError(str(error)) from error
    return {name: len(topic.partitions) for name, topic in metadata.topics.items()}


def elsewhere(topics: Iterable[str]) -> str:
    """Under which prefixes the system has some of these topics, for somebody who has looked under another one."""
    return wording.elsewhere("topics", prefixes_of(topics))


def no_topic(topic: str, topics: Iterable[str]) -> str:
    """That one of the system's topics is missing on a broker with these, and what may be meant."""
    there = set(topics)
    also = "" if prefix_of(topic) in prefixes_of(there) else f"; {elsewhere(there)}"
    return f"there is no topic {topic}: `iot topics create` makes it{also}"


def create(
    settings: Settings,
    only: Container[str] = TOPICS,
    configuration: Mapping[str, Mapping[str, str]] = CONFIGURATION,
) -> list[str]:
    """Create the topics that are not there, or ``only`` some of them; returns their names. Idempotent.

    Topics of an earlier version get the configuration that they lack; what somebody has set on them stays.
    ``configuration``: of each topic, where it differs from the broker's.

    Raises ``TopicError`` when Kafka refuses, or when dailyAggr is there with another number of partitions: a
    sensor's readings would change their partition, and with it their order.
    """
    there = partitions(settings.kafka)
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
            config=dict(entries),
        )
        for topic, entries in configuration.items()
        if topic in only and settings.prefix + topic not in there
    ]
    created = []
    admin = client(settings.kafka)
    _configure(
        settings, {settings.prefix + topic: entries for topic, entries in configuration.items() if topic in only}
    )
    for name, future in (admin.create_topics(wanted, operation_timeout=TIMEOUT) if wanted else {}).items():
        try:
            future.result()
            created.append(name)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise TopicError(f"could not create {name}: {explain(error)}") from error
    return created


def _configure(settings: Settings, wanted: Mapping[str, Mapping[str, str]]) -> None:
    """Set on topics that are there what is not set on them, and what must be as it is."""
    resources = []
    for name, found in configured(settings).items():
        lacking = {
            entry: value
            for entry, value in wanted.get(name, {}).items()
            if entry not in found or (entry in RECEIVED and found[entry] != value)
        }
        changes = [
            ConfigEntry(entry, value, incremental_operation=AlterConfigOpType.SET) for entry, value in lacking.items()
        ]
        if RECEIVED.keys() <= wanted.get(name, {}).keys():
            # Of before the record timestamp was the broker's: now a retention by time means what people think.
            changes += [
                ConfigEntry(entry, None, incremental_operation=AlterConfigOpType.DELETE)
                for entry in ("segment.ms", "message.timestamp.after.max.ms")
                if found.get(entry) == FAR
            ]
        if changes:
            resources.append(ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=changes))
    admin = client(settings.kafka)
    for resource, future in (admin.incremental_alter_configs(resources) if resources else {}).items():
        try:
            future.result()
        except KafkaException as error:
            raise TopicError(f"could not configure {resource.name}: {explain(error)}") from error


def delete(settings: Settings, only: Iterable[str] = TOPICS) -> list[str]:
    """Delete those of the topics that are there; returns their names, when they are gone. Idempotent."""
    wanted = {settings.prefix + topic for topic in only}
    there = sorted(partitions(settings.kafka).keys() & wanted)
    admin = client(settings.kafka)
    for name, future in (admin.delete_topics(there, operation_timeout=TIMEOUT) if there else {}).items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise TopicError(f"could not delete {name}: {explain(error)}") from error

    @retry(
        retry=retry_if_result(bool),
        wait=wait_fixed(0.05),
        stop=stop_after_delay(TIMEOUT),
        retry_error_callback=lambda _: None,
    )
    def left() -> set[str]:
        return partitions(settings.kafka).keys() & set(there)

    if there and left() is None:
        raise TopicError(f"Kafka has not deleted {', '.join(there)} in {TIMEOUT} s: run it again")
    return there


def configured(settings: Settings) -> dict[str, dict[str, str]]:
    """What is configured on each existing topic, where it differs from the broker's defaults."""
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in sorted(existing(settings))]
    admin = client(settings.kafka)
    found = admin.describe_configs(resources) if resources else {}
    return {
        resource.name: {
            entry.name: entry.value for entry in future.result().values() if not entry.is_default and entry.value
        }
        for resource, future in found.items()
    }
