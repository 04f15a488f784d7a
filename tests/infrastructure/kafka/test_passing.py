"""What a broker that has just started refuses for a moment, and what it refuses for good."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from infrastructure.kafka import admin, offsets
from infrastructure.kafka.reader import read_topic
from infrastructure.settings import Settings
from tests.infrastructure.kafka.mock_broker import LIST_OFFSETS, OFFSET_FETCH, MockBroker, mock_broker
from topics.names import READINGS, REJECTED

GROUP = "group"


@pytest.fixture
def broker() -> Iterator[MockBroker]:
    with mock_broker() as running:
        running.create(READINGS, 3)
        running.create(REJECTED, 1)
        running.create("another", 1)
        yield running


@pytest.fixture
def settings(broker: MockBroker) -> Settings:
    return Settings.of(env_file=None, kafka=broker.address, kafka_user="")


def commit(settings: Settings, *offsets: TopicPartition) -> None:
    consumer = Consumer({"bootstrap.servers": settings.kafka.servers, "group.id": GROUP})
    consumer.commit(offsets=list(offsets), asynchronous=False)
    consumer.close()


def test_committed_offsets_are_those_of_every_topic(settings: Settings) -> None:
    assert offsets.committed_offsets(settings.kafka, GROUP) == {}
    commit(settings, TopicPartition(READINGS, 0, 5), TopicPartition(READINGS, 2, 0), TopicPartition("another", 0, 7))
    assert offsets.committed_offsets(settings.kafka, GROUP) == {
        (READINGS, 0): 5,
        (READINGS, 2): 0,
        ("another", 0): 7,
    }
    assert offsets.committed_offsets(settings.kafka, "another group") == {}


def test_a_group_s_broker_that_is_not_its_coordinator_yet_is_asked_again(
    broker: MockBroker, settings: Settings
) -> None:
    """It says that it is not the coordinator; by the admin client that ended the process (librdkafka issue 5040)."""
    commit(settings, TopicPartition(REJECTED, 0, 3))
    broker.refuse(
        OFFSET_FETCH,
        [
            KafkaError.NOT_COORDINATOR,
            KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
            KafkaError.COORDINATOR_NOT_AVAILABLE,
            KafkaError.NOT_COORDINATOR,
        ],
    )
    assert offsets.committed_offsets(settings.kafka, GROUP) == {(REJECTED, 0): 3}


def test_a_refusal_for_good_is_not_an_empty_answer(broker: MockBroker, settings: Settings) -> None:
    broker.refuse(OFFSET_FETCH, [KafkaError.GROUP_AUTHORIZATION_FAILED])
    with pytest.raises(admin.TopicError, match="what group group has committed"):
        offsets.committed_offsets(settings.kafka, GROUP)


def test_a_topic_whose_partitions_have_no_leader_yet_can_be_read(broker: MockBroker, settings: Settings) -> None:
    refusals = [KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE] * 2
    broker.refuse(LIST_OFFSETS, refusals)
    assert list(read_topic(settings.kafka, READINGS)) == []
    broker.refuse(LIST_OFFSETS, refusals)
    assert offsets.end_offsets(settings.kafka, READINGS) == {0: 0, 1: 0, 2: 0}
