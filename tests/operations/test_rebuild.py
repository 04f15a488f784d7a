"""Rebuild on the real Kafka and Redis: the same as before, while the live bridge stands still and while it goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import pytest
import redis
from confluent_kafka import Producer
from typer.testing import CliRunner

from infrastructure.kafka import admin, offsets
from infrastructure.kafka.reader import TopicReader
from infrastructure.settings import Settings
from ingest.bridge import Bridge
from ingest.records import Point
from ingest.series_writer import SeriesWriter
from iot.__main__ import app
from operations.rebuild import Counts, Rebuild
from scripts.stack import access
from tests.ingest.traffic import (
    DAY_MS,
    SENSORS,
    START,
    Points,
    Record,
    aggregate,
    described,
    garbage,
    letters,
    origin,
    points,
    reading,
    rejected,
    retracted_rejection,
    send,
    stored,
    wait_until_committed,
)
from tests.running import PATIENCE, Bridging, wait_for
from topics.encoding import encode_heartbeat
from topics.errors import UserError
from topics.names import AGGREGATES, HISTORY, READINGS, REJECTED
from topics.series import RAW, Series

SECOND = START + DAY_MS


def merged(record: Record) -> Record:
    """The same reading, out of a backfill."""
    return record._replace(topic=HISTORY)


LIVE = [
    *(reading("TH1", START + n * 900_000, n / 7) for n in range(20)),
    *(reading("TH1", START + n * 900_000, n / 9, "cabin") for n in range(20)),
    reading("W1", START + 2 * DAY_MS, 0.5),
    reading("W1", START, 0.25),  # late
    reading("W1", START, 0.75),  # a duplicate of the late one
    reading("TH1", START, 99.0),  # and of one in time
    reading("TH2", START, -0.0),
    Record(READINGS, None, encode_heartbeat(START), 3),
    garbage(1),
    aggregate("AggDay", "TH1", 20.5),
    aggregate("AggDay", "TH1", None),
    aggregate("AggDay", "TH1", 21.5),
    aggregate("AggDay", "TH1", 22.5, SECOND),
    aggregate("AggDay", "TH1", None, SECOND),
    aggregate("AggDayCount", "TH1", 95),
    aggregate("AggDayCount", "TH1", 96),
    aggregate("AggDayDiff", "Etot", 62_400.5),
    aggregate("AggDayRest", "Etot", None),
    aggregate("AggDay", "TH1", 0.1 + 0.2, site="cabin"),
    Record(AGGREGATES, b"no key", None),
    rejected(START - 9 * DAY_MS, 0.5),
    rejected(START - 8 * DAY_MS, 0.25),
    retracted_rejection(START - 8 * DAY_MS),
]
MERGED = [
    merged(reading("TH1", START, 77.0)),  # the live one counts
    merged(reading("TH1", START - DAY_MS, 1.5)),
    merged(reading("TH1", START - DAY_MS, 2.5)),
    merged(reading("Wtot", START - DAY_MS, 110.0)),
    merged(garbage(2)),
]
WANTED: dict[str, Points] = {
    "TH1": [(START - DAY_MS, 1.5), *((START + n * 900_000, n / 7) for n in range(20))],
    "cabin:TH1": [(START + n * 900_000, n / 9) for n in range(20)],
    "W1": [(START, 0.25), (START + 2 * DAY_MS, 0.5)],
    "TH2": [(START, -0.0)],
    "Wtot": [(START - DAY_MS, 110.0)],
    "AggDayTH1": [(START, 21.5)],
    "AggDayCountTH1": [(START, 96.0)],
    "AggDayDiffEtot": [(START, 62_400.5)],
    "cabin:AggDayTH1": [(START, 0.1 + 0.2)],
    "LateRejW1": [(START - 9 * DAY_MS, 0.5)],
}
"""What LIVE and then MERGED leave."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A tombstone waits shortly: nothing here looks for gaps."""
    return settings.replace(settle=settings.ingest.settle / 100)


@pytest.fixture
def filled(settings: Settings, store: redis.Redis) -> Iterator[Bridging]:
    """A bridge that has carried LIVE and MERGED, and goes on; Redis has lost it all again."""
    with Bridging(Bridge(settings, SENSORS)) as bridge:
        send(settings, *LIVE)
        wait_until_committed(settings)
        send(settings, *MERGED)
        wait_until_committed(settings)
        assert stored(store, settings) == WANTED
        empty(store, settings)
        yield bridge


def empty(store: redis.Redis, settings: Settings) -> None:
    store.delete(*store.scan_iter(match=f"{settings.prefix}*", count=10_000))
    assert stored(store, settings) == {}


Everything = dict[str, tuple[Points, tuple[dict[str, str], str]]]


