"""The bridge on the real Kafka and Redis: what it stores, what it puts aside, and that it survives every crash."""

from __future__ import annotations

import gc
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
import redis
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from infrastructure.kafka import admin
from infrastructure.kafka.client import kafka_options
from infrastructure.kafka.offsets import committed_offsets
from infrastructure.settings import ROOT, Settings
from ingest.bridge import Bridge
from ingest.records import Point
from ingest.store import NotDurable, Store
from scripts.stack.processes import processes
from scripts.stack.supervision import Stack
from tests.ingest.traffic import (
    DAY_MS,
    SENSORS,
    START,
    Points,
    Record,
    aggregate,
    assert_each_once,
    behind,
    described,
    garbage,
    letters,
    origin,
    origins,
    points,
    reading,
    rejected,
    send,
    stored,
    wait_until_committed,
)
from tests.running import PATIENCE, Bridging, wait_for
from tests.validity import CASES, SENT
from topics.encoding import encode_heartbeat
from topics.names import AGGREGATES, DEAD_LETTERS, READINGS, REJECTED
from topics.reading import Reading

# What is stored


def test_every_valid_reading_is_a_point_of_its_raw_series(
    settings: Settings, bridge: Bridging, store: redis.Redis
) -> None:
    values = [22.5, -0.0, 5e-324, 1.7976931348623157e308, 0.1 + 0.2, 1e22, -1e-7]
    wanted = {
        "TH1": [(START + n, value) for n, value in enumerate(values)],
        "Etot": [(0, 1.0), (START, 2.0)],
        "Mov1": [(START + 123, 1.0)],
        "site-0002:TH1": [(START, 4.0)],
        f"{'x' * 64}:W1": [(START, 5.0)],
        "a_b.C-9:TH1": [(START, 6.0)],
    }
    for name, series in wanted.items():
        site, _, sensor = name.rpartition(":")
        send(settings, *(reading(sensor, ts, value, site or "home") for ts, value in series))
    wait_until_committed(settings)
    found = stored(store, settings)
    assert found == wanted
    assert str(found["TH1"][1][1]) == "-0.0"
    expected = {"site": "home", "sensor": "TH1", "series": "raw", "unit": "°C", "prefix": settings.prefix}
    assert described(store, settings, "TH1") == (expected, "first")
    other = {"site": "a_b.C-9", "sensor": "TH1", "series": "raw", "unit": "°C", "prefix": settings.prefix}
    assert described(store, settings, "a_b.C-9:TH1") == (other, "first")
    assert letters(settings) == []


def test_of_a_reading_that_is_sent_twice_the_first_counts(
    settings: Settings, bridge: Bridging, store: redis.Redis
) -> None:
    send(settings, reading("TH1", START, 1.0), reading("TH1", START, 2.0), reading("TH1", START + 1, 3.0))
    wait_until_committed(settings)
    assert points(store, settings, "TH1") == [(START, 1.0), (START + 1, 3.0)]
    send(settings, reading("TH1", START + 1, 4.0), reading("TH1", START, 5.0))
    wait_until_committed(settings)
    assert points(store, settings, "TH1") == [(START, 1.0), (START + 1, 3.0)]


def test_aggregates_and_rejected_readings_are_series_of_their_own(
    settings: Settings, bridge: Bridging, store: redis.Redis
) -> None:
    send(
        settings,
        aggregate("AggDay", "TH1", 20.5),
        aggregate("AggDay", "TH1", 21.5, "2020-01-02 00:00:00Z"),
        aggregate("AggDayCount", "TH1", 96),
        aggregate("AggDayDiff", "Etot", 62_400, "2019-12-31 00:00:00Z"),
        aggregate("AggDayRest", "Etot", -3.5),
        aggregate("AggDay", "TH1", 7.5, site="b"),
        rejected(START - 9 * DAY_MS, 0.5),
        rejected(START - 8 * DAY_MS, 0.25),
        rejected(START, 0.75, site="b"),
    )
    wait_until_committed(settings)
    assert stored(store, settings) == {
        "AggDayTH1": [(START, 20.5), (START + DAY_MS, 21.5)],
        "AggDayCountTH1": [(START, 96.0)],
        "AggDayDiffEtot": [(START, 62_400.0)],
        "AggDayRestEtot": [(START, -3.5)],
        "b:AggDayTH1": [(START, 7.5)],
        "LateRejW1": [(START - 9 * DAY_MS, 0.5), (START - 8 * DAY_MS, 0.25)],
        "b:LateRejW1": [(START, 0.75)],
    }
    for key, site, sensor, kind, unit in (
        ("AggDayTH1", "home", "TH1", "AggDay", "°C"),
        ("AggDayDiffEtot", "home", "Etot", "AggDayDiff", "Wh"),
        ("b:LateRejW1", "b", "W1", "LateRej", "L"),
    ):
        labels = {"site": site, "sensor": sensor, "series": kind, "unit": unit, "prefix": settings.prefix}
        assert described(store, settings, key) == (labels, "last")


def test_of_an_aggregate_the_last_correction_counts(settings: Settings, bridge: Bridging, store: redis.Redis) -> None:
    send(settings, aggregate("AggDay", "TH1", 1.0), aggregate("AggDay", "TH1", 2.0))
    wait_until_committed(settings)
    assert points(store, settings, "AggDayTH1") == [(START, 2.0)]
    send(settings, aggregate("AggDay", "TH1", 3.0))
    wait_until_committed(settings)
    assert points(store, settings, "AggDayTH1") == [(START, 3.0)]


