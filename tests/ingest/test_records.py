"""What the bridge makes of one record of flinkAggr, lateRej and dailyAggr; no server."""

from __future__ import annotations

from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from infrastructure.home import ROOT
from ingest.records import Point, Records
from tests.generated import records
from tests.validity import CASES, SENT, TS, Case
from topics import catalogue
from topics.decoding import decode
from topics.encoding import encode_heartbeat
from topics.reading import LATEST_TS, REASONS, Heartbeat, Invalid, Rules
from topics.results import OldResultError
from topics.series import DERIVED, Series

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
START = 1_577_836_800_000  # 2020-01-01T00:00Z

"""RedisTimeSeries refuses a later one (tried on 1.12)."""

RECORDS = Records(
    catalogue.read(ROOT / "sensors.toml"),
    future_tolerance_ms=HOUR_MS,
)
RULES = Rules(catalogue.read(ROOT / "sensors.toml"), HOUR_MS)


def key(series: str = "AggDay", site: str = "home", sensor: str = "TH1", day: int = START) -> bytes:
    return msgspec.json.encode({"series": series, "site": site, "sensor": sensor, "day": day})


def value(of: bytes, **other: Any) -> bytes:
    fields = {**msgspec.json.decode(of), "value": 22.5, "count": 96}
    return msgspec.json.encode({**fields, **other})


def rejected(**other: Any) -> bytes:
    reading = {"site": "home", "sensor": "W1", "ts": START, "value": 0.5, "reason": "too_late", "late_ms": 5}
    return msgspec.json.encode({**reading, **other})


def assert_invalid(item: Point | Invalid, reason: str) -> None:
    assert isinstance(item, Invalid), item
    assert item.reason == reason
    assert item.reason in REASONS
    assert str(item).encode()


@pytest.mark.parametrize("series", DERIVED)
@pytest.mark.parametrize("day", [START, START + 59 * DAY_MS, 0, LATEST_TS])
def test_an_aggregate_is_a_point_at_the_start_of_its_day(series: str, day: int) -> None:
    name = key(series, sensor="Etot", day=day)
    assert RECORDS.aggregate(name, value(name)) == Point(Series(series, "home", "Etot"), day, 22.5)


@pytest.mark.parametrize("series", DERIVED)
def test_a_tombstone_names_the_point_that_its_value_has_set(series: str) -> None:
    name = key(series, sensor="Etot")
    tombstone, set_before = RECORDS.aggregate(name, None), RECORDS.aggregate(name, value(name))
    assert tombstone == Point(Series(series, "home", "Etot"), START, None)
    assert isinstance(set_before, Point)
    assert (tombstone.series, tombstone.ts) == (set_before.series, set_before.ts)


def test_a_result_of_an_old_system_says_what_to_do() -> None:
    """It must neither be a dead letter nor be lost."""
    old = b'{"series":"AggDay","site":"home","sensor":"TH1","window_start":"2020-01-01 00:00:00Z"}'
    with pytest.raises(OldResultError, match="iot topics migrate"):
        RECORDS.aggregate(old, None)


@pytest.mark.parametrize("site", ["home", "site-0002", "0", "a_b.c-D", "x" * 64])
def test_an_aggregate_of_any_site(site: str) -> None:
    name = key(site=site)
    assert RECORDS.aggregate(name, value(name)) == Point(Series("AggDay", site, "TH1"), START, 22.5)


@pytest.mark.parametrize("number", [0, -0.0, -17, 5e-324, 1.7976931348623157e308, 0.1 + 0.2])
def test_an_aggregate_keeps_its_value_to_the_last_bit(number: float) -> None:
    name = key()
    point = RECORDS.aggregate(name, value(name, value=number))
    assert isinstance(point, Point)
    assert repr(point.value) == repr(float(number))


def test_the_key_names_an_aggregate_and_further_fields_are_ignored() -> None:
    name = msgspec.json.encode({**msgspec.json.decode(key()), "more": [1]})
    assert RECORDS.aggregate(name, value(key(), more={})) == Point(Series("AggDay", "home", "TH1"), START, 22.5)


