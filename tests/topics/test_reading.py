"""What the decoder makes of bytes: the table of cases, and what holds for all others."""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from infrastructure.home import ROOT
from tests.generated import records
from tests.validity import CASES, FUTURE_TOLERANCE_MS, GOOD, LATEST, OBSERVED, PLAIN, SENT, TS, Case
from topics import catalogue
from topics.decoding import Item, decode, decode_loosely, exact
from topics.encoding import SeriesEncoder, encode, encode_heartbeat, tail
from topics.names import sensor_key
from topics.reading import REASONS, Heartbeat, Invalid, Reading, Rules

SENSORS = catalogue.read(ROOT / "sensors.toml")
RULES = Rules(SENSORS, FUTURE_TOLERANCE_MS)

# JSON texts of one field: some valid, some not, in every combination.
SITES = ['"home"', '"a_b.c-d"', '"a b"', '""', "5", "1e3", "true", "null", "[1]", "{}", '"h\\u006fme"', '"\\ud800"']
NAMES = ['"TH1"', '"Mov1"', '"XX"', '"th1"', "1", "null", "[]"]
TIMES = [
    *("0", "-0", "-1", "0.5", str(TS), f"{TS}.0", f'"{TS}"', "1.5778368e12", str(LATEST), str(LATEST + 1)),
    *(str(2**63 - 1), str(2**63), str(2**64), str(-(2**63)), "1e400", '"x"', "null", "true", "[]"),
]
VALUES = [
    *("22.5", "22", "-0.0", "1e-400", "1e400", "1" * 400, '"22.5"'),
    *('"NaN"', '"x"', "null", "true", "[1]", "NaN", "05"),
]

valid_readings = st.builds(
    Reading,
    site=st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True),
    sensor=st.sampled_from(list(SENSORS)),
    ts=st.integers(0, LATEST),
    value=st.floats(allow_nan=False, allow_infinity=False),
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([TS, "home", "TH1"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*Reading._fields, "x"]) | st.text(max_size=3), inner, max_size=6)
    ),
    max_leaves=12,
)


def outcome(value: bytes | None, received: int = SENT, rules: Rules = RULES) -> list[Reading | str]:
    """What the bytes hold, with the reason in the place of each invalid reading."""
    items = decode(value, received, rules)
    return [item.reason if isinstance(item, Invalid) else item for item in items if not isinstance(item, Heartbeat)]


def assert_kept(items: list[Item]) -> None:
    """Each reading is one by the contract, each invalid one says why in words that a Kafka header can carry."""
    for item in items:
        if isinstance(item, Invalid):
            assert item.reason in REASONS
            assert str(item).encode()
        elif isinstance(item, Heartbeat):
            assert type(item.ts) is int
        else:
            assert re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", item.site)
            assert item.sensor in SENSORS
            assert type(item.ts) is int
            assert 0 <= item.ts <= LATEST
            assert type(item.value) is float
            assert isfinite(item.value)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_verdict_is_that_of_the_table(case: Case) -> None:
    expected = [case.expected] if isinstance(case.expected, str) else case.expected
    assert outcome(case.value) == expected
    assert_kept(decode(case.value, SENT, RULES))


def test_the_table_holds_each_case_once() -> None:
    assert len(CASES) >= 200
    assert len(OBSERVED) >= 130
    assert len({case.name for case in CASES}) == len(CASES)
    assert len({case.value for case in CASES}) == len(CASES)


def test_the_table_has_every_reason_and_no_other() -> None:
    assert {case.expected for case in CASES if isinstance(case.expected, str)} == set(REASONS)


def test_minus_zero_keeps_its_sign() -> None:
    (reading,) = decode(PLAIN.replace(b"22.5", b"-0.0"), SENT, RULES)
    assert isinstance(reading, Reading)
    assert str(reading.value) == "-0.0"