def test_heartbeats_are_neither_stored_nor_put_aside(settings: Settings, bridge: Bridging, store: redis.Redis) -> None:
    send(settings, *(Record(READINGS, None, encode_heartbeat(START + n), n % 6) for n in range(60)))
    wait_until_committed(settings)
    assert bridge.bridge.counts.records == 60
    assert stored(store, settings) == {}
    assert letters(settings) == []


def test_a_series_that_somebody_deletes_is_made_again(settings: Settings, bridge: Bridging, store: redis.Redis) -> None:
    send(settings, reading("TH1", START, 1.0), aggregate("AggDay", "TH1", 1.0), reading("TH2", START, 1.0))
    wait_until_committed(settings)
    assert store.delete(settings.prefix + "TH1", settings.prefix + "AggDayTH1") == 2
    send(settings, reading("TH1", START + 1, 2.0), reading("TH2", START + 1, 2.0), aggregate("AggDay", "TH1", 2.0))
    wait_until_committed(settings)
    assert points(store, settings, "TH1") == [(START + 1, 2.0)]
    assert points(store, settings, "TH2") == [(START, 1.0), (START + 1, 2.0)]
    assert points(store, settings, "AggDayTH1") == [(START, 2.0)]
    assert described(store, settings, "TH1")[0]["series"] == "raw"
    assert [described(store, settings, key)[1] for key in ("TH1", "AggDayTH1")] == ["first", "last"]


@pytest.mark.usefixtures("store")
def test_carrying_records_searches_no_garbage(settings: Settings) -> None:
    """No object of a record is part of a cycle; searched for some, they took a quarter of all time."""
    send(settings, *(reading("TH1", START + n, n) for n in range(5000)))
    threshold = gc.get_threshold()
    searches: list[int] = []
    bridge = Bridge(settings, SENSORS)
    carry = bridge._carry

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and threading.current_thread().name == "bridge":
            searches.append(info["generation"])

    def watched(messages: Sequence[Message]) -> None:
        gc.callbacks.append(note)
        try:
            carry(messages)
        finally:
            gc.callbacks.remove(note)

    bridge._carry = watched  # type: ignore[method-assign]
    with Bridging(bridge):
        wait_until_committed(settings)
    assert searches == []
    assert gc.get_threshold() == threshold


def test_two_bridges_share_the_work(settings: Settings, bridge: Bridging, store: redis.Redis) -> None:
    first = [reading(sensor, START + n, n) for n in range(500) for sensor in SENSORS]
    wrong = [garbage(n, n % 6) for n in range(30)]
    send(settings, *first)
    with Bridging(Bridge(settings, SENSORS)):
        offsets = send(settings, *wrong)
        send(settings, *(reading(sensor, START + n, n) for n in range(500, 1000) for sensor in SENSORS))
        wait_until_committed(settings)
    assert stored(store, settings) == {sensor: [(START + n, float(n)) for n in range(1000)] for sensor in SENSORS}
    assert_each_once(settings, wrong, offsets)


# Withdrawals


class Clock:
    """Time passes when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(settings: Settings, clock: Clock) -> Iterator[Bridging]:
    """A bridge whose time is the test's."""
    with Bridging(Bridge(settings, SENSORS, clock)) as running:
        yield running


def wait_until_read(running: Bridging, records: int) -> None:
    wait_for(lambda: running.bridge.counts.records >= records, f"{records} records to be read")


def test_a_withdrawal_with_its_correction_behind_it_is_just_the_correction(
    settings: Settings, bridge: Bridging, store: redis.Redis
) -> None:
    days = [f"2020-01-{day:02} 00:00:00Z" for day in range(1, 29)]
    send(settings, *(aggregate("AggDay", "TH1", 1.0, day) for day in days))
    wait_until_committed(settings)
    old, new = ([(START + day * DAY_MS, value) for day in range(28)] for value in (1.0, 2.0))
    assert points(store, settings, "AggDayTH1") == old
    send(
        settings,
        *(r for day in days for r in (aggregate("AggDay", "TH1", None, day), aggregate("AggDay", "TH1", 2.0, day))),
    )
    seen = old
    while seen != new:
        seen = points(store, settings, "AggDayTH1")
        assert [ts for ts, _ in seen] == [ts for ts, _ in old], "a gap"
    wait_until_committed(settings)
    assert bridge.bridge.counts.withdrawn == 0


def test_a_reader_sees_no_gap_while_a_withdrawal_waits_for_its_correction(
    settings: Settings, timed: Bridging, clock: Clock, store: redis.Redis
) -> None:
    send(settings, aggregate("AggDay", "TH1", 1.0))
    wait_until_read(timed, 1)
    send(settings, aggregate("AggDay", "TH1", None))
    wait_until_read(timed, 2)
    clock.now += settings.ingest.settle.total_seconds() - 0.01
    send(settings, reading("TH1", START, 5.0))  # carried by a poll that could have deleted the point
    wait_until_read(timed, 3)
    assert points(store, settings, "AggDayTH1") == [(START, 1.0)]
    send(settings, aggregate("AggDay", "TH1", 2.0))
    wait_until_read(timed, 4)
    assert points(store, settings, "AggDayTH1") == [(START, 2.0)]
    clock.now += 1000
    send(settings, reading("TH1", START + 1, 5.0))
    wait_until_read(timed, 5)
    assert points(store, settings, "AggDayTH1") == [(START, 2.0)]
    assert timed.bridge.counts.withdrawn == 0


