"""Which partition a sensor's readings go to, and that it stays."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.home import ROOT
from topics import catalogue
from topics.catalogue import Catalogue, Sensor
from topics.names import DEFAULT_SITE
from topics.partitions import (
    ClassChangedError,
    ClassRange,
    Entry,
    PartitionMap,
    Range,
    SensorClass,
    decode_entry,
    encode_entry,
    first_partitions,
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


def partition_of(site: str, sensor: str, partitions: int) -> int:
    return first_partitions(SENSORS, partitions)(site, sensor)


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


@given(sites, sensors)
def test_of_6_partitions_each_class_has_one(site: str, sensor: str) -> None:
    assert partition_of(site, sensor, 6) == CLASS_OF[sensor]


@given(sites, sensors)
def test_of_48_partitions_each_class_has_eight(site: str, sensor: str) -> None:
    assert partition_of(site, sensor, 48) // 8 == CLASS_OF[sensor]


@pytest.mark.parametrize("sensor", sorted(CLASS_OF))
def test_many_sites_fill_the_whole_share_of_a_class_evenly(sensor: str) -> None:
    numbers = [partition_of(f"site-{number:04}", sensor, 48) for number in range(2, 802)]
    first = 8 * CLASS_OF[sensor]
    assert set(numbers) == set(range(first, first + 8))
    assert all(50 <= numbers.count(number) <= 150 for number in range(first, first + 8))


@given(sites, sensors)
def test_a_single_partition_takes_all(site: str, sensor: str) -> None:
    assert partition_of(site, sensor, 1) == 0


@given(st.lists(sites, min_size=1, max_size=8), st.integers(6, 10_000))
def test_no_two_classes_share_a_partition_when_there_are_enough(houses: list[str], partitions: int) -> None:
    used: dict[int, set[int]] = {number: set() for number in range(6)}
    for sensor, number in CLASS_OF.items():
        used[number] |= {partition_of(site, sensor, partitions) for site in houses}
    assert sum(len(numbers) for numbers in used.values()) == len(set().union(*used.values()))


@given(st.integers(1, 12), st.integers(1, 200), st.lists(sites, min_size=1, max_size=5))
def test_every_partition_is_in_range_and_shares_follow_the_order_of_the_classes(
    classes: int, partitions: int, houses: list[str]
) -> None:
    several = catalogue_of(classes)
    highest = 0
    for sensor in several.values():
        numbers = [first_partitions(several, partitions)(site, sensor.name) for site in houses]
        assert all(0 <= number < partitions for number in numbers)
        assert min(numbers) >= highest
        highest = max(numbers)


def test_every_partition_belongs_to_a_class() -> None:
    # Where the shares do not come out even, as with 50 partitions, none is left over.
    reached = {partition_of(f"site-{number:04}", sensor, 50) for number in range(2, 502) for sensor in CLASS_OF}
    assert reached == set(range(50))


@pytest.mark.parametrize(
    ("site", "sensor", "number"),
    [("home", "TH1", 1), ("site-0002", "TH1", 7), ("site-0002", "W1", 31), ("home", "Mov1", 43)],
)
def test_a_sensor_keeps_its_partition_from_one_release_to_the_next(site: str, sensor: str, number: int) -> None:
    # Its clock, and a producer that goes on where the topic ends, rely on it. (CRC-32 of the key, modulo 8.)
    assert partition_of(site, sensor, 48) == number


# --- What was written down stays


def known(catalogue: Catalogue, partitions: int) -> PartitionMap:
    """The map of a topic that all sensors of a catalogue have used."""
    own = PartitionMap(partitions)
    own.add(own.missing(catalogue, catalogue))
    return own


def where(own: PartitionMap, catalogue: Catalogue, sites: list[str]) -> dict[tuple[str, str], int]:
    return {
        (site, name): own.partition(site, name, sensor.partition_class)
        for site in sites
        for name, sensor in catalogue.items()
    }


@given(st.integers(1, 8), st.integers(1, 6), st.integers(1, 100), st.lists(sites, min_size=1, max_size=5))
def test_a_class_that_is_added_moves_nobody(classes: int, more: int, partitions: int, houses: list[str]) -> None:
    before, after = catalogue_of(classes), catalogue_of(classes + more)
    own = known(before, partitions)
    there = where(own, before, houses)
    own.add(own.missing(after, after))
    now = where(own, after, houses)
    assert {name: now[name] for name in there} == there
    assert all(0 <= number < partitions for number in now.values())


def test_a_class_that_is_added_gets_its_partition_by_the_hash_over_all() -> None:
    own = known(catalogue_of(6), 48)
    seven = catalogue_of(7)
    own.add(own.missing(seven, seven))
    numbers = {own.partition(f"site-{n:04}", "S6", "class 6") for n in range(1000)}
    assert numbers == set(range(48))


def test_a_class_that_goes_leaves_the_others_where_they_are() -> None:
    before = catalogue_of(6)
    own = known(before, 48)
    fewer = Catalogue({name: sensor for name, sensor in before.items() if name != "S0"})
    assert own.missing(fewer, fewer) == []
    assert where(own, fewer, ["home"]) == {n: p for n, p in where(own, before, ["home"]).items() if n[1] != "S0"}


def test_a_sensor_with_readings_whose_class_changes_is_refused_by_name() -> None:
    before = catalogue_of(3)
    own = known(before, 6)
    other = Catalogue({**before, "S1": msgspec.structs.replace(before["S1"], partition_class="class 2")})
    with pytest.raises(ClassChangedError, match=r"sensor S1 has readings of class class 1.*Change it back"):
        own.missing(other, ["S0"])
    unused = PartitionMap(6)
    unused.add(unused.missing(before, ["S0", "S2"]))
    assert unused.missing(other, ["S1"]) == [SensorClass("S1", "class 2")], "it had no readings"


def test_what_was_written_down_first_counts() -> None:
    own = PartitionMap(6)
    own.add([ClassRange("mean", 2, 1), SensorClass("TH1", "mean"), ClassRange("mean", 0, 6), SensorClass("TH1", "x")])
    assert own.ranges == {"mean": Range(2, 1)}
    assert own.sensors == {"TH1": "mean"}


@pytest.mark.parametrize("entry", [ClassRange("mean", 2, 3), SensorClass("TH1", "mean")])
def test_an_entry_is_read_as_it_was_written(entry: Entry) -> None:
    assert decode_entry(encode_entry(entry)) == entry


@pytest.mark.parametrize("value", [None, b"", b"{}", b'{"type":"class","name":1}', b"\xff"])
def test_what_is_no_entry_is_none(value: bytes | None) -> None:
    assert decode_entry(value) is None