@pytest.mark.parametrize("ts", [0, TS, TS + 1])
def test_the_future_tolerance_is_a_rule(ts: int) -> None:
    exact = Rules(SENSORS, 0)
    expected = [Reading("home", "TH1", ts, 22.5)] if ts <= TS else ["future_ts"]
    assert outcome(PLAIN.replace(str(TS).encode(), str(ts).encode()), received=TS, rules=exact) == expected
    assert outcome(encode_heartbeat(ts), received=TS, rules=exact) == ([] if ts <= TS else ["future_ts"])


def test_which_sensors_are_known_is_a_rule() -> None:
    assert outcome(PLAIN, rules=Rules({"TH2"}, FUTURE_TOLERANCE_MS)) == ["unknown_sensor"]


def test_an_array_gives_each_of_its_readings_a_verdict_and_skips_heartbeats() -> None:
    negative = PLAIN.replace(str(TS).encode(), b"-1")
    assert outcome(b"[" + b",".join([PLAIN, encode_heartbeat(TS), negative, b"{}", PLAIN]) + b"]") == [
        *GOOD,
        "negative_ts",
        "missing_field",
        *GOOD,
    ]


@given(valid_readings)
def test_a_valid_reading_comes_back_as_it_was_sent(reading: Reading) -> None:
    assert outcome(json.dumps(reading._asdict()).encode()) == [reading]
    assert outcome(json.dumps(reading._asdict(), separators=(",", ":")).encode()) == [reading]


@given(valid_readings, st.permutations(Reading._fields), json_values)
def test_neither_order_nor_unknown_fields_change_a_reading(reading: Reading, order: list[str], unknown: Any) -> None:
    fields = {name: reading._asdict()[name] for name in order}
    assert outcome(json.dumps(fields).encode()) == [reading]
    # JSON itself has no NaN, and then the record would be no JSON.
    text = json.dumps({"unknown": json.loads(json.dumps(unknown), parse_constant=str), **fields})
    assert outcome(text.encode()) == [reading]


@given(records())
@hypothesis_settings(max_examples=500)
@example(PLAIN)
def test_both_ways_of_the_decoder_give_the_same_verdict(record: bytes) -> None:
    """There is a fast way for exactly the four fields, and another one for everything else."""
    items = decode(record, SENT, RULES)
    assert_kept(items)
    slow = decode_loosely(record, SENT, RULES)
    assert [(i.reason if isinstance(i, Invalid) else repr(i)) for i in slow] == [
        (i.reason if isinstance(i, Invalid) else repr(i)) for i in items
    ]


@given(st.sampled_from(SITES), st.sampled_from(NAMES), st.sampled_from(TIMES), st.sampled_from(VALUES))
def test_a_further_field_does_not_change_the_verdict(site: str, sensor: str, ts: str, value: str) -> None:
    record = f'{{"site":{site},"sensor":{sensor},"ts":{ts},"value":{value}'
    assert outcome(f"{record}}}".encode()) == outcome(f'{record},"x":1}}'.encode())


@given(valid_readings, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "utf-32-le"]))
def test_every_encoding_of_json_is_read(reading: Reading, encoding: str) -> None:
    assert outcome(json.dumps(reading._asdict()).encode(encoding)) == [reading]


@given(st.integers(-(2**70), 2**70) | st.integers(-2, 2) | st.integers(LATEST - 2, LATEST + 2))
def test_a_heartbeat_is_no_reading_and_invalid_where_a_reading_of_its_time_would_be(ts: int) -> None:
    assert outcome(encode_heartbeat(ts)) == ([] if 0 <= ts <= LATEST else ["negative_ts" if ts < 0 else "future_ts"])
    if 0 <= ts <= LATEST:
        assert decode(encode_heartbeat(ts), SENT, RULES) == [Heartbeat(ts)]


@given(valid_readings)
def test_what_is_encoded_is_decoded_at_once(reading: Reading) -> None:
    assert exact(encode(reading)) is not None
    (item,) = decode(encode(reading), SENT, RULES)
    assert item == reading
    assert isinstance(item, Reading)
    assert str(item.value) == str(reading.value)


