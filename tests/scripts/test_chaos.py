"""Chaos: which faults are drawn, and what counts as lost, duplicated or wrong."""

from __future__ import annotations

import json

import pytest

from scripts.chaos.faults import VICTIMS, Fault, Kind, faults, rounds
from scripts.chaos.verdict import ByRound, Finding, compared, letters, purged
from topics.origin import Origin

KINDS = faults(frozen=20, away=60, full=30)


def test_every_process_is_killed_and_frozen() -> None:
    for kind in (Kind.KILL, Kind.FREEZE):
        assert {fault.victim for fault in KINDS if fault.kind == kind} == set(VICTIMS)
    assert {(fault.kind, fault.seconds) for fault in KINDS} >= {(Kind.AWAY, 60), (Kind.FULL, 30), (Kind.FREEZE, 20)}


def test_every_fault_comes_at_both_paces_before_one_comes_again() -> None:
    everything = {(fault, full_speed) for fault in KINDS for full_speed in (False, True)}
    drawn = [(each.fault, each.full_speed) for each in rounds(40, 7, KINDS)]
    assert len(drawn) == 40
    assert set(drawn[: len(everything)]) == everything
    assert len(set(drawn[len(everything) :])) == 40 - len(everything)


def test_the_seed_says_all() -> None:
    assert rounds(32, 3, KINDS) == rounds(32, 3, KINDS)
    first, second = rounds(32, 3, KINDS), rounds(32, 4, KINDS)
    assert [each.fault for each in first] != [each.fault for each in second]
    assert len({each.after for each in first}) == 32


def test_what_differs_in_a_series() -> None:
    wanted = {"TH1": {0: 1.0, 1000: 2.0}, "AggDayCountTH1": {0: 96.0, 1000: 96.0}, "AggDayTH1": {0: 20.0}}
    found = {"TH1": {0: 1.0, 2000: 2.0}, "AggDayCountTH1": {0: 97.0, 1000: 95.0}, "AggDayTH1": {0: 21.0}}
    assert {(each.fate, each.what.split(" at ")[0], each.ts) for each in compared(found, wanted)} == {
        ("lost", "TH1", 1000),
        ("duplicated", "TH1", 2000),
        ("duplicated", "AggDayCountTH1", 0),
        ("lost", "AggDayCountTH1", 1000),
        ("wrong", "AggDayTH1", 0),
    }
    assert not list(compared(wanted, wanted))


def test_each_invalid_record_is_one_dead_letter() -> None:
    once, twice, never, other = (Origin("dailyAggr", 0, offset) for offset in range(4))
    found = list(letters([once, twice, other, twice, None], {once, twice, never}))
    assert sorted(each.fate for each in found) == ["duplicated", "lost", "wrong", "wrong"]
    assert not list(letters([once, twice], {once, twice}))


def test_nothing_may_be_purged() -> None:
    values = [
        json.dumps({"site": "home", "sensor": "W1", "ts": ts, "value": 1, "reason": reason}).encode()
        for ts, reason in ((1, "too_late"), (2, "window_purged"))
    ]
    assert [(each.fate, each.ts) for each in purged([*values, None])] == [("wrong", 2)]


@pytest.mark.parametrize(("ts", "number"), [(99, 0), (100, 0), (199, 0), (200, 1), (10**6, 1)])
def test_a_finding_belongs_to_the_round_in_which_the_simulation_was_there(ts: int, number: int) -> None:
    by_round = ByRound([100, 200])
    by_round.add(Finding("lost", "a point", ts))
    assert by_round.counts == {(number, "lost"): 1}


def test_a_fault_says_what_it_is() -> None:
    assert str(Fault(Kind.FREEZE, "kafka", 20)) == "kafka: freeze, 20 s"
    assert str(Fault(Kind.KILL, "redis")) == "redis: kill -9"
