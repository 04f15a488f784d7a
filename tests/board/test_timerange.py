"""Time ranges as they stand in an address."""

from __future__ import annotations

import pandas as pd
import pytest

from board.timerange import TimeRange, day_end, milliseconds

DAY = 86_400_000
NOON = int(pd.Timestamp("2020-01-14T12:00Z").timestamp()) * 1000


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2020-01-01", "2020-01-01T00:00Z"),
        ("2020-01-01T00:15:00.250", "2020-01-01T00:15:00.250Z"),
        ("2020-01-01T00:00:00.000Z", "2020-01-01T00:00Z"),
        ("2020-01-01T00:00+01:00", "2019-12-31T23:00Z"),
        ("1577836800000", "2020-01-01T00:00Z"),
        ("0", "1970-01-01T00:00Z"),
    ],
)
def test_an_instant(text: str, iso: str) -> None:
    assert milliseconds(text) == round(pd.Timestamp(iso).timestamp() * 1000)


@pytest.mark.parametrize("text", ["", "yesterday", "1969-12-31", "999999999999999", "2020-13-01", "<b>"])
def test_what_is_no_instant(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no time|between 1970"):
        milliseconds(text)


def test_a_last_day_is_meant_as_a_whole() -> None:
    assert day_end("2020-01-01") == milliseconds("2020-01-02") - 1
    assert day_end("2020-01-01T00:00") == milliseconds("2020-01-01")


def test_both_ends() -> None:
    last = NOON // DAY * DAY + DAY - 1
    assert TimeRange("2020-01-01", "2020-01-31").resolved(0, 0) == (milliseconds("2020-01-01"), day_end("2020-01-31"))
    assert TimeRange("now-30d", "now").resolved(NOON, 0) == (NOON - 30 * DAY, NOON)
    assert TimeRange("newest-1d", "newest").resolved(0, NOON) == (last - DAY + 1, last)
    assert TimeRange("newest-7d", "newest").resolved(0, NOON) == (last - 7 * DAY + 1, last)
    assert TimeRange("2020-01-01", "newest").resolved(0, NOON) == (milliseconds("2020-01-01"), last)


@pytest.mark.parametrize(("start", "end"), [("2020-01-02", "2020-01-01"), ("x", "now"), ("now", "now-")])
def test_what_is_no_range(start: str, end: str) -> None:
    with pytest.raises(ValueError, match=r"ends|is no time"):
        TimeRange(start, end)
