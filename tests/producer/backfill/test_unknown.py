"""The lines for unknown sensors can be pasted into the catalogue as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from infrastructure.home import ROOT
from producer.backfill.unknown import NAMES, Unknown
from tests.producer.backfill.reading_files import SENSORS, START
from topics import catalogue

QUARTER, DAY = 900_000, 86_400_000


def add(unknown: Unknown, name: str, ts: list[int], value: list[float]) -> None:
    unknown.add(name, np.array(ts, dtype=np.int64), np.array(value, dtype=np.float64))


def pasted(unknown: Unknown, tmp_path: Path) -> catalogue.Catalogue:
    path = tmp_path / "sensors.toml"
    path.write_text((ROOT / "sensors.toml").read_text() + "\n" + unknown.lines(SENSORS) + "\n")
    return catalogue.read(path)


@pytest.mark.parametrize(
    ("ts", "value", "cadence", "aggregate"),
    [
        ([START + n * QUARTER for n in range(20)], [1.0] * 20, "15min", "mean"),
        ([START + n * QUARTER for n in range(20) if n != 7], [1.0] * 19, "15min", "mean"),
        ([START + n * DAY for n in range(5)], [10.0, 20.0, 31.0, 40.0, 50.0], "daily", "difference"),
        ([START + n * DAY for n in range(5)], [10.0, 20.0, 5.0, 40.0, 50.0], "daily", "mean"),
        ([START, START + DAY], [7.0, 7.0], "daily", "difference"),
        ([START, START + 5, START + 3_600_000, START + 90_000], [1.0] * 4, "random", "mean"),
        ([START, START, START + QUARTER], [1.0] * 3, "15min", "mean"),
        ([START], [1.0], "15min", "mean"),
        ([], [], "15min", "mean"),
    ],
)
def test_cadence_and_aggregate_are_guessed(
    tmp_path: Path, ts: list[int], value: list[float], cadence: str, aggregate: str
) -> None:
    unknown = Unknown()
    add(unknown, "New1", ts, value)
    sensor = pasted(unknown, tmp_path)["New1"]
    assert (sensor.cadence, sensor.aggregate, sensor.unit) == (cadence, aggregate, "?")
    assert sensor.partition_class == {"mean": "mean", "difference": "meter"}[aggregate]


def test_no_sensor_that_is_there_changes_its_partition(tmp_path: Path) -> None:
    unknown = Unknown()
    for name in ("New1", "New2"):
        add(unknown, name, [START], [1.0])
    assert pasted(unknown, tmp_path).classes == SENSORS.classes


def test_names_that_the_catalogue_cannot_have_are_told_apart(tmp_path: Path) -> None:
    unknown = Unknown()
    for name in ("temp_1", "Küche", "", "x" * 65, "New1"):
        add(unknown, name, [START], [1.0])
    assert unknown.impossible == ["temp_1", "Küche", "", "x" * 65]
    assert set(pasted(unknown, tmp_path)) - set(SENSORS) == {"New1"}


def test_a_column_full_of_names_does_not_fill_the_memory() -> None:
    unknown = Unknown()
    for n in range(NAMES + 50):
        add(unknown, f"N{n}", [START], [1.0])
    assert len(unknown.counts) == NAMES + 1
    assert sum(unknown.counts.values()) == NAMES + 50
    assert "more like these" in unknown.lines(SENSORS)