GOOD = key()
GOOD_VALUE = value(GOOD)


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        (None, GOOD_VALUE, "not_json"),
        (b"", GOOD_VALUE, "not_json"),
        (b"TH1", GOOD_VALUE, "not_json"),
        (GOOD + b"x", GOOD_VALUE, "not_json"),
        (b"[]", GOOD_VALUE, "not_json"),
        (b"\xff\xfe", GOOD_VALUE, "not_json"),
        (b'{"series":"AggDay","site":"home","sensor":"TH1"}', GOOD_VALUE, "not_json"),
        (b'{"series":1,"site":"home","sensor":"TH1","day":0}', GOOD_VALUE, "not_json"),
        (b'{"series":"AggDay","site":"home","sensor":"TH1","day":"2020-01-01"}', GOOD_VALUE, "not_json"),
        (b'{"series":"AggDay","site":"home","sensor":"TH1","day":0.5}', GOOD_VALUE, "not_json"),
        (b'{"series":"AggDay","site":"home","sensor":"TH1","window_start":"2020"}', GOOD_VALUE, "not_json"),
        (GOOD, b"", "not_json"),
        (GOOD, b"null", "not_json"),
        (GOOD, b"{", "not_json"),
        (GOOD, b"\xff", "not_json"),
        (GOOD, value(GOOD, value=None), "not_json"),
        (GOOD, value(GOOD, value="22.5"), "not_json"),
        (GOOD, value(GOOD, count="many"), "not_json"),
        (GOOD, GOOD_VALUE.replace(b"22.5", b"NaN"), "not_json"),
        (GOOD, b'{"value":22.5}', "not_json"),
        (key("AggWeek"), GOOD_VALUE, "unknown_sensor"),
        (key("raw"), GOOD_VALUE, "unknown_sensor"),
        (key("LateRej"), GOOD_VALUE, "unknown_sensor"),
        (key(sensor="TH9"), GOOD_VALUE, "unknown_sensor"),
        (key(sensor="TH9"), None, "unknown_sensor"),
        (key(sensor=""), GOOD_VALUE, "unknown_sensor"),
        (key(site=""), GOOD_VALUE, "unknown_sensor"),
        (key(site="a b"), GOOD_VALUE, "unknown_sensor"),
        (key(site="x" * 65), None, "unknown_sensor"),
    ],
)
def test_what_is_no_aggregate_is_invalid(name: bytes | None, body: bytes | None, reason: str) -> None:
    assert_invalid(RECORDS.aggregate(name, body), reason)


@pytest.mark.parametrize("number", [b"1e400", b"-1e400"])
def test_an_aggregate_is_finite(number: bytes) -> None:
    assert isinstance(RECORDS.aggregate(GOOD, GOOD_VALUE.replace(b"22.5", number)), Invalid)


@pytest.mark.parametrize("day", [-1, -DAY_MS, -(2**62)])
@pytest.mark.parametrize("retracted", [False, True])
def test_an_aggregate_of_a_day_before_1970_is_invalid(day: int, retracted: bool) -> None:
    """RedisTimeSeries refuses a negative ts: as a point it would be tried again for ever."""
    name = key(day=day)
    assert isinstance(RECORDS.aggregate(name, None if retracted else value(name)), Invalid)


@pytest.mark.parametrize("ts", [0, START, START + 1, LATEST_TS])
def test_a_rejected_reading_is_a_point_at_its_own_ts(ts: int) -> None:
    assert RECORDS.rejected(b"", rejected(ts=ts)) == Point(Series("LateRej", "home", "W1"), ts, 0.5)


def test_a_rejected_reading_of_another_site() -> None:
    assert RECORDS.rejected(b"", rejected(site="b")) == Point(Series("LateRej", "b", "W1"), START, 0.5)


def test_a_rejection_that_is_retracted() -> None:
    name = b'{"site":"b","sensor":"W1","ts":1577836800000}'
    assert RECORDS.rejected(name, None) == Point(Series("LateRej", "b", "W1"), START, None)


@pytest.mark.parametrize(
    "name", [None, b"", b"{}", b'{"site":"b","sensor":"W9","ts":0}', b'{"site":"b","sensor":"W1","ts":-1}']
)
def test_a_tombstone_of_nothing_that_could_be_there_is_invalid(name: bytes | None) -> None:
    assert isinstance(RECORDS.rejected(name, None), Invalid)


@pytest.mark.parametrize(
    "body",
    [
        None,
        b"",
        b"{",
        b"\xff",
        b"[]",
        rejected(ts=-1),
        rejected(ts=1.5),
        rejected(ts=LATEST_TS + 1),
        rejected(ts="5"),
        rejected(value=None),
        rejected(value="x"),
        rejected().replace(b"0.5", b"1e400"),
        rejected().replace(b"0.5", b"NaN"),
        rejected(sensor="W9"),
        rejected(site=""),
        rejected(site="a:b"),
    ],
)
def test_what_is_no_rejected_reading_is_invalid(body: bytes | None) -> None:
    item = RECORDS.rejected(b"", body)
    assert isinstance(item, Invalid), item
    assert item.reason in REASONS


