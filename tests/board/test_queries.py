"""Redis is asked for no more points than can be seen."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from board import dashboards, queries
from board.dashboards import DIRECTORY, Panel
from board.queries import QUARTER, Scope

PANELS = {
    panel.title: panel
    for name in ("house", "pipeline")
    for panel in dashboards.parse(json.loads((DIRECTORY / f"{name}.json").read_text(encoding="utf-8"))).panels
}
DAY = 86_400_000
SCOPE = Scope("home", 0, 40 * DAY - 1)
RAW, SUM, TABLE = PANELS["Temperature, raw"], PANELS["Etot: in the whole time range"], PANELS["AggDayTH1"]
HOURLY = PANELS["Etot: consumers by the hour"]


def first(panel: Panel, scope: Scope = SCOPE, pixels: int = 400) -> list[str]:
    return list(queries.first(panel, panel.targets[0], scope, pixels).words)


def test_points_are_asked_for_as_they_are_and_counted() -> None:
    filters = ["series=raw", "sensor=(TH1,TH2)", "site=home", "prefix="]
    assert first(RAW) == ["ts.mrange", "0", str(SCOPE.end), "COUNT", "400", "0", "WITHLABELS", "FILTER", *filters]


def test_a_calculation_is_made_by_redis_and_gives_one_point() -> None:
    words = first(SUM)
    assert words[3:8] == ["ALIGN", "0", "AGGREGATION", "sum", str(40 * DAY)]
    assert queries.first(SUM, SUM.targets[0], SCOPE, 400).reduced


def test_many_points_are_put_together_in_words() -> None:
    wide = queries.wider(RAW, RAW.targets[0], SCOPE, 400)
    assert wide.words[3:8] == ("ALIGN", "0", "AGGREGATION", "avg", str(3 * 3_600_000))
    assert wide.note == "mean of 3 h"


def test_a_target_keeps_its_own_aggregation() -> None:
    wide = queries.wider(HOURLY, HOURLY.targets[0], SCOPE, 400)
    assert wide.words[3:6] == ("AGGREGATION", "sum", str(3 * 3_600_000))
    assert wide.note == "sum of 3 h"


def test_a_long_table_begins_later() -> None:
    later = queries.wider(TABLE, TABLE.targets[0], SCOPE, 400)
    assert later.words[1:5] == (str(20 * DAY), str(SCOPE.end), "COUNT", "500")
    assert later.note == "from 1970-01-21 00:00:00 on"


def test_an_answer_is_cut_off_when_a_series_is_full() -> None:
    query = replace(queries.first(RAW, RAW.targets[0], SCOPE, 50), most=2)
    assert queries.cut_off(query, [[b"TH1", [], [[0, b"1"], [1, b"1"]]], [b"TH2", [], []]])
    assert not queries.cut_off(query, [[b"TH1", [], [[0, b"1"]]]])


@pytest.mark.parametrize(
    "site", ["a b", "x series=AggDay", "it's", '"', "<img src=x onerror=alert(1)>", "$site", "", "\\"]
)
def test_a_site_stays_one_word_whatever_it_holds(site: str) -> None:
    words = first(RAW, Scope(site, 0, DAY))
    assert f"site={site}" in words
    assert len(words) == len(first(RAW))


@settings(derandomize=True, deadline=None, database=None)
@given(st.integers(1, 100 * 366 * DAY), st.integers(50, 4000), st.sampled_from([1000, QUARTER, 3_600_000, DAY]))
def test_a_bucket_is_a_multiple_and_wide_enough(length: int, pixels: int, unit: int) -> None:
    bucket = queries.bucket_for(length, pixels, unit)
    assert bucket % unit == 0
    assert length // bucket + 2 <= pixels


def test_the_command_of_a_variable() -> None:
    assert queries.sites("TS.MRANGE 0 0 FILTER a=b").words == ("TS.MRANGE", "0", "0", "FILTER", "a=b")
