"""How long a tombstone waits for the value that replaces it; time is a number that the test gives."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.records import Point
from ingest.retractions import PointKey, Retractions
from topics.series import Series

SETTLE = 2.0
TOPIC = ("flinkAggr", 0)
OTHER = ("flinkAggr", 1)


def key(number: int, sensor: str = "TH1") -> PointKey:
    return Series("AggDay", "home", sensor), number


def retracted(*keys: PointKey) -> list[Point]:
    return [Point(series, ts, None) for series, ts in keys]


def test_a_tombstone_waits_for_the_settle_time_and_stays_due_until_it_is_done() -> None:
    retractions = Retractions(SETTLE)
    retractions.hold(key(1), TOPIC, offset=7, now=100.0)
    assert retractions.due(100.0) == []
    assert retractions.due(101.999) == []
    assert retractions.due(102.0) == retracted(key(1))
    assert retractions.due(103.0) == retracted(key(1)), "it is done only when `replaced` says so"
    assert len(retractions) == 1
    retractions.replaced([key(1)])
    assert retractions.due(200.0) == []
    assert len(retractions) == 0


def test_a_value_of_the_same_place_cancels_it() -> None:
    retractions = Retractions(SETTLE)
    retractions.hold(key(1), TOPIC, 7, 100.0)
    retractions.replaced([key(1)])
    assert retractions.due(1000.0) == []
    assert retractions.first_offset(TOPIC) is None


def test_a_value_of_another_place_does_not() -> None:
    retractions = Retractions(SETTLE)
    retractions.hold(key(1), TOPIC, 7, 100.0)
    retractions.replaced(
        [key(2), key(1, "TH2"), (Series("AggDayCount", "home", "TH1"), 1), (Series("AggDay", "b", "TH1"), 1)]
    )
    assert retractions.due(102.0) == retracted(key(1))


def test_retracted_twice_waits_once_from_the_first_time() -> None:
    retractions = Retractions(SETTLE)
    retractions.hold(key(1), TOPIC, 7, 100.0)
    retractions.hold(key(1), TOPIC, 9, 101.5)
    assert len(retractions) == 1
    assert retractions.first_offset(TOPIC) == 7
    assert retractions.due(102.0) == retracted(key(1))


def test_retracted_replaced_and_retracted_again_waits_anew() -> None:
    retractions = Retractions(SETTLE)
    retractions.hold(key(1), TOPIC, 7, 100.0)
    retractions.replaced([key(1)])
    retractions.hold(key(1), TOPIC, 9, 101.5)
    assert retractions.first_offset(TOPIC) == 9
    assert retractions.due(103.4) == []
    assert retractions.due(103.5) == retracted(key(1))


def test_what_is_due_comes_oldest_first() -> None:
    retractions = Retractions(SETTLE)
    for number, now in ((3, 100.0), (1, 100.5), (2, 101.0)):
        retractions.hold(key(number), TOPIC, number, now)
    assert retractions.due(102.5) == retracted(key(3), key(1))
    assert retractions.due(103.0) == retracted(key(3), key(1), key(2))


def test_the_first_offset_that_waits_is_each_partitions_own() -> None:
    retractions = Retractions(SETTLE)
    assert retractions.first_offset(TOPIC) is None
    retractions.hold(key(1), TOPIC, 7, 100.0)
    retractions.hold(key(2), TOPIC, 5, 100.0)
    retractions.hold(key(3), OTHER, 2, 100.0)
    assert retractions.first_offset(TOPIC) == 5
    assert retractions.first_offset(OTHER) == 2
    retractions.replaced([key(2)])
    assert retractions.first_offset(TOPIC) == 7
    assert retractions.first_offset(("lateRej", 0)) is None


def test_beyond_the_capacity_the_oldest_wait_no_longer() -> None:
    retractions = Retractions(SETTLE, capacity=3)
    for number in range(5):
        retractions.hold(key(number), TOPIC, number, 100.0 + number / 100)
    assert retractions.due(100.1) == retracted(key(0), key(1))
    retractions.replaced([key(0), key(1)])
    assert retractions.due(100.1) == []
    assert len(retractions) == 3


def test_up_to_the_capacity_every_one_waits() -> None:
    retractions = Retractions(SETTLE, capacity=3)
    for number in range(3):
        retractions.hold(key(number), TOPIC, number, 100.0)
    assert retractions.due(100.1) == []


def test_forgotten_partitions_have_nothing_that_waits() -> None:
    retractions = Retractions(SETTLE)
    retractions.hold(key(1), TOPIC, 7, 100.0)
    retractions.hold(key(2), OTHER, 2, 100.0)
    retractions.forget([TOPIC, ("dailyAggr", 0)])
    assert retractions.first_offset(TOPIC) is None
    assert retractions.due(200.0) == retracted(key(2))
    retractions.forget([OTHER])
    assert len(retractions) == 0


events = st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["retract", "value", "pass", "delete"])), max_size=40)


@settings(derandomize=True, deadline=None, database=None)
@given(events)
def test_against_a_plain_model(happens: list[tuple[int, str]]) -> None:
    """A place is due when its last event is a tombstone, and the first of those since its last value is old enough."""
    retractions = Retractions(SETTLE)
    since: dict[PointKey, tuple[float, int]] = {}
    now = 0.0
    for offset, (number, event) in enumerate(happens):
        where = key(number)
        if event == "retract":
            retractions.hold(where, TOPIC, offset, now)
            since.setdefault(where, (now, offset))
        elif event == "value":
            retractions.replaced([where])
            since.pop(where, None)
        elif event == "pass":
            now += number / 2
        due = {(point.series, point.ts) for point in retractions.due(now)}
        assert due == {p for p, (began, _) in since.items() if began + SETTLE <= now}
        assert retractions.first_offset(TOPIC) == min((first for _, first in since.values()), default=None)
        if event == "delete":
            retractions.replaced(due)
            since = {p: held for p, held in since.items() if p not in due}
        assert len(retractions) == len(since)
