"""What the simulated houses measure, and when each reading is sent."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.home import ROOT
from producer.simulation import DECIMALS, TICK_MS, Readings, Simulation, site_names, ticks_of
from topics import catalogue
from topics.catalogue import Catalogue, Late, Sensor

SENSORS = catalogue.read(ROOT / "sensors.toml")
START = 1_577_836_800_000
"""2020-01-01T00:00Z."""
DAY_MS = 86_400_000
MINUTE_MS = 60_000
SEEDS = (0, 1, 2, 2**63, 2**64 - 1)

seeds = st.integers(0, 2**64 - 1)


class Sent(NamedTuple):
    """One reading, with the tick at which it is sent."""

    tick: int
    site: str
    sensor: str
    ts: int
    tenths: int


def house(*names: str, seed: int = 1, sites: int = 1, start: int = START) -> Simulation:
    """A simulation of the named sensors, or of all."""
    return Simulation(Catalogue({name: SENSORS[name] for name in names or SENSORS}), seed, start, site_names(sites))


def rows(simulation: Simulation, first: int, end: int) -> list[Sent]:
    names = list(simulation.catalogue)
    columns = (column.tolist() for column in simulation.readings(first, end))
    return [
        Sent(tick, simulation.sites[site], names[sensor], ts, tenths)
        for tick, site, sensor, ts, tenths in zip(*columns, strict=True)
    ]


def schedule(ticks: int, rules: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ticks at which a sensor with late readings sends, and which tick's reading: one tick after the other."""
    late = defaultdict(list)
    for k in range(ticks + max(delay for _, delay in rules)):
        for every, delay in rules:
            if (k + 1) % every == 0:
                late[k].append(k - delay)
    withheld = {measured for ticks_of_one in late.values() for measured in ticks_of_one}
    sent = []
    for k in range(ticks):
        if k not in withheld:
            sent.append((k, k))
        sent += [(k, measured) for measured in sorted(late[k], reverse=True)]
    return sent


def timed(simulation: Simulation, ticks: int) -> list[tuple[int, int]]:
    """The same as ``schedule``, of a simulation of a single sensor on a single site."""
    measured = [divmod(row.ts - simulation.start, TICK_MS) for row in rows(simulation, 0, ticks)]
    assert all(rest == 0 for _, rest in measured)
    return [(row.tick, tick) for row, (tick, _) in zip(rows(simulation, 0, ticks), measured, strict=True)]


# --- Sites, days, time


def test_the_first_site_is_the_default_one() -> None:
    assert site_names(1) == ("home",)
    assert site_names(3) == ("home", "site-0002", "site-0003")
    assert site_names(10_001)[-1] == "site-10001"
    assert len(set(site_names(10_001))) == 10_001


def test_a_tick_is_15_minutes_and_a_day_closes_with_the_first_two_ticks_of_the_next() -> None:
    simulation = house()
    assert [simulation.time(tick) - START for tick in (0, 1, 96)] == [0, 15 * MINUTE_MS, DAY_MS]
    assert ticks_of(1) == 98
    last = [row.ts for row in rows(simulation, 0, ticks_of(14)) if row.sensor == "TH1"][-2:]
    assert [ts - START for ts in last] == [14 * DAY_MS, 14 * DAY_MS + 15 * MINUTE_MS]


def test_a_simulation_is_named_by_seed_start_and_number_of_sites() -> None:
    one = house(seed=1, start=0, sites=1).identity
    assert one == house("TH1", seed=1, start=0, sites=1).identity
    assert one not in {
        house(seed=2, start=0, sites=1).identity,
        house(seed=1, start=1, sites=1).identity,
        house(seed=1, start=0, sites=2).identity,
    }


# --- The order of sending


@pytest.mark.parametrize("sites", [1, 3])
def test_within_a_tick_sites_come_in_order_then_sensors_then_the_newest_reading_first(sites: int) -> None:
    simulation = house(sites=sites)
    sent = rows(simulation, 0, 400)
    names = list(SENSORS)
    assert sent == sorted(sent, key=lambda r: (r.tick, simulation.sites.index(r.site), names.index(r.sensor), -r.ts))


