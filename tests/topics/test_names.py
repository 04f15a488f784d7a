"""What topics, keys and series are called, and which partition a sensor's readings go to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.settings import ROOT
from topics import catalogue
from topics.catalogue import Catalogue, Sensor
from topics.names import (
    AGG_DAY,
    AGG_DAY_COUNT,
    AGG_DAY_DIFF,
    AGG_DAY_REST,
    AGGREGATES,
    DEAD_LETTERS,
    DEFAULT_SITE,
    DERIVED,
    LATE_REJECTED,
    RAW,
    READINGS,
    REJECTED,
    TOPICS,
    Series,
    partition,
    sensor_key,
)

SENSORS = catalogue.read(ROOT / "sensors.toml")
CLASS_OF = {
    "TH1": 0,
    "TH2": 0,
    "HVAC1": 1,
    "HVAC2": 1,
    "MiAC1": 2,
    "MiAC2": 2,
    "W1": 3,
    "Etot": 4,
    "Wtot": 4,
    "Mov1": 5,
}
"""Classes in the order in which they share the partitions: mean, HVAC, MiAC, water, daily meters, motion."""

sites = st.just(DEFAULT_SITE) | st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True)
sensors = st.sampled_from(sorted(CLASS_OF))


def place(site: str, sensor: str, partitions: int) -> int:
    return partition(sensor_key(site, sensor), SENSORS[sensor].partition_class, SENSORS, partitions)


def catalogue_of(classes: int) -> Catalogue:
    """A catalogue of one sensor in each of so many classes."""
    return Catalogue(
        {
            f"S{number}": Sensor(
                name=f"S{number}", unit="x", cadence="15min", aggregate="sum", partition_class=f"class {number}"
            )
            for number in range(classes)
        }
    )


def test_the_topics_are_those_of_the_contract() -> None:
    assert (READINGS, AGGREGATES, REJECTED, DEAD_LETTERS) == ("dailyAggr", "flinkAggr", "lateRej", "deadLetter")
    assert TOPICS == (READINGS, "history", AGGREGATES, REJECTED, DEAD_LETTERS)


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


@pytest.mark.parametrize("kind", [RAW, *DERIVED, LATE_REJECTED])
def test_a_series_is_labelled_with_site_sensor_series_and_unit(kind: str) -> None:
    labels = {"site": "site-0002", "sensor": "TH1", "series": kind, "unit": "°C"}
    assert Series(kind, "site-0002", "TH1").labels("°C") == labels
    assert Series(kind, "site-0002", "TH1").labels("°C", "test.") == {**labels, "prefix": "test."}


@given(sites, sites)
def test_no_two_series_share_a_key(one: str, other: str) -> None:
    series = {
        Series(kind, site, sensor)
        for site in (one, other)
        for sensor in SENSORS
        for kind in (RAW, *DERIVED, LATE_REJECTED)
    }
    assert len({s.key() for s in series}) == len(series)


@given(sites, sites)
def test_no_two_sensors_share_a_key(one: str, other: str) -> None:
    named = {(site, sensor) for site in (one, other) for sensor in SENSORS}
    assert len({sensor_key(*name) for name in named}) == len(named)


@given(sites, sensors)
def test_of_6_partitions_each_class_has_one(site: str, sensor: str) -> None:
    assert place(site, sensor, 6) == CLASS_OF[sensor]


@given(sites, sensors)
def test_of_48_partitions_each_class_has_eight(site: str, sensor: str) -> None:
    assert place(site, sensor, 48) // 8 == CLASS_OF[sensor]


@pytest.mark.parametrize("sensor", sorted(CLASS_OF))
def test_many_sites_fill_the_whole_share_of_a_class_evenly(sensor: str) -> None:
    places = [place(f"site-{number:04}", sensor, 48) for number in range(2, 802)]
    first = 8 * CLASS_OF[sensor]
    assert set(places) == set(range(first, first + 8))
    assert all(50 <= places.count(number) <= 150 for number in range(first, first + 8))


@given(sites, sensors)
def test_a_single_partition_takes_all(site: str, sensor: str) -> None:
    assert place(site, sensor, 1) == 0


@given(st.lists(sites, min_size=1, max_size=8), st.integers(6, 10_000))
def test_no_two_classes_share_a_partition_when_there_are_enough(houses: list[str], partitions: int) -> None:
    used: dict[int, set[int]] = {number: set() for number in range(6)}
    for sensor, number in CLASS_OF.items():
        used[number] |= {place(site, sensor, partitions) for site in houses}
    assert sum(len(places) for places in used.values()) == len(set().union(*used.values()))


@given(st.integers(1, 12), st.integers(1, 200), st.lists(sites, min_size=1, max_size=5))
def test_every_partition_is_in_range_and_shares_follow_the_order_of_the_classes(
    classes: int, partitions: int, houses: list[str]
) -> None:
    several = catalogue_of(classes)
    highest = 0
    for sensor in several.values():
        places = [
            partition(sensor_key(site, sensor.name), sensor.partition_class, several, partitions) for site in houses
        ]
        assert all(0 <= number < partitions for number in places)
        assert min(places) >= highest
        highest = max(places)


def test_every_partition_belongs_to_a_class() -> None:
    # Where the shares do not come out even, as with 50 partitions, none is left over.
    reached = {place(f"site-{number:04}", sensor, 50) for number in range(2, 502) for sensor in CLASS_OF}
    assert reached == set(range(50))


@pytest.mark.parametrize(
    ("key", "sensor", "number"),
    [("TH1", "TH1", 1), ("site-0002/TH1", "TH1", 7), ("site-0002/W1", "W1", 31), ("Mov1", "Mov1", 43)],
)
def test_a_sensor_keeps_its_partition_from_one_release_to_the_next(key: str, sensor: str, number: int) -> None:
    # Its clock, and a producer that goes on where the topic ends, rely on it. (CRC-32 of the key, modulo 8.)
    assert partition(key, SENSORS[sensor].partition_class, SENSORS, 48) == number
