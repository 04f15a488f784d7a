"""The audit is content when every reading is accounted for, and names what is not."""

from __future__ import annotations

import json

import pytest
from confluent_kafka import Producer

from settings import Settings
from topics import catalogue
from topics.audit import Account, audit
from topics.names import AGGREGATES, DEAD_LETTERS, READINGS, REJECTED
from topics.reading import heartbeat

DAY = 1577836800000
SENSORS = catalogue.read(Settings(_env_file=None).sensors)


class Topics:
    """Writes records as producer, job and bridge would."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.producer = Producer({"bootstrap.servers": settings.kafka})
        self.producer.list_topics(timeout=30)

    def put(self, topic: str, value: bytes, key: bytes | None = None, **more: object) -> None:
        self.producer.produce(self.settings.prefix + topic, value, key, partition=0, timestamp=DAY + 86_400_000, **more)

    def reading(self, ts: int) -> None:
        self.put(READINGS, json.dumps({"site": "home", "sensor": "TH1", "ts": ts, "value": 1.0}).encode())

    def count(self, count: int, sensor: str = "TH1") -> None:
        key = {"series": "AggDayCount", "site": "home", "sensor": sensor, "window_start": "2020-01-01 00:00:00Z"}
        self.put(AGGREGATES, json.dumps({**key, "value": count, "count": count}).encode(), json.dumps(key).encode())

    def dead_letter(self, offset: int) -> None:
        headers = {"topic": self.settings.prefix + READINGS, "partition": "0", "offset": str(offset)}
        self.put(DEAD_LETTERS, b"x", headers=headers)

    def audit(self) -> Account:
        assert self.producer.flush(30) == 0
        return audit(self.settings, SENSORS)


@pytest.fixture
def topics(settings: Settings) -> Topics:
    """Three readings of a day, one of which was rejected, an open day, a heartbeat and an invalid record."""
    topics = Topics(settings)
    for minute in (0, 15, 30):
        topics.reading(DAY + minute * 60_000)
    topics.reading(DAY + 86_400_000)
    topics.put(READINGS, heartbeat(DAY))
    topics.put(READINGS, b"nonsense")
    name = json.dumps({"site": "home", "sensor": "TH1", "ts": DAY}).encode()
    topics.put(REJECTED, b"{}", name)
    return topics


def test_content_when_all_is_there(topics: Topics) -> None:
    topics.count(2)
    topics.dead_letter(5)
    account = topics.audit()
    assert account.unexplained == []
    assert account == Account(
        records=6, heartbeats=1, readings=4, invalid=1, counted=2, rejected=1, open=1, dead_letters=1
    )


def test_a_lost_reading_is_named(topics: Topics) -> None:
    topics.count(1)
    topics.dead_letter(5)
    assert topics.audit().unexplained == ["home/TH1 2020-01-01: 2 readings accepted, 1 counted"]


def test_a_day_that_was_never_counted_is_named(topics: Topics) -> None:
    topics.count(96, "W1")
    topics.dead_letter(5)
    found = topics.audit().unexplained
    assert "home/TH1 2020-01-01: 2 readings accepted, 0 counted" in found
    assert "home/W1 2020-01-01: 0 readings accepted, 96 counted" in found


def test_a_missing_and_a_doubled_dead_letter_are_named(topics: Topics) -> None:
    topics.count(2)
    (missing,) = topics.audit().unexplained
    assert missing.endswith("dailyAggr 0 5: not in deadLetter")
    topics.dead_letter(5)
    topics.dead_letter(5)
    (doubled,) = topics.audit().unexplained
    assert doubled.endswith("dailyAggr 0 5: 2 times")