def test_a_withdrawal_that_nothing_follows_deletes_the_point_after_the_settle_time(
    settings: Settings, timed: Bridging, clock: Clock, store: redis.Redis
) -> None:
    send(settings, aggregate("AggDay", "TH1", 1.0), aggregate("AggDay", "TH1", 2.0, "2020-01-02 00:00:00Z"))
    wait_until_read(timed, 2)
    (offset,) = send(settings, aggregate("AggDay", "TH1", None))
    send(settings, aggregate("AggDay", "TH2", 3.0))
    wait_until_read(timed, 4)
    assert points(store, settings, "AggDayTH1") == [(START, 1.0), (START + DAY_MS, 2.0)]
    committed = committed_offsets(settings.kafka, settings.prefix + settings.ingest.group)
    assert committed[settings.prefix + AGGREGATES, 0] == offset, "a bridge that dies now would not delete it"
    clock.now += settings.ingest.settle.total_seconds()
    wait_for(lambda: timed.bridge.counts.withdrawn == 1, "the withdrawal")
    assert points(store, settings, "AggDayTH1") == [(START + DAY_MS, 2.0)]


def test_a_withdrawal_that_is_done_is_committed(settings: Settings, timed: Bridging, clock: Clock) -> None:
    """Else the lag would stay, and a restart would read everything behind the withdrawal again."""
    send(settings, aggregate("AggDay", "TH1", 1.0), aggregate("AggDay", "TH1", None), aggregate("AggDay", "TH2", 3.0))
    wait_until_read(timed, 3)
    clock.now += settings.ingest.settle.total_seconds()
    wait_for(lambda: timed.bridge.counts.withdrawn == 1, "the withdrawal")
    wait_for(lambda: behind(settings) == 0, "the offset behind the withdrawal to be committed", seconds=10)


def test_a_withdrawal_that_waits_when_the_bridge_stops_is_done_by_the_next_one(
    settings: Settings, store: redis.Redis
) -> None:
    with Bridging(Bridge(settings, SENSORS, Clock())) as first:
        send(settings, aggregate("AggDay", "TH1", 1.0))
        wait_until_read(first, 1)
        send(settings, aggregate("AggDay", "TH1", None))
        wait_until_read(first, 2)
    assert points(store, settings, "AggDayTH1") == [(START, 1.0)]
    with Bridging(Bridge(settings, SENSORS)) as second:
        wait_for(lambda: second.bridge.counts.withdrawn == 1, "the withdrawal")
    assert points(store, settings, "AggDayTH1") == []


