"""What a dataset says must come of it, against a model that reads one reading after the other."""

from __future__ import annotations

from collections import defaultdict

import pytest

from infrastructure.settings import Settings, milliseconds
from scripts import oracle
from scripts.bench.dataset import Daily, Dataset, judge
from scripts.oracle import DAY
from topics.decoding import decode
from topics.reading import Heartbeat, Invalid, Rules

STACK = Settings.of(env_file=None)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return Dataset(STACK, "few", sites=3, days=14)


def read(data: Dataset) -> list[tuple[str, int, float]]:
    """Sensor key, ts and value of each reading, as they are sent."""
    rules = Rules(data.simulation.catalogue, milliseconds(STACK.time.future_tolerance))
    found = []
    for _, key, value, _ in data.messages():
        for item in decode(value, data.simulation.time(data.ticks), rules):
            assert not isinstance(item, Invalid)
            if isinstance(item, Heartbeat):
                continue
            assert key is not None
            found.append((key.decode(), item.ts, item.value))
    return found


def test_the_daily_windows_are_those_of_the_definition(data: Dataset) -> None:
    clock: dict[str, int] = defaultdict(int)
    windows: dict[tuple[str, int], list[float]] = defaultdict(list)
    rejected = set()
    over = milliseconds(STACK.time.allowed_lateness + STACK.time.watermark_delay)
    for key, ts, value in read(data):
        clock[key] = max(clock[key], ts)
        day = ts - ts % DAY
        if day + DAY + over <= clock[key]:
            rejected.add((key, ts))
        else:
            windows[key, day].append(value)
    wanted = data.daily()
    settled = {name: values for name, values in windows.items() if name[1] <= data.settled_day}
    assert wanted.rejected == rejected
    assert len(rejected) > 0
    assert {name: count for name, (count, _) in wanted.windows.items()} == {n: len(v) for n, v in settled.items()}
    for name, values in settled.items():
        assert wanted.windows[name][1] == pytest.approx(sum(values) / len(values), rel=1e-12)


def test_no_sensor_can_change_a_settled_day_any_more(data: Dataset) -> None:
    newest: dict[str, int] = defaultdict(int)
    for key, ts, _ in read(data):
        newest[key] = max(newest[key], ts)
    over = milliseconds(STACK.time.allowed_lateness + STACK.time.watermark_delay)
    assert all(data.settled_day + DAY + over <= clock for clock in newest.values())
    assert data.settled_day >= data.simulation.start


def test_the_expected_series_are_the_oracles_without_the_raw_ones(data: Dataset) -> None:
    whole = oracle.expected(data.simulation, data.ticks, STACK)
    names = {key.split(":")[-1] for key in whole} & data.simulation.catalogue.keys()
    assert data.expected() == {key: points for key, points in whole.items() if key.split(":")[-1] not in names}


def test_readings_are_counted_without_heartbeats(data: Dataset) -> None:
    assert data.readings == len(read(data)) < sum(1 for _ in data.messages())


WANTED = Daily({("TH1", 0): (3, 2.0), ("TH1", DAY): (2, 1.0)}, {("W1", 5)})


def test_a_peer_that_is_right_has_nothing_wrong() -> None:
    verdict = judge(WANTED, DAY, dict(WANTED.windows), set(WANTED.rejected))
    assert str(verdict) == "0 readings, 0 windows; 1 of the too-late found"


def test_what_a_peer_gets_wrong_is_counted() -> None:
    found = {("TH1", 0): (5, 2.0), ("TH2", 0): (1, 9.0), ("TH1", 2 * DAY): (7, 7.0)}
    verdict = judge(WANTED, DAY, found, {("W1", 6)})
    # Two too many, two missing with their window, one of a sensor that has none; the last day is not settled.
    assert verdict == (5, 3, 1, 0)


def test_another_mean_is_a_wrong_window_without_wrong_readings() -> None:
    found = {**WANTED.windows, ("TH1", 0): (3, 2.1)}
    assert judge(WANTED, DAY, found, set())[:2] == (0, 1)
