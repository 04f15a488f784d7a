"""What a cell says does not depend on the cells around it, nor on who reads it: pandas' parser or the rules."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from producer.backfill.cells import epoch_ms, number
from tests.producer.backfill.reading_files import START, read_csv
from topics.reading import LATEST_TS, Invalid

DAY = 86_400_000

TIMES: list[tuple[str, int | str]] = [
    ("0", 0),
    ("1577836800000", START),
    (" 1577836800000\t", START),
    ("+1577836800000", START),
    ("0001577836800000", START),
    ("1577836800000.0", START),
    ("1577836800000.", START),
    ("253402300799999", LATEST_TS),
    ("2020", 2020),
    ("20200101", 20_200_101),
    ("2020-01-01", START),
    ("2020-01-01T00:00Z", START),
    ("2020-01-01 00:00", START),
    ("2020-01-01T00:00:00", START),
    ("2020-01-01T00:00:00.000Z", START),
    ("2020-01-01T00:00:00.5", START + 500),
    ("2020-01-01T00:00:00.123000000Z", START + 123),
    ("2020-01-01T01:00:00+01:00", START),
    ("2020-01-01T01:30:00+0130", START),
    ("2019-12-31 19:00:00-05", START),
    ("2020-02-29T23:59:59.999Z", START + 60 * DAY - 1),
    ("9999-12-31T23:59:59.999Z", LATEST_TS),
    ("1970-01-01", 0),
    ("1970-01-01T00:00:00+00:01", "negative_ts"),
    ("1969-12-31T23:59:59.999Z", "negative_ts"),
    ("-1", "negative_ts"),
    ("-99999999999999999999", "negative_ts"),
    ("253402300800000", "future_ts"),
    ("9223372036854775808", "future_ts"),
    ("9999-12-31T23:59:59.999-01:00", "future_ts"),
    ("", "missing_field"),
    ("  ", "missing_field"),
    ("1577836800000.5", "wrong_type"),
    ("1.5778368e12", "wrong_type"),
    ("1e-400", "wrong_type"),
    ("1_577_836_800_000", "wrong_type"),
    ("2020-01-01T00:00:00.0001Z", "wrong_type"),
    ("2021-02-29", "wrong_type"),
    ("2020-01-01T24:00", "wrong_type"),
    ("2020-01-01T00:60", "wrong_type"),
    ("2020-W01-1", "wrong_type"),
    ("20200101T000000", "wrong_type"),
    ("2020-1-1", "wrong_type"),
    ("01/02/2020", "wrong_type"),
    ("0000-01-01", "wrong_type"),
    ("now", "wrong_type"),
    ("true", "wrong_type"),
    ("nan", "wrong_type"),
    ("٢٠٢٠", "wrong_type"),
    ("9" * 5000, "wrong_type"),
]

VALUES: list[tuple[str, float | str]] = [
    ("0", 0.0),
    ("-0.0", -0.0),
    ("22.5", 22.5),
    (" 22.5 ", 22.5),
    ("+7", 7.0),
    ("007", 7.0),
    (".5", 0.5),
    ("5.", 5.0),
    ("1e3", 1000.0),
    ("1E-3", 0.001),
    ("9007199254740993", 9007199254740992.0),
    ("18446744073709551615", 18446744073709551615.0),
    ("123456789012345678901234567890", 123456789012345678901234567890.0),
    ("0.1000000000000000055511151231257827", 0.1),
    ("2.2250738585072011e-308", 2.2250738585072011e-308),
    ("5e-324", 5e-324),
    ("1e-400", 0.0),
    ("1.7976931348623157e308", 1.7976931348623157e308),
    ("1e400", "not_finite"),
    ("-1e400", "not_finite"),
    ("NaN", "not_finite"),
    ("nan", "not_finite"),
    ("-inf", "not_finite"),
    ("Infinity", "not_finite"),
    ("", "missing_field"),
    ("   ", "missing_field"),
    ("true", "wrong_type"),
    ("False", "wrong_type"),
    ("abc", "wrong_type"),
    ("22.5.1", "wrong_type"),
    ("1_000", "wrong_type"),
    ("0x10", "wrong_type"),
    ("1d", "wrong_type"),
    ("- 1", "wrong_type"),
    ("1e", "wrong_type"),
    ("None", "wrong_type"),
    ("NA", "wrong_type"),
    ("null", "wrong_type"),
    ("2020-01-01", "wrong_type"),
    ("٣", "wrong_type"),
]


def bits(value: float) -> bytes:
    return struct.pack(">d", value)


def said(verdict: float | Invalid) -> int | float | str:
    return verdict.reason if isinstance(verdict, Invalid) else verdict


@pytest.mark.parametrize(("text", "expected"), TIMES)
def test_a_time_is_epoch_milliseconds_or_iso_8601(text: str, expected: int | str) -> None:
    assert said(epoch_ms(text)) == expected


@pytest.mark.parametrize(("text", "expected"), VALUES)
def test_a_value_is_a_finite_decimal_number(text: str, expected: float | str) -> None:
    found = said(number(text))
    assert found == expected
    if isinstance(expected, float):
        assert isinstance(found, float)
        assert bits(found) == bits(expected)


def of_times(path: Path, cells: list[str]) -> list[int | str]:
    """The verdict on each of these times, one a row, as the file's reader gives it."""
    result = read_csv(path, "".join(["sensor,ts,value\n", *(f"TH1,{cell},1\n" for cell in cells)]).encode())
    found: dict[int, int | str] = dict(result.rejected)
    good = iter(result.readings)
    return [found.get(line) or next(good)[2] for line in range(2, len(cells) + 2)]


