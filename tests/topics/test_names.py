"""What topics, keys and series are called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.home import ROOT
from topics import catalogue
from topics.names import (
    AGGREGATES,
    DEAD_LETTERS,
    DEFAULT_SITE,
    READINGS,
    REJECTED,
    TOPICS,
    prefix_of,
    prefixes_of,
    sensor_key,
)
from topics.series import (
    AGG_DAY,
    AGG_DAY_COUNT,
    AGG_DAY_DIFF,
    AGG_DAY_REST,
    DERIVED,
    LATE_REJECTED,
    OF_NAME,
    RAW,
    Series,
)

SENSORS = catalogue.read(ROOT / "sensors.toml")
sites = st.just(DEFAULT_SITE) | st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True)


def test_the_topics_are_those_of_the_contract() -> None:
    assert (READINGS, AGGREGATES, REJECTED, DEAD_LETTERS) == ("dailyAggr", "flinkAggr", "lateRej", "deadLetter")
    assert TOPICS == (READINGS, "history", AGGREGATES, REJECTED, DEAD_LETTERS, "sensorClasses")


def test_prefixes_are_those_of_our_topics() -> None:
    there = [
        "dailyAggr",
        "history",
        "mine.flinkAggr",
        "orders-history",
        "old.history",
        "old.lateRej",
        "daily",
        "x.Aggr",
    ]
    assert prefixes_of(there) == {"", "mine.", "old."}
    assert prefixes_of([]) == set()
    assert [prefix_of(topic) for topic in ("dailyAggr", "a.history", "a.b.lateRej")] == ["", "a.", "a.b."]


def test_the_kinds_of_series_are_those_of_the_contract() -> None:
    assert DERIVED == ("AggDay", "AggDayCount", "AggDayDiff", "AggDayRest")
    assert (RAW, LATE_REJECTED) == ("raw", "LateRej")


def test_a_key_names_the_sensor_and_a_site_that_is_not_the_default_one() -> None:
    assert DEFAULT_SITE == "home"
    assert sensor_key("home", "TH1") == "TH1"
    assert sensor_key("site-0002", "TH1") == "site-0002/TH1"


@pytest.mark.parametrize(
    ("kind", "sensor", "key"),
    [
        (RAW, "TH1", "TH1"),
        (RAW, "Mov1", "Mov1"),
        (AGG_DAY, "TH1", "AggDayTH1"),
        (AGG_DAY, "Mov1", "AggDayMov1"),
        (AGG_DAY_COUNT, "TH1", "AggDayCountTH1"),
        (AGG_DAY_DIFF, "Etot", "AggDayDiffEtot"),
        (AGG_DAY_REST, "Wtot", "AggDayRestWtot"),
        (LATE_REJECTED, "W1", "LateRejW1"),
    ],
)
def test_a_series_is_called_after_its_kind_and_sensor(kind: str, sensor: str, key: str) -> None:
    assert Series(kind, "home", sensor).key() == key
    assert Series(kind, "site-0002", sensor).key() == f"site-0002:{key}"
    assert Series(kind, "home", sensor).key("test.") == f"test.{key}"
    assert Series(kind, "site-0002", sensor).key("test.") == f"test.site-0002:{key}"


@pytest.mark.parametrize("kind", OF_NAME)
def test_a_series_is_labelled_with_site_sensor_series_and_unit(kind: str) -> None:
    labels = {"site": "site-0002", "sensor": "TH1", "series": kind, "unit": "°C"}
    assert Series(kind, "site-0002", "TH1").labels("°C") == labels
    assert Series(kind, "site-0002", "TH1").labels("°C", "test.") == {**labels, "prefix": "test."}


@given(sites, sites)
def test_no_two_series_share_a_key(one: str, other: str) -> None:
    series = {Series(kind, site, sensor) for site in (one, other) for sensor in SENSORS for kind in OF_NAME}
    assert len({s.key() for s in series}) == len(series)


@given(sites, sites)
def test_no_two_sensors_share_a_key(one: str, other: str) -> None:
    named = {(site, sensor) for site in (one, other) for sensor in SENSORS}
    assert len({sensor_key(*name) for name in named}) == len(named)
