"""A client that Kafka does not answer any more: told when others are answered, waited for when nobody is."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

import pytest
from confluent_kafka import KafkaError, KafkaException

from infrastructure.kafka.watchdog import EVERY, PATIENCE, ClientStuckError, Watchdog, Watched
from infrastructure.settings import Settings
from tests.infrastructure.kafka.mock_broker import mock_broker

TOPIC = "seen"


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


class Metadata(NamedTuple):
    brokers: dict[int, str]


@dataclass
class Client:
    """One that may be stuck; ``asked`` counts the questions."""

    blind: bool = False
    asked: int = 0

    def list_topics(self, topic: str, timeout: float) -> Any:
        assert (topic, timeout) == (TOPIC, 1)
        self.asked += 1
        if self.blind:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT, "no broker"))
        return Metadata({1: "broker"})


def check_for(watchdog: Watchdog, clock: Clock, seconds: float) -> None:
    until = clock.now + seconds
    while clock.now < until:
        clock.now += EVERY
        watchdog.check()


def settings_at(address: str) -> Settings:
    return Settings.of(env_file=None, kafka=address, kafka_user="", kafka_ca=None)


def test_one_client_of_two_that_is_never_answered_is_told() -> None:
    clock, seeing, blind = Clock(), Client(), Client(blind=True)
    with mock_broker() as broker:
        broker.create(TOPIC, 1)
        watchdog = Watchdog(settings_at(broker.address).kafka, TOPIC, Watched(seeing), Watched(blind), clock=clock)
        check_for(watchdog, clock, PATIENCE)
        with pytest.raises(ClientStuckError, match="started again"):
            check_for(watchdog, clock, EVERY)


def test_a_client_that_is_answered_now_and_then_is_not() -> None:
    clock, client = Clock(), Client()
    with mock_broker() as broker:
        broker.create(TOPIC, 1)
        watchdog = Watchdog(settings_at(broker.address).kafka, TOPIC, Watched(client), clock=clock)
        for _ in range(3):
            client.blind = True
            check_for(watchdog, clock, PATIENCE)
            client.blind = False
            check_for(watchdog, clock, EVERY)


def test_while_nobody_is_answered_it_goes_on_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, client = Clock(), Client(blind=True)
    monkeypatch.setattr(Watchdog, "_answers_others", lambda _: False)
    watchdog = Watchdog(settings_at("127.0.0.1:1").kafka, TOPIC, Watched(client), clock=clock)
    check_for(watchdog, clock, 10 * PATIENCE)
    assert client.asked == 10 * PATIENCE / EVERY


def test_it_does_not_ask_all_the_time() -> None:
    clock, client = Clock(), Client()
    watchdog = Watchdog(settings_at("127.0.0.1:1").kafka, TOPIC, Watched(client), clock=clock)
    for _ in range(1000):
        watchdog.check()
    assert client.asked == 0


def test_one_that_gets_something_is_not_asked() -> None:
    clock, client, got = Clock(), Client(blind=True), count()
    watchdog = Watchdog(settings_at("127.0.0.1:1").kafka, TOPIC, Watched(client, lambda: next(got)), clock=clock)
    check_for(watchdog, clock, 10 * PATIENCE)
    assert client.asked == 0
