"""What docs/operations/scaling.md computes with is what the code does."""

from __future__ import annotations

import re
import string
from collections import Counter

import pytest
from redis.crc import key_slot

from infrastructure.home import ROOT
from infrastructure.settings import Settings
from producer.encoder import Encoder
from producer.simulation import TICKS_PER_DAY, Simulation, site_names, ticks_of
from scripts.oracle import expected
from topics import catalogue
from topics.partitions import first_partitions
from topics.series import OF_NAME, Series

PAGE = (ROOT / "docs" / "operations" / "scaling.md").read_text(encoding="utf-8")
SENSORS = catalogue.read(ROOT / "sensors.toml")
START = 1577836800000
HOUSES = 100


def a_day(partitions: int) -> list[int]:
    """The partition of each reading of a day of some houses."""
    simulation = Simulation(SENSORS, 1, START, site_names(HOUSES))
    return [
        m[0]
        for m in Encoder(simulation, partitions, first_partitions(SENSORS, partitions)).messages(0, TICKS_PER_DAY)
        if m[1] is not None
    ]


def test_a_house_has_as_many_readings_a_day_as_the_page_says() -> None:
    assert "682 readings a day" in PAGE
    assert len(a_day(6)) / HOUSES == pytest.approx(682, abs=2)


def test_a_house_has_as_many_series_as_the_page_says() -> None:
    found = expected(Simulation(SENSORS, 1, START, site_names(1)), ticks_of(4), Settings.of(env_file=None))
    assert len(found) == 33
    assert "| 33: 10 raw, 8 AggDay, 10 AggDayCount, 2 AggDayDiff, 2 AggDayRest, 1 LateRej |" in PAGE


@pytest.mark.parametrize(("partitions", "factor"), [(6, 1.7), (48, 1.9)])
def test_the_fullest_partition_is_as_full_as_the_page_says(partitions: int, factor: float) -> None:
    found = a_day(partitions)
    fullest = max(Counter(found).values()) / (len(found) / partitions)
    assert fullest == pytest.approx(factor, abs=0.05)
    assert f"{factor:g} times the mean with {partitions}" in PAGE or f"{factor:g} times with {partitions}" in PAGE


def test_no_key_has_a_hash_tag_and_a_batch_spans_slots() -> None:
    keys = [Series(kind, site, sensor).key("test.") for kind in OF_NAME for site in site_names(3) for sensor in SENSORS]
    assert not set("".join(keys)) - set(string.ascii_letters + string.digits + "_.:-")
    assert len({key_slot(key.encode()) for key in keys}) > len(keys) * 0.9, "each by its whole key"


def test_every_command_that_may_be_sent_to_redis_is_told() -> None:
    rules = (ROOT / "scripts" / "stack" / "conf" / "redis.acl").read_text(encoding="utf-8")
    users = [line for line in rules.splitlines() if "-@all" in line and "default" not in line]
    commands = {word for line in users for word in re.findall(r"\+([a-z.]+)", line)}
    assert len(commands) > 10
    assert {command for command in commands if command.upper() not in PAGE} == set()