def everything(store: redis.Redis, settings: Settings) -> Everything:
    """Points, labels and duplicate policy of every series that has a point."""
    return {key: (found, described(store, settings, key)) for key, found in stored(store, settings).items() if found}


def rebuild(settings: Settings, store: SeriesWriter | None = None) -> Counts:
    running = Rebuild(settings, SENSORS)
    running._writer = store or running._writer
    return running.run()


def committed(settings: Settings) -> dict[str, dict[tuple[str, int], int]]:
    """What any group has committed in this test's topics."""
    client = admin.client(settings.kafka)
    listed = client.list_consumer_groups().result()
    assert not listed.errors
    groups = [group.group_id for group in listed.valid]
    found = {group: offsets.committed_offsets(settings.kafka, group) for group in groups}
    ours = {
        group: {partition: o for partition, o in there.items() if partition[0].startswith(settings.prefix)}
        for group, there in found.items()
    }
    return {group: there for group, there in ours.items() if there}


def test_an_empty_redis_gets_back_what_it_had(settings: Settings, store: redis.Redis) -> None:
    with Bridging(Bridge(settings, SENSORS)):
        send(settings, *LIVE)
        wait_until_committed(settings)
        send(settings, *MERGED)
        wait_until_committed(settings)
    before = everything(store, settings)
    assert {key: found for key, (found, _) in before.items()} == WANTED
    assert {key: policy for key, (_, (_, policy)) in before.items()} == {
        key: "first" if key in {"TH1", "TH2", "W1", "Wtot", "cabin:TH1"} else "last" for key in WANTED
    }
    put_aside = letters(settings)
    before_rebuild = committed(settings)
    assert set(before_rebuild) == {settings.prefix + settings.ingest.group, "letters"}
    assert len(put_aside) == 3
    empty(store, settings)
    counts = rebuild(settings)
    after = everything(store, settings)
    assert after == before
    assert str(after["TH2"][0][0][1]) == "-0.0"
    assert committed(settings) == before_rebuild
    assert [origin(letter) for letter in letters(settings)] == [origin(letter) for letter in put_aside]
    assert counts.records == len(LIVE) + len(MERGED)
    assert counts.points == {"raw": 45, "AggDay": 2, "AggDayCount": 1, "AggDayDiff": 1, "LateRej": 1}
    assert (len(counts.series), counts.retracted, counts.repeated, counts.invalid) == (10, 3, 4, 3)


