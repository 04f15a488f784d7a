"""How long a withdrawal waits for the value that replaces it; time is a number that the test gives."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.records import Point
from ingest.settle import Place, Settling
from topics.series import Series

SETTLE = 2.0
TOPIC = ("flinkAggr", 0)
OTHER = ("flinkAggr", 1)


def place(number: int, sensor: str = "TH1") -> Place:
    return Series("AggDay", "home", sensor), number


def withdrawn(*places: Place) -> list[Point]:
    return [Point(series, ts, None) for series, ts in places]


def test_a_withdrawal_waits_for_the_settle_time_and_stays_due_until_it_is_done() -> None:
    settling = Settling(SETTLE)
    settling.hold(place(1), TOPIC, offset=7, now=100.0)
    assert settling.due(100.0) == []
    assert settling.due(101.999) == []
    assert settling.due(102.0) == withdrawn(place(1))
    assert settling.due(103.0) == withdrawn(place(1)), "it is done only when `replaced` says so"
    assert len(settling) == 1
    settling.replaced([place(1)])
    assert settling.due(200.0) == []
    assert len(settling) == 0


def test_a_value_of_the_same_place_cancels_it() -> None:
    settling = Settling(SETTLE)
    settling.hold(place(1), TOPIC, 7, 100.0)
    settling.replaced([place(1)])
    assert settling.due(1000.0) == []
    assert settling.first_offset(TOPIC) is None


def test_a_value_of_another_place_does_not() -> None:
    settling = Settling(SETTLE)
    settling.hold(place(1), TOPIC, 7, 100.0)
    settling.replaced(
        [place(2), place(1, "TH2"), (Series("AggDayCount", "home", "TH1"), 1), (Series("AggDay", "b", "TH1"), 1)]
    )
    assert settling.due(102.0) == withdrawn(place(1))


def test_withdrawn_twice_waits_once_from_the_first_time() -> None:
    settling = Settling(SETTLE)
    settling.hold(place(1), TOPIC, 7, 100.0)
    settling.hold(place(1), TOPIC, 9, 101.5)
    assert len(settling) == 1
    assert settling.first_offset(TOPIC) == 7
    assert settling.due(102.0) == withdrawn(place(1))


def test_withdrawn_replaced_and_withdrawn_again_waits_anew() -> None:
    settling = Settling(SETTLE)
    settling.hold(place(1), TOPIC, 7, 100.0)
    settling.replaced([place(1)])
    settling.hold(place(1), TOPIC, 9, 101.5)
    assert settling.first_offset(TOPIC) == 9
    assert settling.due(103.4) == []
    assert settling.due(103.5) == withdrawn(place(1))


def test_what_is_due_comes_oldest_first() -> None:
    settling = Settling(SETTLE)
    for number, now in ((3, 100.0), (1, 100.5), (2, 101.0)):
        settling.hold(place(number), TOPIC, number, now)
    assert settling.due(102.5) == withdrawn(place(3), place(1))
    assert settling.due(103.0) == withdrawn(place(3), place(1), place(2))


def test_the_first_offset_that_waits_is_each_partitions_own() -> None:
    settling = Settling(SETTLE)
    assert settling.first_offset(TOPIC) is None
    settling.hold(place(1), TOPIC, 7, 100.0)
    settling.hold(place(2), TOPIC, 5, 100.0)
    settling.hold(place(3), OTHER, 2, 100.0)
    assert settling.first_offset(TOPIC) == 5
    assert settling.first_offset(OTHER) == 2
    settling.replaced([place(2)])
    assert settling.first_offset(TOPIC) == 7
    assert settling.first_offset(("lateRej", 0)) is None


def test_beyond_the_capacity_the_oldest_wait_no_longer() -> None:
    settling = Settling(SETTLE, capacity=3)
    for number in range(5):
        settling.hold(place(number), TOPIC, number, 100.0 + number / 100)
    assert settling.due(100.1) == withdrawn(place(0), place(1))
    settling.replaced([place(0), place(1)])
    assert settling.due(100.1) == []
    assert len(settling) == 3


def test_up_to_the_capacity_every_one_waits() -> None:
    settling = Settling(SETTLE, capacity=3)
    for number in range(3):
        settling.hold(place(number), TOPIC, number, 100.0)
    assert settling.due(100.1) == []


def test_forgotten_partitions_have_nothing_that_waits() -> None:
    settling = Settling(SETTLE)
    settling.hold(place(1), TOPIC, 7, 100.0)
    settling.hold(place(2), OTHER, 2, 100.0)
    settling.forget([TOPIC, ("dailyAggr", 0)])
    assert settling.first_offset(TOPIC) is None
    assert settling.due(200.0) == withdrawn(place(2))
    settling.forget([OTHER])
    assert len(settling) == 0


events = st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["withdraw", "value", "pass", "delete"])), max_size=40)


@settings(derandomize=True, deadline=None, database=None)
@given(events)
def test_against_a_plain_model(happens: list[tuple[int, str]]) -> None:
    """A place is due when its last event is a withdrawal, and the first of those since its last value is old enough."""
    settling = Settling(SETTLE)
    since: dict[Place, tuple[float, int]] = {}
    now = 0.0
    for offset, (number, event) in enumerate(happens):
        where = place(number)
        if event == "withdraw":
            settling.hold(where, TOPIC, offset, now)
            since.setdefault(where, (now, offset))
        elif event == "value":
            settling.replaced([where])
            since.pop(where, None)
        elif event == "pass":
            now += number / 2
        due = {(point.series, point.ts) for point in settling.due(now)}
        assert due == {p for p, (began, _) in since.items() if began + SETTLE <= now}
        assert settling.first_offset(TOPIC) == min((first for _, first in since.values()), default=None)
        if event == "delete":
            settling.replaced(due)
            since = {p: held for p, held in since.items() if p not in due}
        assert len(settling) == len(since)