@pytest.mark.parametrize("long", [300, 100_000])
def test_why_something_is_invalid_is_told_in_a_few_words(long: int) -> None:
    """It becomes a header of the dead letter, which must not grow too large for Kafka by it."""
    for item in (
        RECORDS.aggregate(key("x" * long), None),
        RECORDS.aggregate(key(sensor="x" * long), None),
        RECORDS.aggregate(key(site="x" * long), None),
        RECORDS.rejected(b"", rejected(sensor="x" * long)),
        RECORDS.rejected(b"", rejected(site="x" * long)),
        *items(rejected(sensor="x" * long), START),
        *items(rejected(site="x" * long), START),
    ):
        assert isinstance(item, Invalid)
        assert len(str(item)) <= 300


def items(value: bytes | None, received: int) -> list[Point | Invalid]:
    """What a record of dailyAggr holds."""
    found = RECORDS.reading(value, received)
    return [found] if isinstance(found, Point) else list(found)


def reading(**other: Any) -> bytes:
    return msgspec.json.encode({"site": "home", "sensor": "TH1", "ts": START, "value": 22.5, **other})


def test_a_reading_is_a_point_of_its_raw_series() -> None:
    assert items(reading(), START) == [Point(Series("raw", "home", "TH1"), START, 22.5)]
    assert items(reading(site="b", more=1), START) == [Point(Series("raw", "b", "TH1"), START, 22.5)]


def test_a_heartbeat_is_nothing() -> None:
    assert items(encode_heartbeat(START), START) == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (None, "not_json"),
        (b"garbage", "not_json"),
        (reading(value=None), "missing_field"),
        (reading(sensor="TH9"), "unknown_sensor"),
        (reading(ts=START + HOUR_MS + 1), "future_ts"),
        (encode_heartbeat(START + HOUR_MS + 1), "future_ts"),
    ],
)
def test_what_is_no_reading_is_invalid(body: bytes | None, reason: str) -> None:
    (item,) = items(body, START)
    assert_invalid(item, reason)  # every case of validity: tests/topics/test_reading.py


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_verdict_is_that_of_the_table_for_a_name_that_is_known_as_well(case: Case) -> None:
    wanted = [case.expected] if isinstance(case.expected, str) else case.expected
    for name in {(item.site, item.sensor) for item in wanted if not isinstance(item, str)} | {("home", "TH1")}:
        assert len(items(reading(site=name[0], sensor=name[1]), SENT)) == 1
    found = [item.reason if isinstance(item, Invalid) else item for item in items(case.value, SENT)]
    assert found == [
        item if isinstance(item, str) else Point(Series("raw", item.site, item.sensor), item.ts, item.value)
        for item in wanted
    ]


@given(records(), st.sampled_from([SENT, TS - HOUR_MS - 1, TS - HOUR_MS, 0]))
@example(reading(ts=TS), TS - HOUR_MS)
@example(reading(ts=TS), TS - HOUR_MS - 1)
@example(reading(ts=-1), SENT)
@example(reading(site=1), SENT)
@example(reading().replace(b"22.5", b"1e400"), SENT)
@example(reading() + b"," + reading(), SENT)
def test_a_name_that_is_known_is_judged_as_the_table_has_it(value: bytes, sent: int) -> None:
    for site, sensor in product(("home", "cabin", "a_b.c-d"), ("TH1", "Mov1")):
        items(reading(site=site, sensor=sensor), SENT)
    wanted = [item for item in decode(value, sent, RULES) if not isinstance(item, Heartbeat)]
    assert [i.reason if isinstance(i, Invalid) else i for i in items(value, sent)] == [
        i.reason if isinstance(i, Invalid) else Point(Series("raw", i.site, i.sensor), i.ts, i.value) for i in wanted
    ]


def test_nearly_all_records_are_a_point_at_once() -> None:
    items(reading(), SENT)
    assert RECORDS.reading(reading(), SENT) == Point(Series("raw", "home", "TH1"), START, 22.5)


def test_a_reading_that_redis_cannot_hold_is_invalid() -> None:
    """A record can be stamped with any time, so that "not in the future" is no bound."""
    (item,) = items(reading(ts=LATEST_TS + 1), LATEST_TS)
    assert isinstance(item, Invalid), item