def test_it_may_be_run_again_and_again(settings: Settings, filled: Bridging, store: redis.Redis) -> None:
    """Stopped in the middle; as a command; and on a Redis in which something is missing, wrong or surplus."""

    def stop(_counts: Counts, _left: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Rebuild(settings, SENSORS, stop).run()

    result = CliRunner().invoke(app, ["rebuild"], env=settings.environment())
    assert result.exit_code == 0, result.output
    whole = everything(store, settings)
    assert {key: found for key, (found, _) in whole.items()} == WANTED
    rows = (line.strip().partition(" ") for line in result.stdout.splitlines())
    told = {what.strip(): number for number, _, what in rows}
    assert told["records read"] == str(len(LIVE) + len(MERGED))
    assert told["points of raw series"] == "45"
    assert told["points of AggDay series"] == "2"
    assert told["series"] == "10"
    assert told["points retracted"] == "3"
    assert told["duplicates of a raw reading"] == "4"
    assert told["invalid records skipped"] == "3"

    store.execute_command("TS.ADD", settings.prefix + "TH1", 5, 1.0)
    store.execute_command("TS.ADD", settings.prefix + "AggDayTH1", START, 9.0)
    store.execute_command("TS.ADD", settings.prefix + "AggDayTH1", START + DAY_MS, 9.0)  # is retracted in Kafka
    store.execute_command("TS.DEL", settings.prefix + "cabin:TH1", START, START)
    rebuild(settings)
    surplus = {"TH1": ([(5, 1.0), *whole["TH1"][0]], whole["TH1"][1])}
    assert everything(store, settings) == {**whole, **surplus}


# The live bridge goes on


def left_by(records: Iterable[Record]) -> dict[str, dict[int, float]]:
    """What records leave, worked out anew: the first reading of a name, the last state of a derived point."""
    series: dict[str, dict[int, float]] = {}
    for record in records:
        name, ts, value = NAMED[record]
        there = series.setdefault(name, {})
        if record.topic != AGGREGATES:
            there.setdefault(ts, value or 0.0)
        elif value is None:
            there.pop(ts, None)
        else:
            there[ts] = value
    return {name: there for name, there in series.items() if there}


NAMED: dict[Record, tuple[str, int, float | None]] = {}
"""Series, time and value of a record that ``named`` has made."""


def named(record: Record, series: str, ts: int, value: float | None) -> Record:
    NAMED[record] = (series, ts, value)
    return record


def rounds(number: int) -> Iterator[list[Record]]:
    """Readings and their duplicates, values and tombstones, of a few points again and again."""
    for n in range(number):
        yield [
            *(
                named(reading("TH1", START + k * 900_000, n + k / 10), "TH1", START + k * 900_000, n + k / 10)
                for k in range(n, n + 5)  # four of them are duplicates
            ),
            *(
                named(aggregate("AggDay", sensor, value), "AggDay" + sensor, START, value)
                for sensor in ("TH1", "TH2", "W1")
                for value in (None, n / 3)
            ),
            named(aggregate("AggDayCount", "TH1", None if n % 3 else n), "AggDayCountTH1", START, None if n % 3 else n),
        ]


def test_readings_and_corrections_that_arrive_meanwhile_are_kept(
    settings: Settings, bridge: Bridging, store: redis.Redis
) -> None:
    before, meanwhile = (batches := list(rounds(60)))[:40], batches[40:]
    send(settings, *(record for batch in before for record in batch))
    wait_until_committed(settings)
    empty(store, settings)
    reported = threading.Event()
    running = Rebuild(settings, SENSORS, lambda *_: reported.set())
    thread = threading.Thread(target=running.run)
    thread.start()
    assert reported.wait(PATIENCE)
    for batch in meanwhile:
        send(settings, *batch)
    thread.join(PATIENCE)
    wait_until_committed(settings)
    found = {key: dict(there) for key, there in stored(store, settings).items() if there}
    assert found == left_by(record for batch in batches for record in batch)
    assert running.counts.points[RAW] >= 44


class Interrupted(SeriesWriter):
    """A store in which something happens before raw or derived points are written, each time the next thing."""

    def __init__(self, settings: Settings, *, derived: bool, happens: list[Callable[[], None]]) -> None:
        super().__init__(settings, SENSORS)
        self.happens = happens
        self._derived = derived

    def write(self, points: Sequence[Point]) -> None:
        self._interrupt(points)
        super().write(points)

    def _interrupt(self, points: Sequence[Point]) -> None:
        if self.happens and points and self._derived == (points[0].series.kind != RAW):
            self.happens.pop(0)()


def live(settings: Settings, *records: Record) -> Callable[[], None]:
    """These records arrive, and the live bridge carries them."""

    def happen() -> None:
        send(settings, *records)
        wait_until_committed(settings)

    return happen


class Case(NamedTuple):
    """What the topics hold of a point, what arrives before each of two writes, and the value that must be there."""

    sent: list[Record]
    first: list[Record]
    second: list[Record]
    wanted: float | None


def day(number: int) -> int:
    return START + (31 + number) * DAY_MS


def value(number: int, value: float | None) -> Record:
    """A value, or a tombstone, of the day of that number."""
    return aggregate("AggDay", "TH1", value, day(number))


CASES = {
    "a correction": Case([value(0, 1.0)], [value(0, 2.0)], [], 2.0),
    "a tombstone": Case([value(1, 1.0)], [value(1, None)], [], None),
    "a tombstone and a value": Case([value(2, 1.0)], [value(2, None), value(2, 2.0)], [], 2.0),
    "a value of a retracted point": Case([value(3, 1.0), value(3, None)], [value(3, 2.0)], [], 2.0),
    "a correction again": Case([value(4, 1.0)], [value(4, 2.0)], [value(4, 3.0)], 3.0),
    "a correction and a tombstone": Case([value(5, 1.0)], [value(5, 2.0)], [value(5, None)], None),
    "a tombstone and, later, a value": Case([value(6, 1.0)], [value(6, None)], [value(6, 2.0)], 2.0),
    "a new point": Case([], [value(7, 1.0)], [value(7, 2.0)], 2.0),
    "nothing": Case([value(8, 1.0)], [], [], 1.0),
}


def test_what_the_bridge_writes_between_reading_and_writing_is_not_undone(
    settings: Settings, filled: Bridging, store: redis.Redis
) -> None:
    late, later = START - 9 * DAY_MS, START - 7 * DAY_MS
    cases = CASES.values()
    live(settings, rejected(later, 0.5), *(record for case in cases for record in case.sent))()
    empty(store, settings)
    happens = [
        live(settings, *(record for case in cases for record in case.first), retracted_rejection(late)),
        live(settings, *(record for case in cases for record in case.second), rejected(later, 0.75)),
    ]
    interrupted = Interrupted(settings, derived=True, happens=happens)
    rebuild(settings, interrupted)
    assert not interrupted.happens, "it did not happen"
    found = stored(store, settings)
    by_day = dict(found.pop("AggDayTH1"))
    assert {name: by_day.get(START + (31 + n) * DAY_MS) for n, name in enumerate(CASES)} == {
        name: case.wanted for name, case in CASES.items()
    }
    assert found.pop("LateRejW1") == [(later, 0.75)]
    assert found == {key: there for key, there in WANTED.items() if key not in {"AggDayTH1", "LateRejW1"}}


def test_a_duplicate_that_the_bridge_writes_first_does_not_count(
    settings: Settings, filled: Bridging, store: redis.Redis
) -> None:
    live(
        settings,
        reading("TH1", START + 900_000, 50.0),
        reading("W1", START, 50.0),  # of a late reading
        merged(reading("TH2", START, 50.0)),
        merged(reading("Wtot", START - DAY_MS, 50.0)),
    )()
    before = {key: there for key, there in stored(store, settings).items() if there}
    assert before == {
        "TH1": [(START + 900_000, 50.0)],
        "W1": [(START, 50.0)],
        "TH2": [(START, 50.0)],
        "Wtot": [(START - DAY_MS, 50.0)],
    }
    meanwhile = live(
        settings,
        reading("TH1", START + 1_800_000, 60.0),
        reading("W1", START + 2 * DAY_MS, 60.0),
        merged(reading("TH1", START + 2_700_000, 60.0)),
        merged(reading("TH1", START - DAY_MS, 60.0)),
        reading("TH1", START + DAY_MS, 5.0),  # a new one, and its duplicate: the bridge's alone
        reading("TH1", START + DAY_MS, 6.0),
    )
    interrupted = Interrupted(settings, derived=False, happens=[meanwhile])
    rebuild(settings, interrupted)
    assert not interrupted.happens, "it did not happen"
    assert stored(store, settings) == {**WANTED, "TH1": [*WANTED["TH1"], (START + DAY_MS, 5.0)]}


# Reading a topic


def test_a_topic_whose_last_offset_is_no_record_has_an_end(settings: Settings) -> None:
    producer = Producer({**access.kafka_admin(settings), "transactional.id": settings.prefix})
    producer.init_transactions()
    reader = TopicReader(settings.kafka, settings.prefix + AGGREGATES)
    try:
        for number in range(2):
            producer.begin_transaction()
            producer.produce(settings.prefix + AGGREGATES, b"%d" % number, b"key")
            producer.commit_transaction()
            wait_for(lambda: reader.waiting() == 2, "a record and the marker of its transaction")
            assert [m.value() for batch in reader.read_on() for m in batch] == [b"%d" % number]
            assert reader.waiting() == 0
            assert list(reader.read_on()) == []
    finally:
        reader.close()


def test_series_that_are_gone_are_made_again_by_overwriting(settings: Settings, store: redis.Redis) -> None:
    SeriesWriter(settings, SENSORS).overwrite([Point(Series(RAW, "home", "TH1"), START, 1.5)])
    assert points(store, settings, "TH1") == [(START, 1.5)]
    assert described(store, settings, "TH1")[1] == "first"
    assert described(store, settings, "TH1")[0]["series"] == "raw"


def test_results_alone_in_place_of_what_was_there(settings: Settings, store: redis.Redis) -> None:
    """As a replay leaves them: topics without readings, and series of an earlier one that must go."""
    own = settings.replace(prefix="alone.")
    admin.create(own, (AGGREGATES, REJECTED))
    try:
        SeriesWriter(own, SENSORS).write([Point(Series("AggDay", "home", "TH2"), START, 1.0)])
        SeriesWriter(settings, SENSORS).write([Point(Series("AggDay", "home", "TH2"), START, 1.0)])
        send(own, aggregate("AggDay", "TH1", 2.0))
        Rebuild(own, SENSORS).run(replace=True)
        assert stored(store, own) == {"AggDayTH1": [(START, 2.0)]}
        assert stored(store, settings) == {"AggDayTH2": [(START, 1.0)]}, "the series of another prefix"
    finally:
        admin.delete(own)


def test_live_series_are_not_replaced(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOT_PREFIX", "")
    outcome = CliRunner().invoke(app, ["rebuild", "--replace"])
    assert isinstance(outcome.exception, UserError)
    assert "readers would miss the live ones" in str(outcome.exception)


# When something is away


def test_without_redis_it_says_so() -> None:
    nowhere = Settings.of(env_file=None, redis="redis://127.0.0.1:1/0", redis_ingest_user="", redis_viewer_user="")
    with pytest.raises(UserError, match=r"Redis does not answer at redis://127\.0\.0\.1:1/0: .* run it again"):
        rebuild(nowhere)


def test_without_kafka_it_says_so(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "TIMEOUT", 0.5)
    with pytest.raises(UserError, match=r"Kafka does not answer at 127\.0\.0\.1:1"):
        rebuild(settings.replace(kafka="127.0.0.1:1"))


def test_without_topics_it_says_so(settings: Settings) -> None:
    with pytest.raises(UserError, match=r"there is no topic none\.flinkAggr: `iot topics create`"):
        rebuild(settings.replace(prefix="none."))
