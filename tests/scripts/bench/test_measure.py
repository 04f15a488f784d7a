"""Medians, ratios and turns, without a system."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.bench.measure import (
    Contender,
    Goal,
    Measuring,
    Outcome,
    Row,
    WrongResultError,
    median,
    percentile,
    ratios,
    spread,
)
from topics.errors import UserError

figures = st.lists(st.floats(1, 1e6), min_size=1, max_size=40)


@settings(deadline=None)
@given(figures, st.floats(0.01, 1))
def test_a_percentile_is_the_smallest_that_so_many_do_not_exceed(values: list[float], share: float) -> None:
    found = percentile(values, share)
    enough = [v for v in values if sum(w <= v for w in values) >= len(values) * share - 1e-9]
    assert found == min(enough)


@settings(deadline=None)
@given(figures)
def test_the_median_lies_within_the_spread(values: list[float]) -> None:
    low, high = spread(values)
    assert low <= median(values) <= high
    assert median(values) == statistics.median(values)


def test_nothing_measured_is_no_number() -> None:
    assert math.isnan(median([]))
    assert math.isnan(percentile([], 0.5))
    assert not Goal("nothing", [], 1).reached
    assert not Goal("nothing", [], 1, at_least=False).reached


def test_ratios_are_taken_round_by_round() -> None:
    fast_then_slow = Row("a", "ours", "x", [100.0, 10.0]), Row("b", "limit", "x", [200.0, 20.0])
    assert ratios(*fast_then_slow) == [0.5, 0.5]


def test_a_goal_has_a_direction() -> None:
    assert Goal("share", [0.4, 0.5, 0.7], 0.5).reached
    assert not Goal("share", [0.4, 0.4, 0.7], 0.5).reached
    assert Goal("seconds", [0.4, 0.4, 0.7], 0.5, at_least=False).reached
    assert not Goal("seconds", [0.6], 0.5, at_least=False).reached


def runs(log: list[str], name: str, outcome: Callable[[], Outcome]) -> Callable[[], Outcome]:
    def run() -> Outcome:
        log.append(name)
        return outcome()

    return run


def test_contenders_take_turns_after_a_warm_up() -> None:
    log: list[str] = []
    one = Contender("one", "limit", runs(log, "1", lambda: Outcome(2, 10)), warm=lambda: log.append("warm"))
    two = Contender("two", "ours", runs(log, "2", lambda: Outcome(1, 10, more={"cpu": 3})))
    rows = Measuring(2, lambda _: None).take_turns([one, two])
    assert log == ["warm", "1", "2", "1", "2"]
    assert [(row.name, row.values) for row in rows] == [("one", [2, 2]), ("two", [1, 1])]
    assert rows[1].more == {"cpu": [3, 3]}


def test_without_warm_ups_the_first_round_is_cold() -> None:
    log: list[str] = []
    one = Contender("one", "limit", runs(log, "1", lambda: Outcome(2, 10)), warm=lambda: log.append("warm"))
    Measuring(1, lambda _: None, warm=False).take_turns([one])
    assert log == ["1"]


def test_wrong_results_of_the_system_end_it() -> None:
    ours = Contender("ours", "ours", lambda: Outcome(1, 1, errors=["AggDayTH1 at 2020-01-01: missing"]))
    with pytest.raises(WrongResultError, match="AggDayTH1"):
        Measuring(1, lambda _: None).take_turns([ours])


def fail() -> Outcome:
    raise UserError("it does not run")


def test_a_peer_that_fails_is_out_and_the_others_go_on() -> None:
    log: list[str] = []
    bad = Contender("bad", "peer", runs(log, "bad", fail))
    good = Contender("good", "peer", runs(log, "good", lambda: Outcome(1, 1, wrong="3 readings")))
    rows = Measuring(2, lambda _: None).take_turns([bad, good])
    assert log == ["bad", "good", "good"]
    assert (rows[0].failed, rows[0].values) == ("it does not run", [])
    assert rows[1].wrong == "3 readings"


def test_the_system_may_not_fail() -> None:
    with pytest.raises(UserError, match="does not run"):
        Measuring(1, lambda _: None).take_turns([Contender("ours", "ours", fail)])