def of_values(path: Path, cells: list[str]) -> list[int | float | str]:
    rows = (f"TH1,{ts},{cell}\n" for ts, cell in enumerate(cells))
    result = read_csv(path, "".join(["sensor,ts,value\n", *rows]).encode())
    found: dict[int, float | str] = dict(result.rejected)
    good = iter(result.readings)
    return [found[line] if line in found else next(good)[3] for line in range(2, len(cells) + 2)]


def unique(cells: list[tuple[str, int | str]]) -> list[tuple[str, int | str]]:
    """Without a second cell of the same time, which would be a duplicate."""
    seen: set[int | str] = set()
    return [c for c in cells if isinstance(c[1], str) or (c[1] not in seen and not seen.add(c[1]))]  # type: ignore[func-returns-value]


@examples(max_examples=80)
@given(st.lists(st.sampled_from(TIMES), min_size=1, max_size=6))
def test_a_file_s_times_are_read_like_each_alone(tmp_path_factory: pytest.TempPathFactory, cells: list) -> None:  # type: ignore[type-arg]
    cells = unique(cells)
    path = tmp_path_factory.getbasetemp() / "times.csv"
    assert of_times(path, [text for text, _ in cells]) == [expected for _, expected in cells]


@examples(max_examples=80)
@given(st.lists(st.sampled_from(VALUES), min_size=1, max_size=6))
def test_a_file_s_values_are_read_like_each_alone(tmp_path_factory: pytest.TempPathFactory, cells: list) -> None:  # type: ignore[type-arg]
    path = tmp_path_factory.getbasetemp() / "values.csv"
    assert of_values(path, [text for text, _ in cells]) == [expected for _, expected in cells]


LIKE_NUMBERS = st.text(alphabet="0123456789.eE+-infaNtrud x_", max_size=8).map(lambda text: text.replace(",", ""))


@examples(max_examples=150)
@given(st.lists(LIKE_NUMBERS | st.floats().map(repr), min_size=1, max_size=3))
def test_pandas_takes_no_value_that_the_rule_does_not(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "like.csv"
    assert of_values(path, cells) == [said(number(cell)) for cell in cells]


@examples(max_examples=150)
@given(LIKE_NUMBERS | st.integers(-(2**70), 2**70).map(str))
def test_pandas_takes_no_time_that_the_rule_does_not(tmp_path_factory: pytest.TempPathFactory, cell: str) -> None:
    path = tmp_path_factory.getbasetemp() / "like.csv"
    assert of_times(path, [cell]) == [said(epoch_ms(cell))]


@examples(max_examples=200)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_every_double_comes_through_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, cells: list[float]
) -> None:
    path = tmp_path_factory.getbasetemp() / "doubles.csv"
    found = of_values(path, [repr(cell) for cell in cells])
    assert [bits(float(value)) for value in found] == [bits(cell) for cell in cells]
