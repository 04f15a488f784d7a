"""What is read for every panel is what pandas computes from the points that Redis holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from board import dashboards, frames
from board.dashboards import Panel
from board.feed import Data, Feeds, Seen, Wanted, _Feed, pixels
from board.queries import MOST_ROWS
from board.reader import Reader
from board.timerange import TimeRange, day_end, milliseconds
from tests.board.conftest import House

DASHBOARDS = dashboards.read()
RANGES = [("2019-12-23", "2020-02-01"), ("2020-01-03", "2020-01-05"), ("2019-01-01", "2021-12-31"), ("0", "9999-12-31")]
PANDAS = {"avg": "mean", "sum": "sum", "count": "count"}
BUCKETS = {"min": 60_000, "h": 3_600_000, "day": 86_400_000, "days": 86_400_000}


def read(house: House, dashboard: str, start: str, end: str, viewport: int = 1280) -> Seen:
    reader = Reader(house.settings)
    try:
        feeds, feed = Feeds(reader, DASHBOARDS), _Feed()
        wanted = Wanted(dashboard, "home", TimeRange(start, end), viewport)
        first = feeds._read(wanted, feed)
        again = feeds._read(wanted, feed)
        assert again.panels == first.panels  # also when it is known what is crowded
        return first
    finally:
        reader.close()


def panels(dashboard: str) -> Iterator[Panel]:
    yield from (panel for panel in DASHBOARDS[dashboard].panels if panel.targets)


def held(house: House, target: Any, start: str, end: str) -> dict[str, pd.Series[float]]:
    """The series that a target selects, by sensor, between both ends."""
    kind = re.search(r"series=(\w+)", target["filter"])
    sensors = re.search(r"sensor=\(?([\w,]+)", target["filter"])
    assert kind
    found = {}
    for series, points in house.held.items():
        if series.kind == kind[1] and series.site == "home" and (not sensors or series.sensor in sensors[1].split(",")):
            inside = {at: v for at, v in sorted(points.items()) if milliseconds(start) <= at <= day_end(end)}
            if inside:
                found[series.sensor] = pd.Series(inside)
    return found


def bucketed(values: pd.Series[float], how: str, bucket: int, origin: int) -> dict[int, float]:
    starts = (values.index.to_numpy() - origin) // bucket * bucket + origin
    means = values.groupby(starts).agg(PANDAS[how])
    return dict(zip(means.index.tolist(), means.tolist(), strict=True))


@pytest.mark.parametrize(("start", "end"), RANGES)
@pytest.mark.parametrize("viewport", [320, 1280])
def test_no_panel_gets_more_points_than_it_has_pixels(house: House, start: str, end: str, viewport: int) -> None:
    for name in DASHBOARDS:
        seen = read(house, name, start, end, viewport)
        for panel in panels(name):
            most = MOST_ROWS if panel.kind == "table" else pixels(panel, viewport)
            assert not seen.panels[panel.id].error
            assert all(len(frame.points) <= most for frame in seen.panels[panel.id].frames), panel.title


@pytest.mark.parametrize(("start", "end"), RANGES)
def test_every_panel_of_a_house_is_right(house: House, start: str, end: str) -> None:
    seen = read(house, "house", start, end)
    for panel in panels("house"):
        data = seen.panels[panel.id]
        for target in panel.targets:
            wanted = held(house, target, start, end)
            found = {frame.name: frame for frame in data.frames if frame.ref == target["refId"]}
            renamed = dict(panel.names).get(target["refId"])
            if renamed and wanted:
                [sensor] = wanted
                found = {sensor: found[renamed]}
            assert found.keys() == wanted.keys(), panel.title
            for sensor, values in wanted.items():
                assert_right(panel, target, data, found[sensor], values, milliseconds(start))


def assert_right(
    panel: Panel, target: Any, data: Data, frame: frames.Frame, values: pd.Series[float], start: int
) -> None:
    if panel.calc:
        number = {"lastNotNull": values.iloc[-1], "sum": values.sum(), "count": len(values)}[panel.calc]
        assert data.reduced
        assert frame.points[0][1] == pytest.approx(number), panel.title
        return
    how, bucket, origin = target.get("aggregation"), target.get("bucket", 0), 0
    if data.note:
        size = re.fullmatch(r"(?:mean|sum|count) of (\d+) (\w+)", data.note)
        assert size, data.note
        bucket = int(size[1]) * BUCKETS[size[2]]
        how, origin = how or "avg", 0 if how else start
    right = bucketed(values, how, bucket, origin) if how else values.to_dict()
    assert dict(frame.points) == pytest.approx(right), panel.title


def test_the_whole_houses_readings_are_counted(house: House) -> None:
    seen = read(house, "pipeline", "2020-01-03", "2020-01-05")
    [hourly] = seen.panels[1].frames
    raw = pd.concat([*held(house, {"filter": "series=raw "}, "2020-01-03", "2020-01-05").values()])
    assert dict(hourly.points) == bucketed(raw, "count", 3_600_000, 0)
    assert seen.sites == ("home", "site-0002")