@given(st.lists(valid_readings, min_size=1, max_size=20))
def test_many_readings_are_encoded_as_one_is(readings: list[Reading]) -> None:
    encoder = SeriesEncoder(lambda site, sensor: len(site) + len(sensor))
    series = list(dict.fromkeys((r.site, r.sensor) for r in readings))
    encoder.add(series[:1])
    encoder.add(series[1:])
    numbers = np.array([series.index((r.site, r.sensor)) for r in readings])
    tails = np.array([tail(r.value) for r in readings], dtype=object)
    values = encoder.values(numbers, np.array([r.ts for r in readings]), tails)
    assert values.tolist() == [encode(r) for r in readings]
    assert [encoder.keys[n] for n in numbers] == [sensor_key(r.site, r.sensor).encode() for r in readings]
    assert [encoder.partitions[n] for n in numbers] == [len(r.site) + len(r.sensor) for r in readings]


@given(st.binary(max_size=200))
@example(b"[" * 100_000)
@example(b'{"x":' * 100_000)
@example(b'[{"ts":' + b"9" * 2000 + b"}]")
@example(b"\xff" + PLAIN)
def test_bytes_of_any_kind_never_raise(value: bytes) -> None:
    items = decode(value, SENT, RULES)
    assert items
    assert_kept(items)


@given(json_values)
def test_json_of_any_kind_never_raises(value: Any) -> None:
    assert_kept(decode(json.dumps(value).encode(), SENT, RULES))
    assert_kept(decode(json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass"), SENT, RULES))


@given(valid_readings, st.data())
def test_a_damaged_reading_never_raises(reading: Reading, data: st.DataObject) -> None:
    record = json.dumps(reading._asdict()).encode()
    patches = st.binary(max_size=4) | st.sampled_from([b'"', b"\\", b"{", b"}", b"[", b"-", b"e9", b"null", b"\\ud800"])
    for _ in range(data.draw(st.integers(1, 3))):
        begin = data.draw(st.integers(0, len(record)))
        end = data.draw(st.integers(begin, min(len(record), begin + 8)))
        record = record[:begin] + data.draw(patches) + record[end:]
    assert_kept(decode(record, SENT, RULES))


def test_a_string_that_jackson_would_not_look_at_is_no_number() -> None:
    def padded(length: int) -> bytes:
        return PLAIN.replace(b"22.5", b'"%s"' % b"22.5".rjust(length))

    assert outcome(padded(20_000_000)) == GOOD
    assert outcome(padded(20_000_001)) == ["wrong_type"]


def test_how_deep_the_caller_is_does_not_change_the_verdict() -> None:
    record = next(case.value for case in CASES if case.name == "limit: 1000 levels")

    def below(levels: int) -> list[Reading | str]:
        return below(levels - 1) if levels else outcome(record)

    assert below(600) == GOOD


@given(st.integers(-1, 2**63 - 1))
def test_no_record_timestamp_raises(received: int) -> None:
    # Kafka gives -1 where a record has no timestamp.
    assert outcome(PLAIN, received=received) == (GOOD if received + FUTURE_TOLERANCE_MS >= TS else ["future_ts"])


@pytest.mark.parametrize(
    ("ts", "detail"),
    [
        (LATEST + 1, "ts is 2020-01-01 01:00 UTC, 60 minutes after it was received"),
        (2_085_978_480_000, "ts is 2036-02-07 06:28 UTC, 16 years after it was received"),
        (1_577_836_800_000_000, "in microseconds it would be 2020-01-01 00:00 UTC, and milliseconds are expected"),
        (253_402_300_800_000, "ts 253402300800000 is after the year 9999"),
        (f"1{'0' * 300}", f"ts 1{'0' * 24}… is after the year 9999"),
        (-1, "ts -1 is before 1970: 1969-12-31 23:59:59.999 UTC"),
        (-(10**20), "ts -100000000000000000000 is before 1970: a time before the year 1"),
    ],
)
def test_what_is_wrong_with_a_time_is_told_in_words(ts: int | str, detail: str) -> None:
    (item,) = decode(PLAIN.replace(b"%d" % TS, str(ts).encode()), SENT, RULES)
    assert isinstance(item, Invalid)
    assert detail in str(item)