def test_every_sensor_of_every_site_that_is_due_is_sent_once_at_each_tick() -> None:
    sent = rows(house(sites=3), 0, 500)
    steady = ("TH1", "TH2", "HVAC1", "HVAC2", "MiAC1", "MiAC2")
    names = Counter((row.tick, row.site, row.sensor) for row in sent if row.sensor in steady)
    assert names == dict.fromkeys(product(range(500), site_names(3), steady), 1)


def test_what_is_not_late_is_sent_at_its_tick() -> None:
    sent = rows(house(sites=2), 0, 1500)
    assert all(row.ts == START + row.tick * TICK_MS for row in sent if row.sensor not in ("W1", "Mov1"))


def test_a_site_the_sensor_and_ts_name_one_reading_for_ever() -> None:
    sent = rows(house(sites=2), 0, 3000)
    assert len({(row.site, row.sensor, row.ts) for row in sent}) == len(sent)


# --- Late readings


def test_late_readings_of_w1_follow_the_schedule_exactly() -> None:
    assert timed(house("W1"), 3000) == schedule(3000, [(20, 192), (120, 960)])


def test_the_schedule_is_the_one_that_the_design_describes() -> None:
    # Against a slip of the model above: a few ticks, counted by hand.
    sent = timed(house("W1"), 2000)
    assert [m for k, m in sent if k == 18] == [18]
    assert [m for k, m in sent if k == 19] == [19, 19 - 192]
    assert [m for k, m in sent if k == 119] == [119 - 192, 119 - 960], "its own reading waits too"
    assert [m for k, m in sent if k == 7] == []
    assert [k for k, m in sent if m == 7] == [199]
    assert [k for k, m in sent if m == 119 + 120 - 960] == [239]
    assert [k for k, m in sent if m == 1079 - 960] == [1079], "withheld at tick 119 for 10 days"


def test_a_withheld_reading_is_never_sent_on_time() -> None:
    sent = timed(house("W1"), 3000)
    late = {m for k, m in sent if k != m}
    on_time = {m for k, m in sent if k == m}
    assert not late & on_time
    assert {k - m for k, m in sent} == {0, 192, 960}


def test_ticks_before_the_start_exist_only_as_late_readings_and_only_of_w1() -> None:
    early = [row for row in rows(house(sites=2), 0, 2000) if row.ts < START]
    assert {row.sensor for row in early} == {"W1"}
    assert {row.tick * TICK_MS + START - row.ts for row in early} == {2 * DAY_MS, 10 * DAY_MS}
    expected = {m for _, m in schedule(2000, [(20, 192), (120, 960)]) if m < 0}
    assert sorted(row.ts for row in early) == sorted(2 * [START + m * TICK_MS for m in expected])


def test_the_first_rejected_reading_is_of_23_december_2019() -> None:
    first = next(row for row in rows(house("W1"), 0, 200) if row.tick * TICK_MS + START - row.ts == 10 * DAY_MS)
    assert datetime.fromtimestamp(first.ts / 1000, UTC).date().isoformat() == "2019-12-23"


def test_every_day_of_w1_is_complete_after_ten_days() -> None:
    days = Counter((row.ts - START) // DAY_MS for row in rows(house("W1"), 0, 96 * 30))
    assert {day: days[day] for day in range(20)} == dict.fromkeys(range(20), 96)


def test_every_site_has_the_same_schedule() -> None:
    sent = rows(house("W1", sites=3), 0, 1000)
    by_site = [[(row.tick, row.ts) for row in sent if row.site == site] for site in site_names(3)]
    assert by_site[0] == by_site[1] == by_site[2]


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 60)), min_size=1, max_size=1))
def test_any_schedule_in_the_catalogue_is_followed(rules: list[tuple[int, int]]) -> None:
    late = tuple(Late(every=every, delay=delay) for every, delay in rules)
    drain = Sensor(name="W9", unit="L", cadence="15min", aggregate="sum", partition_class="water", high=1, late=late)
    assert timed(Simulation(Catalogue({"W9": drain}), 1, START, ("home",)), 150) == schedule(150, rules)


