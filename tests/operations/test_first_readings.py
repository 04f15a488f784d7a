"""The first reading of each name."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.records import Point
from operations.first_readings import FirstReadings
from topics.series import Series

TH1, TH2 = (Series("raw", "home", sensor) for sensor in ("TH1", "TH2"))


def test_a_reading_is_the_first_of_its_name_until_another_comes() -> None:
    seen = FirstReadings()
    assert seen.first(Point(TH1, 10, 1.0)) is None
    assert seen.add(Point(TH1, 10, 1.0)) is None
    assert seen.add(Point(TH1, 20, 2.0)) is None
    assert seen.add(Point(TH1, 5, 3.0)) is None, "a late one is a first one too"
    assert seen.add(Point(TH2, 10, 4.0)) is None, "another sensor's"
    assert seen.add(Point(TH1, 10, 9.0)) == Point(TH1, 10, 1.0)
    assert seen.add(Point(TH1, 20, 9.0)) == Point(TH1, 20, 2.0)
    assert seen.add(Point(TH1, 5, 9.0)) == Point(TH1, 5, 3.0)
    assert seen.first(Point(TH1, 5, 9.0)) == Point(TH1, 5, 3.0)
    assert seen.first(Point(TH1, 11, 9.0)) is None
    assert seen.first(Point(TH1, 21, 9.0)) is None


def test_a_value_comes_back_to_the_last_bit() -> None:
    seen = FirstReadings()
    for ts, value in enumerate([-0.0, 5e-324, 0.1 + 0.2]):
        seen.add(Point(TH1, 100 - ts, value))
        assert repr(seen.add(Point(TH1, 100 - ts, 7.0))) == repr(Point(TH1, 100 - ts, value))


points = st.builds(Point, st.sampled_from([TH1, TH2]), st.integers(0, 12), st.floats(0, 9))


@settings(derandomize=True, deadline=None, database=None)
@given(st.lists(points, max_size=60))
def test_against_a_plain_model(sent: list[Point]) -> None:
    seen = FirstReadings()
    model: dict[tuple[Series, int], Point] = {}
    for point in sent:
        name = (point.series, point.ts)
        assert seen.first(point) == model.get(name)
        assert seen.add(point) == model.get(name)
        model.setdefault(name, point)
