"""The audit is content when every reading is accounted for, and names what is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from confluent_kafka import Producer

from infrastructure.home import ROOT
from infrastructure.kafka.client import kafka_options
from infrastructure.settings import Settings
from operations.audit import Account, audit
from topics import catalogue
from topics.encoding import encode_heartbeat
from topics.names import AGGREGATES, DEAD_LETTERS, READINGS, REJECTED

DAY = 1577836800000
SENSORS = catalogue.read(Settings.of(env_file=None).sensors)


class Topics:
    """Writes records as producer, job and bridge would."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.producer = Producer(kafka_options(settings.kafka))
        self.producer.list_topics(timeout=30)

    def put(self, topic: str, value: bytes | None, key: bytes | None = None, **more: object) -> None:
        self.producer.produce(self.settings.prefix + topic, value, key, partition=0, timestamp=DAY + 86_400_000, **more)

    def reading(self, ts: int) -> None:
        self.put(READINGS, json.dumps({"site": "home", "sensor": "TH1", "ts": ts, "value": 1.0}).encode())

    def count(self, count: int, sensor: str = "TH1") -> None:
        key = {"series": "AggDayCount", "site": "home", "sensor": sensor, "day": DAY}
        self.put(
            AGGREGATES,
            json.dumps({**key, "value": count, "count": count}).encode(),
            json.dumps(key).encode(),
        )

    def retract(self) -> None:
        key = {"series": "AggDayCount", "site": "home", "sensor": "TH1", "day": DAY}
        self.put(AGGREGATES, None, json.dumps(key).encode())

    def dead_letter(self, offset: int) -> None:
        headers = {"topic": self.settings.prefix + READINGS, "partition": "0", "offset": str(offset)}
        self.put(DEAD_LETTERS, b"x", headers=headers)

    def audit(self) -> Account:
        assert self.producer.flush(30) == 0
        return audit(self.settings, SENSORS)


def command(settings: Settings) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **settings.environment()}
    return subprocess.run(
        [sys.executable, "-m", "topics", "audit"], cwd=ROOT, env=environment, capture_output=True, text=True
    )


@pytest.fixture
def topics(settings: Settings) -> Topics:
    """Three readings of a day, one of which was rejected, an open day, a heartbeat and an invalid record."""
    topics = Topics(settings)
    for minute in (0, 15, 30):
        topics.reading(DAY + minute * 60_000)
    topics.reading(DAY + 86_400_000)
    topics.put(READINGS, encode_heartbeat(DAY))
    topics.put(READINGS, b"nonsense")
    name = json.dumps({"site": "home", "sensor": "TH1", "ts": DAY}).encode()
    topics.put(REJECTED, b"{}", name)
    assert topics.producer.flush(30) == 0, "a test that sends no more must not leave these on their way"
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


def test_a_reading_that_is_counted_and_a_dead_letter_too_is_named(topics: Topics) -> None:
    topics.count(2)
    topics.dead_letter(5)
    topics.dead_letter(1)
    (both,) = topics.audit().unexplained
    assert "dailyAggr 0 1" in both


def test_a_reading_that_is_counted_and_rejected_too_is_named(topics: Topics) -> None:
    topics.count(3)
    topics.dead_letter(5)
    assert topics.audit().unexplained == ["home/TH1 2020-01-01: 2 readings accepted, 3 counted"]


def test_a_reading_that_comes_again_counts_once(topics: Topics) -> None:
    """The one that was rejected came again, when it was too late: the first one may be counted, or not."""
    topics.dead_letter(5)
    topics.reading(DAY + 15 * 60_000)
    topics.reading(DAY)
    topics.count(2)
    account = topics.audit()
    assert (account.unexplained, account.repeated, account.counted, account.rejected) == ([], 2, 2, 1)
    topics.count(3)
    account = topics.audit()
    assert (account.unexplained, account.repeated, account.counted, account.rejected) == ([], 2, 3, 0)
    topics.count(4)
    assert topics.audit().unexplained == ["home/TH1 2020-01-01: 3 readings accepted, 4 counted"]


def test_a_rejected_reading_that_was_never_sent_is_named(topics: Topics) -> None:
    topics.count(2)
    topics.dead_letter(5)
    topics.put(REJECTED, b"{}", json.dumps({"site": "home", "sensor": "TH1", "ts": DAY + 1}).encode())
    assert topics.audit().unexplained == ["home/TH1 2020-01-01: 1 rejected that are not in dailyAggr"]


def test_a_reading_that_was_sent_twice_counts_once(topics: Topics) -> None:
    topics.reading(DAY + 15 * 60_000)
    topics.count(2)
    topics.dead_letter(5)
    account = topics.audit()
    assert (account.unexplained, account.repeated, account.readings) == ([], 1, 4)


def test_the_last_count_of_a_day_is_the_one_that_holds(topics: Topics) -> None:
    topics.dead_letter(5)
    topics.count(1)
    topics.retract()
    topics.count(2)
    assert topics.audit().unexplained == []
    topics.retract()
    assert topics.audit().open == 3, "no day is closed any more"
    topics.count(96, "W1")
    assert "home/TH1 2020-01-01: 2 readings accepted, 0 counted" in topics.audit().unexplained


def test_the_command_tells_a_script_too(topics: Topics) -> None:
    topics.count(1)
    topics.dead_letter(5)
    topics.audit()
    wrong = command(topics.settings)
    assert wrong.returncode == 1
    assert "home/TH1 2020-01-01: 2 readings accepted, 1 counted" in wrong.stdout
    topics.count(2)
    topics.audit()
    right = command(topics.settings)
    assert (right.returncode, right.stderr) == (0, "")
    assert "every reading is accounted for" in right.stdout


def test_the_command_says_which_topic_is_missing(topics: Topics) -> None:
    done = command(topics.settings.replace(prefix="nowhere."))
    assert done.returncode == 1
    assert "there is no topic nowhere.deadLetter: `iot topics create` makes it" in done.stderr
    assert "Traceback" not in done.stderr
