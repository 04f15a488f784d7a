"""Tables, sums and shares are those that pandas computes from the same points."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from board import frames
from board.dashboards import Panel
from board.frames import Frame

PANEL = Panel(id=1, kind="table", title="", description="", x=0, width=8, height=8)
TARGET = {"refId": "A", "command": "ts.mrange", "legend": "site", "value": "sensor"}

POINTS = st.dictionaries(st.integers(0, 50).map(lambda n: n * 900_000), st.floats(-1e6, 1e6), min_size=1, max_size=20)
SERIES = st.dictionaries(st.sampled_from(["TH1", "TH2", "W1", "TH10"]), POINTS, min_size=1)


def answer(series: dict[str, dict[int, float]]) -> list[Any]:
    return [
        [
            name.encode(),
            [[b"site", b"home"], [b"sensor", name.encode()]],
            [[at, b"%r" % v] for at, v in sorted(p.items())],
        ]
        for name, p in series.items()
    ]


@settings(derandomize=True, deadline=None, database=None)
@given(SERIES)
def test_rows_of_all_series_newest_first(series: dict[str, dict[int, float]]) -> None:
    columns = (("Time", "Measured at"), ("Metric", "Sensor"), ("Value", "Value"))
    panel = replace(PANEL, rows=True, columns=columns, sort=("Measured at", True))
    table = frames.table(panel, frames.frames(panel, TARGET, answer(series)))
    wanted = pd.DataFrame([(at, name, v) for name, p in series.items() for at, v in p.items()], columns=[*"tmv"])
    assert table.columns == ("Measured at", "Sensor", "Value")
    assert sorted(table.rows) == sorted(wanted.itertuples(index=False, name=None))
    assert [row[0] for row in table.rows] == sorted(wanted.t, reverse=True)


@settings(derandomize=True, deadline=None, database=None)
@given(SERIES)
def test_columns_are_joined_by_time(series: dict[str, dict[int, float]]) -> None:
    found = frames.frames(PANEL, TARGET, answer(series))
    wanted = pd.DataFrame({name: pd.Series(p) for name, p in series.items()}).sort_index()
    rows = list(frames.joined(found))
    assert [row[0] for row in rows] == list(wanted.index)
    for place, frame in enumerate(found):
        column = [None if pd.isna(v) else v for v in wanted[frame.name]]
        assert [row[place + 1] for row in rows] == column


@settings(derandomize=True, deadline=None, database=None)
@given(SERIES)
def test_sums_counts_and_newest_values(series: dict[str, dict[int, float]]) -> None:
    for frame in frames.frames(PANEL, TARGET, answer(series)):
        values = pd.Series(series[frame.name]).sort_index()
        assert frames.reduced("sum", frame) == pytest.approx(values.sum(), abs=1e-6)
        assert frames.reduced("count", frame) == values.count()
        assert frames.reduced("lastNotNull", frame) == values.iloc[-1]


def test_shares_add_up_to_a_hundred() -> None:
    both = (Frame("A", "x", ((0, 1.0), (1, 3.0), (2, 0.0))), Frame("B", "y", ((0, 3.0), (1, 1.0), (2, 0.0))))
    assert frames.shares(both) == (Frame("A", "x", ((0, 25.0), (1, 75.0))), Frame("B", "y", ((0, 75.0), (1, 25.0))))


def test_one_series_is_a_table_of_its_own_columns() -> None:
    panel = replace(PANEL, columns=(("time", "Day"), ("TH1", "Mean")), sort=("Day", True))
    found = frames.frames(panel, TARGET, answer({"TH1": {1: 1.5, 2: 2.5}}))
    assert frames.table(panel, found) == frames.Table(("Day", "Mean"), ((2, 2.5), (1, 1.5)))


def test_lines_are_called_by_value_then_legend_then_override() -> None:
    told = answer({"TH10": {1: 1.0}, "TH2": {1: 1.0}})
    assert [f.name for f in frames.frames(PANEL, TARGET, told)] == ["TH2", "TH10"]
    assert [f.name for f in frames.frames(PANEL, {**TARGET, "value": ""}, told)] == ["home", "home"]
    renamed = replace(PANEL, names=(("A", "rest"),))
    assert [f.name for f in frames.frames(renamed, TARGET, told)] == ["rest", "rest"]


def test_series_without_points_are_left_out() -> None:
    assert frames.frames(PANEL, TARGET, [[b"TH1", [[b"sensor", b"TH1"]], []]]) == ()
    mget = {**TARGET, "command": "ts.mget"}
    told = [[b"TH1", [[b"sensor", b"TH1"]], [5, b"1"]], [b"W1", [[b"sensor", b"W1"]], []]]
    assert frames.frames(PANEL, mget, told) == (Frame("A", "TH1", ((5, 1.0),)),)


def test_a_long_table_says_how_much_it_leaves_out() -> None:
    panel = replace(PANEL, rows=True, sort=("Time", True))
    many = Frame("A", "x", tuple((at, 0.0) for at in range(frames.MOST_ROWS + 7)))
    table = frames.table(panel, [many])
    assert (len(table.rows), table.left_out, table.rows[0][0]) == (frames.MOST_ROWS, 7, frames.MOST_ROWS + 6)


def test_sites_are_found_at_any_depth() -> None:
    told = [[b"site=site-0010", [[b"site", b"x"]], []], [b"site=home", [], []], [[b"site=site-0002"]]]
    assert frames.sites(told, re.compile("^site=(.+)$")) == ("home", "site-0002", "site-0010")