def test_a_withdrawal_that_is_another_bridges_now_is_not_done_by_the_first(
    settings: Settings, timed: Bridging, clock: Clock, store: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would delete the correction that the other one has stored."""
    send(settings, aggregate("AggDay", "TH1", 1.0), aggregate("AggDay", "TH1", None))
    wait_until_read(timed, 2)
    with monkeypatch.context() as named:
        # A topic's one partition is the first member's, by name; the other's begins with "rdkafka".
        named.setattr("ingest.bridge.Consumer", lambda given: Consumer({**given, "client.id": "first"}))
        second = Bridge(settings, SENSORS)
    with Bridging(second):
        wait_for(lambda: (settings.prefix + AGGREGATES, 0) in second.counts.assigned, "the partition to change hands")
        send(settings, aggregate("AggDay", "TH1", 2.0))
        wait_until_committed(settings)
        clock.now += 1000
        send(settings, *(reading(sensor, START, 5.0) for sensor in SENSORS))
        wait_until_committed(settings)
    assert timed.bridge.counts.points > 1, "it has had its share"
    assert points(store, settings, "AggDayTH1") == [(START, 2.0)]


def test_a_withdrawal_of_what_was_never_written_stalls_nothing(
    settings: Settings, timed: Bridging, clock: Clock, store: redis.Redis
) -> None:
    send(settings, aggregate("AggDay", "TH1", 1.0))
    wait_until_read(timed, 1)
    send(settings, aggregate("AggDay", "TH1", None, "2020-01-05 00:00:00Z"), aggregate("AggDay", "TH2", None))
    wait_until_read(timed, 3)
    clock.now += settings.ingest.settle.total_seconds()
    wait_for(lambda: timed.bridge.counts.withdrawn == 2, "both withdrawals")
    send(settings, reading("TH1", START, 5.0))
    wait_until_read(timed, 4)
    assert stored(store, settings) == {"AggDayTH1": [(START, 1.0)], "TH1": [(START, 5.0)]}


# Dead letters

KEYS = (b"TH1", None, b"", b"\xff\x00\xfe", "schlüssel".encode())


def test_each_invalid_record_is_one_dead_letter_as_it_was_found(
    settings: Settings, bridge: Bridging, store: redis.Redis
) -> None:
    cases = [case for case in CASES if len(case.value or b"") < 900_000]
    records = [Record(READINGS, KEYS[n % 5], case.value, n % 6, SENT) for n, case in enumerate(cases)]
    offsets = send(settings, *records)
    wait_until_committed(settings)
    wanted = {
        (settings.prefix + READINGS, record.partition, offset): (record.key, record.value, reason)
        for case, record, offset in zip(cases, records, offsets, strict=True)
        for reason in ([case.expected] if isinstance(case.expected, str) else case.expected)
        if isinstance(reason, str)
    }
    found = letters(settings)
    assert len(wanted) > 30
    assert sorted(map(origin, found)) == sorted(wanted)
    for letter in found:
        headers = dict(letter.headers())
        assert (letter.key(), letter.value(), headers["reason"].decode()) == wanted[origin(letter)]
        assert headers["detail"].decode()
        assert letter.timestamp()[1] == SENT
    assert bridge.bridge.counts.dead_letters == len(found)
    held = {(item.site, item.sensor, item.ts) for case in cases for item in case.expected if isinstance(item, Reading)}
    assert sum(map(len, stored(store, settings).values())) == len(held)


def test_a_record_with_several_invalid_readings_is_one_dead_letter(
    settings: Settings, bridge: Bridging, store: redis.Redis
) -> None:
    good = msgspec.json.decode(reading("TH1", START, 1.0).value or b"")
    wrong = Record(READINGS, b"k", msgspec.json.encode([{**good, "sensor": "X"}, good, {**good, "value": None}]))
    offsets = send(settings, wrong)
    wait_until_committed(settings)
    assert points(store, settings, "TH1") == [(START, 1.0)]
    assert_each_once(settings, [wrong], offsets)


def test_garbage_in_the_derived_topics_is_put_aside_too(
    settings: Settings, bridge: Bridging, store: redis.Redis
) -> None:
    name, body = aggregate("AggDay", "TH1", 1.0)[1:3]
    assert name is not None
    assert body is not None
    wrong = [
        Record(AGGREGATES, b"TH1", body),
        Record(AGGREGATES, b"", body),
        Record(AGGREGATES, b"\xff", None),
        Record(AGGREGATES, name, b"{"),
        Record(AGGREGATES, name, b""),
        Record(AGGREGATES, name, body.replace(b"1.0", b"NaN")),
        Record(AGGREGATES, name, body.replace(b"1.0", b"1e999")),
        Record(AGGREGATES, name, body.replace(b"1.0", b"null")),
        Record(AGGREGATES, name.replace(b"AggDay", b"AggYear"), body),
        Record(AGGREGATES, name.replace(b"TH1", b"TH9"), None),
        Record(AGGREGATES, name.replace(b"home", b"a b"), body),
        Record(AGGREGATES, name.replace(b"2020-01-01 ", b""), body),
        Record(REJECTED, b"k", None),
        Record(REJECTED, b"k", b"{"),
        Record(REJECTED, b"k", b"\xff"),
        Record(REJECTED, b"k", rejected(-1, 0.5).value),
        Record(REJECTED, b"k", (rejected(START, 0.5).value or b"").replace(b"W1", b"W9")),
    ]
    offsets = send(settings, *wrong)
    send(settings, aggregate("AggDay", "TH2", 3.0), rejected(START, 0.5))
    wait_until_committed(settings)
    assert stored(store, settings) == {"AggDayTH2": [(START, 3.0)], "LateRejW1": [(START, 0.5)]}
    assert_each_once(settings, wrong, offsets)
    by_origin = dict(
        zip(
            ((settings.prefix + r.topic, r.partition, o) for r, o in zip(wrong, offsets, strict=True)),
            wrong,
            strict=True,
        )
    )
    for letter in letters(settings):
        record = by_origin[origin(letter)]
        assert (letter.key(), letter.value()) == (record.key, record.value)


def test_a_dead_letter_behind_a_withdrawal_that_waits_is_written_once(settings: Settings, store: redis.Redis) -> None:
    """The withdrawal keeps the offset of its partition back, so that the next bridge reads the garbage again."""
    wrong = Record(AGGREGATES, b"k", b"garbage")
    with Bridging(Bridge(settings, SENSORS, Clock())) as first:
        offsets = send(settings, aggregate("AggDay", "TH1", None), wrong)[1:]
        wait_until_read(first, 2)
    assert behind(settings) == 2
    assert_each_once(settings, [wrong], offsets)
    with Bridging(Bridge(settings, SENSORS)):
        wait_until_committed(settings)
    assert_each_once(settings, [wrong], offsets)


def test_what_others_write_to_the_dead_letters_does_no_harm(settings: Settings, bridge: Bridging) -> None:
    producer = Producer(kafka_options(settings.kafka))
    producer.list_topics(settings.prefix + DEAD_LETTERS)
    for headers in (None, {"topic": None}, {"topic": b"\xff"}, {"partition": "x"}, {"offset": ""}, {"other": b"\xff"}):
        producer.produce(settings.prefix + DEAD_LETTERS, b"by hand", headers=headers)
    assert producer.flush(PATIENCE) == 0
    wrong = garbage(1)
    offsets = send(settings, wrong)
    wait_for(lambda: behind(settings) == 0, "the bridge to go on", seconds=15)
    own = [letter for letter in letters(settings) if letter.value() != b"by hand"]
    assert [origin(letter) for letter in own] == origins(settings, [wrong], offsets)


TOO_MUCH_FOR_REDIS = {
    "an aggregate of a day before 1970": aggregate("AggDay", "TH1", 1.0, "1969-12-31 00:00:00Z"),
    "the withdrawal of one": aggregate("AggDay", "TH1", None, "1969-12-31 00:00:00Z"),
    "a rejected reading of the year 300 million": rejected(2**63, 0.5),
    "a reading as far off, stamped with that time": reading("TH1", 2**63, 1.0)._replace(sent=2**63 - 1),
}
TOO_LARGE = {
    "a megabyte": Record(READINGS, b"k", random.Random(1).randbytes(1_048_000)),
    "much, well compressed": Record(READINGS, b"k", b"x" * 5_000_000),
    "more than ten million bytes, well compressed": Record(READINGS, b"k", b"x" * 12_000_000),
    "a long name, which the reason quotes": aggregate("AggDay", "TH1", None, random.Random(1).randbytes(300_000).hex()),
}


@pytest.mark.parametrize("what", [*TOO_MUCH_FOR_REDIS, *TOO_LARGE])
def test_no_record_stalls_the_bridge(settings: Settings, store: redis.Redis, what: str) -> None:
    wrong = {**TOO_MUCH_FOR_REDIS, **TOO_LARGE}[what]
    with Bridging(Bridge(settings.replace(settle=settings.ingest.settle / 100), SENSORS)):
        offsets = send(settings, wrong)
        send(settings, reading("TH1", START, 1.0))
        wait_for(lambda: behind(settings) == 0, "the bridge to go on", seconds=15)
    assert points(store, settings, "TH1") == [(START, 1.0)]
    assert_each_once(settings, [wrong], offsets)


# Crashes


@contextmanager
def bridge_process(settings: Settings, log: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A bridge as a process of its own, which does not outlive the block."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *(command or ("-m", "ingest"))],
            cwd=ROOT,
            env={**os.environ, **settings.environment()},
            stdout=output,
            stderr=output,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def writes(store: redis.Redis) -> int:
    """How often points have been written since Redis started."""
    return int(store.info("commandstats").get("cmdstat_ts.madd", {"calls": 0})["calls"])


def wait_for_writes(store: redis.Redis, count: int) -> None:
    until = writes(store) + count
    wait_for(lambda: writes(store) >= until, f"{count} batches to be written")


def flood(sites: int, each: int, wrong: int, seed: int) -> tuple[list[Record], list[Record], dict[str, Points]]:
    """Readings of some houses with invalid records among them; the invalid ones again; and the series."""
    rng = random.Random(seed)
    names = ["home", *(f"site-{n:04}" for n in range(2, sites + 1))]
    records = [
        reading(sensor, START + n * 900_000, float(n), site)
        for n in range(each)
        for site in names
        for sensor in SENSORS
    ]
    bad = [garbage(n, rng.randrange(6)) for n in range(wrong)]
    for record in bad:
        records.insert(rng.randrange(len(records)), record)
    series = [(START + n * 900_000, float(n)) for n in range(each)]
    keys = [sensor if site == "home" else f"{site}:{sensor}" for site in names for sensor in SENSORS]
    return records, bad, dict.fromkeys(keys, series)


def offsets_of(some: Iterable[Record], records: Sequence[Record], offsets: Sequence[int]) -> list[int]:
    where = {record.value: offset for record, offset in zip(records, offsets, strict=True)}
    return [where[record.value] for record in some]


IMPATIENT = """
from ingest import bridge, dead_letters
from ingest.__main__ import app

consumer = bridge.Consumer
bridge.Consumer = lambda given: consumer({**given, "session.timeout.ms": 6000})  # the shortest that the broker takes
"""
"""A bridge as ``python -m ingest`` runs it, that is sooner given up when it is dead."""


def test_killed_at_any_moment_it_loses_and_repeats_nothing(
    settings: Settings, store: redis.Redis, tmp_path: Path
) -> None:
    settings = settings.replace(batch=1000)
    records, wrong, wanted = flood(sites=20, each=1000, wrong=20, seed=4)
    offsets = send(settings, *records)
    rng = random.Random(5)
    for _ in range(2):
        with bridge_process(settings, tmp_path / "log", "-c", IMPATIENT + "app(args=[])") as process:
            wait_for_writes(store, rng.randrange(1, 30))
            process.send_signal(signal.SIGKILL)
            assert process.wait(PATIENCE) == -signal.SIGKILL
    assert behind(settings) > 0, "it had done all before it was killed"
    with bridge_process(settings, tmp_path / "log") as process:
        wait_until_committed(settings)
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert stored(store, settings) == wanted
    assert_each_once(settings, wrong, offsets_of(wrong, records, offsets))


def test_killed_between_a_withdrawal_and_its_correction_it_leaves_no_gap(
    settings: Settings, store: redis.Redis, tmp_path: Path
) -> None:
    settings = settings.replace(settle=timedelta(hours=1))
    old, new = [(START, 1.0)], [(START, 2.0)]
    with bridge_process(settings, tmp_path / "log", "-c", IMPATIENT + "app(args=[])") as process:
        send(settings, aggregate("AggDay", "TH1", 1.0))
        wait_until_committed(settings)
        send(settings, aggregate("AggDay", "TH1", None), aggregate("AggDay", "TH2", 3.0))
        wait_for(lambda: points(store, settings, "AggDayTH2"), "what is behind the withdrawal")
        process.kill()
        assert process.wait(PATIENCE) == -signal.SIGKILL
    assert points(store, settings, "AggDayTH1") == old
    send(settings, aggregate("AggDay", "TH1", 2.0))
    with bridge_process(settings, tmp_path / "log"):
        seen = old
        while seen != new:
            seen = points(store, settings, "AggDayTH1")
            assert seen in (old, new), "a gap"
        wait_until_committed(settings)


DYING = (
    IMPATIENT
    + """
import os

class Dying(dead_letters.Producer):
    def flush(self, *timeout):
        waiting = len(self)
        left = super().flush(*timeout)
        if waiting and not left:
            os.kill(os.getpid(), 9)
        return left

dead_letters.Producer = Dying
app(args=[])
"""
)
"""A bridge that is killed between the acknowledgement of its first dead letters and the commit behind them."""


def test_killed_between_a_dead_letter_and_its_commit_it_does_not_write_it_again(
    settings: Settings, store: redis.Redis, tmp_path: Path
) -> None:
    settings = settings.replace(batch=1000)
    records, wrong, wanted = flood(sites=4, each=1000, wrong=20, seed=9)
    offsets = send(settings, *records)
    with bridge_process(settings, tmp_path / "log", "-c", DYING) as process:
        assert process.wait(PATIENCE) == -signal.SIGKILL
    with bridge_process(settings, tmp_path / "log") as process:
        wait_until_committed(settings)
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert stored(store, settings) == wanted
    assert_each_once(settings, wrong, offsets_of(wrong, records, offsets))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_has_committed_what_it_has_stored(
    settings: Settings, store: redis.Redis, tmp_path: Path, number: signal.Signals
) -> None:
    settings = settings.replace(batch=300)
    records, wrong, _ = flood(sites=4, each=1000, wrong=30, seed=6)
    offsets = send(settings, *records)
    with bridge_process(settings, tmp_path / "log") as process:
        wait_for_writes(store, 10)
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0, (tmp_path / "log").read_text()
    committed = committed_offsets(settings.kafka, settings.prefix + settings.ingest.group)
    done = [
        r
        for r, o in zip(records, offsets, strict=True)
        if o < committed.get((settings.prefix + READINGS, r.partition), 0)
    ]
    assert 0 < len(done) < len(records), "it was stopped before it began, or after it had finished"
    wanted: dict[str, Points] = {}
    for record in done:
        if record in wrong:
            continue
        body = msgspec.json.decode(record.value or b"")
        key = body["sensor"] if body["site"] == "home" else f"{body['site']}:{body['sensor']}"
        wanted.setdefault(key, []).append((body["ts"], body["value"]))
    assert stored(store, settings) == wanted
    letters_done = [record for record in wrong if record in done]
    assert_each_once(settings, letters_done, offsets_of(letters_done, records, offsets))
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_asked_to_stop_while_redis_is_away_it_stops(settings: Settings, tmp_path: Path) -> None:
    log = tmp_path / "log"
    nowhere = settings.replace(redis="redis://127.0.0.1:1/0")
    with bridge_process(nowhere, log) as process:
        wait_for(lambda: "trying again" in log.read_text(), "it to miss Redis")
        process.terminate()
        assert process.wait(PATIENCE) == 0, log.read_text()
    assert "Traceback" not in log.read_text()


@pytest.fixture
def mended(stack: Stack, settings: Settings) -> Iterator[None]:
    """In the end Redis and Kafka run again, before the test's topics are deleted."""
    yield
    make_ready(stack, "redis", "kafka")


def make_ready(stack: Stack, *names: str) -> None:
    for process in processes(stack.settings):
        if process.name in names:
            stack.start(process.name)
            wait_for(process.ready, f"{process.name} to serve")


class Held:
    """Has a bridge wait before a write, when it has written so many points, until it is released."""

    def __init__(self, bridge: Bridge, points: int) -> None:
        self._write, self._left = bridge._store.write, points
        self._reached, self._released = threading.Event(), threading.Event()
        bridge._store.write = self._wait  # type: ignore[method-assign]

    def reached(self) -> None:
        """Wait for that."""
        assert self._reached.wait(PATIENCE), "too few points were written"

    def release(self) -> None:
        """Let it write."""
        self._released.set()

    def _wait(self, points: Sequence[Point]) -> None:
        self._left -= len(points)
        if self._left < 0:
            self._reached.set()
            self._released.wait(PATIENCE)
        self._write(points)


def carry_through(
    settings: Settings, store: redis.Redis, away: Callable[[], None], back: Callable[[], None], *, kafka: bool
) -> None:
    """Take Redis or Kafka away in the middle of the work, and bring it back."""
    settings = settings.replace(batch=200)
    records, wrong, wanted = flood(sites=2, each=1000, wrong=20, seed=7)
    bridge = Bridge(settings, SENSORS)
    bridge._store = Store(settings, SENSORS, durable_ms=100)  # gives a frozen Redis up after 5.1 s
    half = len(records) // 2
    offsets = send(settings, *records[:half])
    held = Held(bridge, 1000)
    with Bridging(bridge):
        held.reached()
        away()
        held.release()
        if not kafka:
            offsets += send(settings, *records[half:])
        back()
        if kafka:
            offsets += send(settings, *records[half:])
        wait_until_committed(settings)
    assert stored(store, settings) == wanted
    assert_each_once(settings, wrong, offsets_of(wrong, records, offsets))


@pytest.mark.usefixtures("mended")
@pytest.mark.parametrize("name", ["redis", "kafka"])
def test_it_goes_on_when_what_was_stopped_is_started(
    stack: Stack, settings: Settings, store: redis.Redis, name: str
) -> None:
    carry_through(settings, store, lambda: stack.stop(name), lambda: make_ready(stack, name), kafka=name == "kafka")


@pytest.mark.usefixtures("mended")
def test_it_goes_on_when_redis_was_killed(stack: Stack, settings: Settings, store: redis.Redis) -> None:
    pid = stack.pid("redis")

    def restarted() -> None:
        wait_for(lambda: stack.pid("redis") not in (0, pid), "the supervisor to restart Redis")
        make_ready(stack, "redis")

    carry_through(settings, store, lambda: os.kill(pid, signal.SIGKILL), restarted, kafka=False)


def test_it_goes_on_when_redis_was_frozen(
    stack: Stack, settings: Settings, store: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    frozen = psutil.Process(stack.pid("redis"))

    def thaw() -> None:
        wait_for(
            lambda: any(getattr(r, "service", "") == "Redis" for r in caplog.records),
            "the bridge to give the frozen Redis up",
        )
        frozen.resume()

    try:
        carry_through(settings, store, frozen.suspend, thaw, kafka=False)
    finally:
        frozen.resume()


@pytest.mark.usefixtures("mended")
def test_while_kafka_is_away_it_says_so_and_can_be_stopped(
    stack: Stack, settings: Settings, store: redis.Redis, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    settings = settings.replace(batch=200)
    records, wrong, wanted = flood(sites=2, each=1000, wrong=20, seed=8)
    offsets = send(settings, *records)
    with bridge_process(settings, log) as process:
        wait_for_writes(store, 10)
        stack.stop("kafka")
        wait_for(lambda: "Kafka" in log.read_text(), "a word about Kafka", seconds=30)
        process.terminate()
        assert process.wait(30) == 0, log.read_text()
    assert "Traceback" not in log.read_text()
    with bridge_process(settings, log):
        make_ready(stack, "kafka")
        wait_until_committed(settings)
    assert stored(store, settings) == wanted
    assert_each_once(settings, wrong, offsets_of(wrong, records, offsets))


@pytest.mark.usefixtures("mended")
def test_it_goes_on_when_it_was_frozen_until_the_group_had_given_it_up(
    stack: Stack, settings: Settings, store: redis.Redis, tmp_path: Path
) -> None:
    """As by a laptop that sleeps, while a batch is under way whose dead letter the group will not take any more."""
    group, log = settings.prefix + settings.ingest.group, tmp_path / "log"

    def members() -> int:
        client = admin.client(settings.kafka)
        return len(client.describe_consumer_groups([group])[group].result().members)

    with bridge_process(settings, log, "-c", IMPATIENT + "app(args=[])") as process:
        send(settings, reading("TH1", START, 1.0))
        wait_until_committed(settings)
        stack.stop("redis")
        wrong = garbage(1)
        offsets = send(settings, wrong, reading("TH1", START + 1, 2.0))[:1]
        wait_for(lambda: "trying again" in log.read_text(), "the batch to be under way")
        process.send_signal(signal.SIGSTOP)
        wait_for(lambda: members() == 0, "the group to give it up")
        make_ready(stack, "redis")
        process.send_signal(signal.SIGCONT)
        wait_for(lambda: behind(settings) == 0, "it to go on", seconds=30)
        process.terminate()
        assert process.wait(PATIENCE) == 0, log.read_text()
    assert points(store, settings, "TH1") == [(START, 1.0), (START + 1, 2.0)]
    assert_each_once(settings, [wrong], offsets)


class Doubting(Store):
    """A store that does not confirm what was written until it was asked often enough."""

    def __init__(self, settings: Settings, doubts: int) -> None:
        super().__init__(settings, SENSORS)
        self.doubts = doubts
        self.committed: list[Any] = []
        self.written = 0
        self._settings = settings

    def write(self, points: Sequence[Any]) -> None:
        super().write(points)
        self.written += len(points)

    def wait_durable(self) -> None:
        group = self._settings.prefix + self._settings.ingest.group
        self.committed.append(committed_offsets(self._settings.kafka, group))
        if len(self.committed) <= self.doubts:
            raise NotDurable("not yet")
        super().wait_durable()


def test_nothing_is_committed_before_it_is_on_disk(settings: Settings, store: redis.Redis) -> None:
    bridge = Bridge(settings, SENSORS)
    bridge._store = doubting = Doubting(settings, doubts=3)
    wrong = garbage(1)
    offsets = send(settings, reading("TH1", START, 1.0), wrong)[1:]
    with Bridging(bridge):
        wait_until_committed(settings)
    assert doubting.committed[:4] == [{}] * 4, "an offset was committed before the store had confirmed"
    assert doubting.written >= 4, "what was not confirmed was not written again"
    assert points(store, settings, "TH1") == [(START, 1.0)]
    assert_each_once(settings, [wrong], offsets)


class Refused:
    """A consumer whose first commits do not reach Kafka."""

    def __init__(self, bridge: Bridge, times: int) -> None:
        self._bridge = bridge
        self._consumer = bridge._consumer
        self.times = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> None:
        if not self.times:
            self._consumer.commit(offsets=offsets, asynchronous=asynchronous)
            return
        self.times -= 1
        error = KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS, "try later")
        if not asynchronous:
            raise KafkaException(error)
        self._bridge._commit_answered(error, offsets)


def test_a_commit_that_kafka_refuses_is_made_again(settings: Settings, store: redis.Redis) -> None:
    """As it does for a while when it has just started: with nothing new to read the offset would lag for ever."""
    bridge = Bridge(settings, SENSORS)
    bridge._consumer = refused = Refused(bridge, times=2)
    send(settings, reading("TH1", START, 1.0))
    with Bridging(bridge):
        wait_for(lambda: behind(settings) == 0, "the offset to be committed", seconds=15)
    assert refused.times == 0


@contextmanager
def full(store: redis.Redis) -> Iterator[None]:
    """Redis answers, and refuses to write."""
    store.config_set("maxmemory", 1_000_000)  # less than Redis itself takes
    try:
        yield
    finally:
        store.config_set("maxmemory", 0)


def test_a_full_redis_is_told_and_waited_for(
    settings: Settings, store: redis.Redis, bridge: Bridging, caplog: pytest.LogCaptureFixture
) -> None:
    first = [reading("TH1", START + n * 1000, n / 10) for n in range(1000)]
    send(settings, *first)
    wait_until_committed(settings)
    before = stored(store, settings)
    series = store.dbsize()
    with full(store):
        send(
            settings,
            *(reading("TH1", START + n * 1000, n / 10) for n in range(1000, 2000)),
            aggregate("AggDay", "TH1", 2.0),
        )
        send(settings, aggregate("AggDay", "TH2", None), garbage(1))
        wait_for(
            lambda: any("IOT_REDIS_MEMORY" in getattr(r, "error", "") for r in caplog.records),
            "the bridge to say that Redis is full",
        )
        assert store.dbsize() == series, "a series was evicted"
        assert stored(store, settings) == before
        assert behind(settings) > 0
    wait_until_committed(settings)
    assert stored(store, settings) == {
        "TH1": [(START + n * 1000, n / 10) for n in range(2000)],
        "AggDayTH1": [(START, 2.0)],
    }
    assert len(letters(settings)) == 1


LINGERING = """
from ingest import bridge
from ingest.__main__ import app
from infrastructure.kafka import watchdog

watchdog.EVERY = 0  # whoever may ask a client does

class Lingering(bridge.Consumer):
    rebalances = 0

    def subscribe(self, topics, on_assign, on_revoke, on_lost):
        def revoked(*given):
            print("a rebalance", flush=True)
            on_revoke(*given)
            self.rebalances += 1

        super().subscribe(topics, on_assign=on_assign, on_revoke=revoked, on_lost=on_lost)

    def consume(self, number, seconds):
        before = self.rebalances
        while not (found := super().consume(number, seconds)) and self.rebalances == before < 2:
            pass
        return found

bridge.Consumer = Lingering
app(args=[])
"""
"""A bridge whose polls end with a record: its first two rebalances find the main thread inside of the client."""


def test_a_rebalance_while_redis_is_full_ends_when_there_is_memory(
    settings: Settings, store: redis.Redis, tmp_path: Path
) -> None:
    """In it the main thread, inside of its client, waits for the writer: who must not wait for that client."""
    settings = settings.replace(batch=1)
    log, other = tmp_path / "log", tmp_path / "other"

    def wait_for_rebalance(number: int) -> None:
        wait_for(
            lambda: "trying again" in "".join(log.read_text().split("a rebalance")[number:]),
            "the writer to go on trying in a rebalance",
            seconds=30,
        )

    with bridge_process(settings, log, "-c", LINGERING) as first, ExitStack() as joined:
        with full(store):
            send(settings, reading("TH1", START, 1.0))
            wait_for(lambda: "trying again" in log.read_text(), "a batch under way")
            second = joined.enter_context(bridge_process(settings, other))
            wait_for_rebalance(1)
        wait_until_committed(settings)
        with full(store):
            before = len(log.read_text())
            # The first partition and the last one are not of the same bridge.
            send(settings, *(reading("TH1", START + 1 + n, 1.0)._replace(partition=n) for n in (0, 5)))
            wait_for(
                lambda: "trying again" in log.read_text()[before:] and "trying again" in other.read_text(),
                "a batch under way in either bridge",
            )
            second.terminate()
            assert second.wait(PATIENCE) == 0, other.read_text()
            wait_for_rebalance(2)
        wait_until_committed(settings)
        first.terminate()
        assert first.wait(PATIENCE) == 0, log.read_text()
    assert points(store, settings, "TH1") == [(START + n, 1.0) for n in (0, 1, 6)]


BLIND = """
from commands import terminal
from ingest import bridge
from ingest.__main__ import app
from infrastructure.kafka import watchdog

watchdog.PATIENCE = watchdog.EVERY = 0

class Blind(bridge.Consumer):
    def list_topics(self, *_, **__):
        raise bridge.KafkaException(bridge.KafkaError(bridge.KafkaError._TRANSPORT, "no broker"))

bridge.Consumer = Blind
terminal.run(app, "python -m ingest")
"""
"""A bridge whose consumer has lost sight of Kafka, which others see."""


def test_what_kafka_answers_no_more_ends_for_its_supervisor_to_start_it_again(
    settings: Settings, store: redis.Redis, tmp_path: Path
) -> None:
    send(settings, reading("TH1", START, 1.0))
    log = tmp_path / "log"
    with bridge_process(settings, log, "-c", BLIND) as process:
        assert process.wait(PATIENCE) == 1
    assert "librdkafka issue 5301" in log.read_text()
    assert "Traceback" not in log.read_text()
    with bridge_process(settings, log):
        wait_until_committed(settings)
    assert points(store, settings, "TH1") == [(START, 1.0)]
