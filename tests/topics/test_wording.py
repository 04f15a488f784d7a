"""What a time, a duration and a list are called in a message."""

from __future__ import annotations

from datetime import timedelta

import pytest

from topics import wording

NOW = 1_796_000_000_000
"""2026-11-30T00:53:20Z (date -u -d @1796000000)."""
S, M, H, D = 1000, 60_000, 3_600_000, 86_400_000
Y = 365 * D


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01 00:00 UTC"),
        (-1, "1969-12-31 23:59:59.999 UTC"),
        (2_085_978_480_000, "2036-02-07 06:28 UTC"),  # date -u -d @2085978480
        (NOW, "2026-11-30 00:53:20 UTC"),
        (NOW + 5, "2026-11-30 00:53:20.005 UTC"),
        (253_402_300_799_999, "9999-12-31 23:59:59.999 UTC"),
        (253_402_300_800_000, "a time after the year 9999"),
        (10**300, "a time after the year 9999"),
        (-62_135_596_800_000, "0001-01-01 00:00 UTC"),
        (-62_135_596_800_001, "a time before the year 1"),
    ],
)
def test_an_instant_shows_as_much_as_it_has(ms: int, text: str) -> None:
    assert wording.instant(ms) == text


@pytest.mark.parametrize(("ms", "text"), [(NOW + 5, "2026-11-30 00:53 UTC"), (10**300, "a time after the year 9999")])
def test_a_minute_is_shown_without_the_rest(ms: int, text: str) -> None:
    assert wording.minute(ms) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (S, "1 second"),
        (2 * S - 1, "1 second"),
        (2 * S, "2 seconds"),
        (2 * M - 1, "119 seconds"),
        (2 * M, "2 minutes"),
        (2 * H - 1, "119 minutes"),
        (2 * H, "2 hours"),
        (2 * D - 1, "47 hours"),
        (2 * D, "2 days"),
        (60 * D, "60 days"),
        (61 * D, "2 months"),
        (2 * Y, "23 months"),
        (2 * Y + D, "2 years"),
        (9 * Y + 70 * D, "9 years"),
        (412 * Y + 110 * D, "412 years"),
        (8000 * Y, "7,994 years"),  # of 365.2425 days
    ],
)
def test_a_duration_has_the_largest_unit_of_which_there_are_two(ms: int, text: str) -> None:
    assert wording.duration(ms) == wording.duration(-ms) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (2_085_978_480_000, "2036-02-07 06:28 UTC, 9 years ahead"),
        (NOW + 61 * M, "2026-11-30 01:54 UTC, 61 minutes ahead"),
        (NOW - 30 * S, "2026-11-30 00:52 UTC, 30 seconds ago"),
        (NOW - 3 * D, "2026-11-27 00:53 UTC, 3 days ago"),
        (0, "1970-01-01 00:00 UTC, 56 years ago"),
        (NOW, "2026-11-30 00:53 UTC, now"),
    ],
)
def test_an_instant_is_ahead_or_ago(ms: int, text: str) -> None:
    assert wording.from_now(ms, NOW) == text


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(days=9, seconds=10), "9 days 10 seconds"),
        (timedelta(days=1), "1 day"),
        (timedelta(hours=25, minutes=1), "1 day 1 hour 1 minute"),
        (timedelta(milliseconds=200), "200 ms"),
        (timedelta(seconds=1, milliseconds=1), "1 second 1 ms"),
        (timedelta(0), "0 ms"),
    ],
)
def test_the_duration_of_a_setting_is_told_to_the_last(length: timedelta, text: str) -> None:
    assert wording.exact_duration(length) == text


@pytest.mark.parametrize(
    ("ts", "text"),
    [
        (NOW * 1000 + 7, "in microseconds it would be 2026-11-30 00:53 UTC, and milliseconds are expected"),
        (NOW * 1_000_000, "in nanoseconds it would be 2026-11-30 00:53 UTC, and milliseconds are expected"),
        (10**300, ""),
        (253_402_300_800_000_000_000_000, ""),
    ],
)
def test_a_time_of_another_unit_is_recognised(ts: int, text: str) -> None:
    assert wording.of_another_unit(ts) == text


def test_a_list_names_ten_and_counts_the_rest() -> None:
    assert wording.listed([]) == ""
    assert wording.listed(["a", "b"]) == "a, b"
    assert wording.listed(["a"] * 10) == ", ".join("a" * 10)
    assert wording.listed([f"{n}" for n in range(1500)]) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 1,490 more"
    assert wording.listed(["a", "b", "c"], most=2) == "a, b and 1 more"


def test_who_has_looked_under_another_prefix_is_told_where_there_are_some() -> None:
    assert wording.elsewhere("topics", {"mine.", ""}) == "there are topics with the prefixes (none), mine."
    assert wording.elsewhere("topics", {"mine."}) == "there are topics with the prefix mine."
    assert wording.elsewhere("series", {""}) == "there are series without a prefix"
    assert wording.elsewhere("series", set()) == "there are no series at all"
    many = wording.elsewhere("topics", {f"p{n:02}." for n in range(12)})
    assert many.endswith("p08., p09. and 2 more")
    assert (wording.of_prefix("a."), wording.of_prefix("")) == ("with the prefix a.", "without a prefix")