# --- Values


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("TH1", 120, 350),
        ("TH2", 120, 350),
        ("HVAC1", 0, 1000),
        ("HVAC2", 0, 2000),
        ("MiAC1", 0, 1500),
        ("MiAC2", 0, 2000),
        ("W1", 0, 10),
    ],
)
def test_values_are_uniform_tenths_between_both_ends_of_the_range(name: str, low: int, high: int) -> None:
    count = high - low + 1
    draws = 400 * count if count < 300 else 100 * count
    assert DECIMALS == 10
    for seed in (1, 2, 3):
        tenths = house(seed=seed).tenths(SENSORS[name], np.arange(draws, dtype=np.int64))[0]
        assert (tenths.min(), tenths.max()) == (low, high)
        frequencies = np.bincount(tenths - low, minlength=count)
        chi_square = float(((frequencies - draws / count) ** 2).sum() / (draws / count))
        freedom = count - 1
        assert abs(chi_square - freedom) < 5 * (2 * freedom) ** 0.5
        assert abs(tenths.mean() - (low + high) / 2) < 5 * (high - low) / (12 * draws) ** 0.5
        neighbours = np.corrcoef(tenths[:-1], tenths[1:])[0, 1]
        assert abs(neighbours) < 5 / draws**0.5


def test_the_readings_have_the_values_of_their_ticks_also_when_they_are_late() -> None:
    simulation = house("W1")
    for row in rows(simulation, 0, 1200):
        ticks = np.array([(row.ts - START) // TICK_MS], dtype=np.int64)
        assert row.tenths == simulation.tenths(SENSORS["W1"], ticks)[0, 0]


@pytest.mark.parametrize(("name", "per_day", "spread"), [("Etot", 624_000, 10_000), ("Wtot", 1100, 100)])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_meter_advances_by_what_the_catalogue_says_and_never_runs_backwards(
    name: str, per_day: int, spread: int, seed: int
) -> None:
    sent = rows(house(name, seed=seed), 0, 96 * 730)
    assert [(row.ts - START) % DAY_MS for row in sent] == [(23 * 60 + 45) * MINUTE_MS] * 730
    assert [(row.ts - START) // DAY_MS for row in sent] == list(range(730))
    advances = [after.tenths - before.tenths for before, after in pairwise(sent)]
    assert min(advances) > 0
    assert all(abs(advance - per_day) <= spread for advance in advances)
    # Not a straight line either: both halves of the spread are used.
    assert min(advances) < per_day - spread / 2
    assert max(advances) > per_day + spread / 2
    assert abs(sent[0].tenths - per_day) <= spread, "the meter starts at zero"


@pytest.mark.parametrize("seed", SEEDS)
def test_motion_is_one_at_an_instant_of_the_15_minutes_before_its_tick(seed: int) -> None:
    sent = rows(house("Mov1", seed=seed), 0, 96 * 365)
    assert {row.tenths for row in sent} == {10}
    assert all(0 <= START + row.tick * TICK_MS - row.ts < TICK_MS for row in sent)
    assert all(row.ts >= START for row in sent)
    assert max(Counter(row.tick for row in sent).values()) == 1
    per_day = Counter((row.ts - START) // DAY_MS for row in sent)
    assert all(1 <= per_day[day] <= 24 for day in range(364)), "several a day"
    assert 7 < sum(per_day.values()) / 365 < 9
    # The instants fill the 15 minutes, not just some of them.
    assert len({row.ts % TICK_MS for row in sent}) > 800


def test_there_is_no_motion_at_the_start_itself_and_none_before() -> None:
    restless = Sensor(
        name="Mov9", unit="", cadence="random", aggregate="sum", partition_class="m", low=1, high=1, chance=1
    )
    sent = rows(Simulation(Catalogue({"Mov9": restless}), 1, START, site_names(50)), 0, 10)
    assert {row.tick for row in sent} == set(range(1, 10))
    assert len(sent) == 9 * 50
    assert min(row.ts for row in sent) > START


# --- Names and values


@settings(max_examples=40)
@given(st.integers(0, 5000), st.integers(0, 250), st.integers(0, 250), st.integers(1, 3), seeds)
def test_a_simulation_can_be_computed_from_any_tick_on(first: int, some: int, more: int, sites: int, seed: int) -> None:
    simulation = house(seed=seed, sites=sites)
    middle, end = first + some, first + some + more
    halves = zip(simulation.readings(first, middle), simulation.readings(middle, end), strict=True)
    whole = simulation.readings(first, end)
    for column, joined in zip(whole, Readings(*(np.concatenate(both) for both in halves)), strict=True):
        assert column.dtype == np.int64
        assert column.tolist() == joined.tolist()


def test_no_ticks_send_nothing() -> None:
    assert rows(house(), 7, 7) == []


@settings(max_examples=15)
@given(seeds, st.sets(st.sampled_from(sorted(SENSORS)), min_size=1), st.integers(1, 4))
def test_a_reading_depends_on_seed_site_sensor_and_tick_alone(seed: int, names: set[str], sites: int) -> None:
    few = rows(house(*sorted(names), seed=seed, sites=sites), 0, 250)
    all_of_them = set(rows(house(seed=seed, sites=4), 0, 250))
    some = {row for row in all_of_them if row.sensor in names and row.site in site_names(sites)}
    assert set(few) == some
    assert len(few) == len(some)


@settings(max_examples=20)
@given(seeds)
def test_the_same_seed_gives_the_same_readings(seed: int) -> None:
    assert rows(house(seed=seed), 0, 200) == rows(house(seed=seed), 0, 200)


@given(seeds, seeds)
def test_different_seeds_give_different_readings(one: int, other: int) -> None:
    ticks = np.arange(300, dtype=np.int64)
    equal = np.mean(house(seed=one).tenths(SENSORS["TH1"], ticks) == house(seed=other).tenths(SENSORS["TH1"], ticks))
    assert equal == 1 if one == other else equal < 0.1


@given(seeds, st.integers(0, 63))
def test_seeds_that_differ_in_one_bit_give_different_readings(seed: int, bit: int) -> None:
    ticks = np.arange(300, dtype=np.int64)
    one, other = house(seed=seed), house(seed=seed ^ (1 << bit))
    assert np.mean(one.tenths(SENSORS["TH1"], ticks) == other.tenths(SENSORS["TH1"], ticks)) < 0.1


def test_sites_and_sensors_of_the_same_range_have_values_of_their_own() -> None:
    ticks = np.arange(2000, dtype=np.int64)
    simulation = house(sites=20)
    series = np.concatenate([simulation.tenths(SENSORS[name], ticks) for name in ("TH1", "TH2")])
    correlation = np.corrcoef(series)
    assert np.abs(correlation - np.eye(len(series))).max() < 6 / 2000**0.5
    # Nor is one the other, some ticks later.
    beginnings = {tuple(values[shift : shift + 5].tolist()) for values in series for shift in range(200)}
    assert len(beginnings) == len(series) * 200


def test_a_value_does_not_depend_on_the_day_on_which_the_simulation_starts() -> None:
    later = rows(house(start=START + DAY_MS), 0, 300)
    assert [row._replace(ts=row.ts - DAY_MS) for row in later] == rows(house(), 0, 300)


def test_another_release_gives_the_same_values() -> None:
    # A producer that goes on where the topic ends compares values, so a release that changed them would fill it twice.
    simulation = house(seed=1, sites=2)
    ticks = np.array([-960, 0, 1, 95, 100_000], dtype=np.int64)
    # From SplitMix64 in plain integers, worked out beside this code base.
    assert simulation.tenths(SENSORS["TH1"], ticks).tolist() == [[260, 126, 331, 217, 260], [190, 260, 217, 331, 257]]
