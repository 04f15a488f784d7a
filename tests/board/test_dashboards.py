"""The dashboards' files are read as they are meant."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from board import dashboards
from board.dashboards import DIRECTORY, Panel
from grafana_provisioning.seven import CHARTS, TABLES
from topics.errors import UserError

HOUSE = json.loads((DIRECTORY / "house.json").read_text(encoding="utf-8"))


def panel(title: str) -> Panel:
    return next(each for each in dashboards.parse(HOUSE).panels if each.title == title)


def test_every_panel_is_read_in_order() -> None:
    read = dashboards.read()
    assert list(read) == ["house", "pipeline"]
    assert [each.title for each in read["house"].panels][:7] == [view.title for view in (*CHARTS, *TABLES)]
    assert len(read["house"].panels) == len(HOUSE["panels"])
    assert read["house"].refresh == timedelta(seconds=5)
    assert read["house"].sites_regex.search("site=cabin")
    assert read["house"].ranges[2] == ("Now: last 30 days", "now-30d", "now")


def test_what_a_panel_says_is_understood() -> None:
    rest = panel("AggDayRestEtot")
    assert (rest.unit, rest.style, rest.axis, rest.from_zero) == ("watth", "bars", "Energy, each day", True)
    assert [rest.color(value) for value in (-1, 0, 5)] == ["red", "green", "green"]
    table = panel("AggDayTH1")
    assert table.columns == (("time", "Day"), ("TH1", "Mean, °C"))
    assert (table.sort, table.column_units) == (("Day", True), (("Day", "time:YYYY-MM-DD"),))
    share = panel("Etot: share of the known consumers")
    assert (share.stacked, share.names, len(share.targets)) == ("percent", (("B", "beyond the known consumers"),), 2)
    assert panel("Newest day").calc == "lastNotNull"
    assert panel("AggDayCount: sensors that speak daily").dashed
    assert panel("Rejected readings of all sensors").rows


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content["panels"][0].update(type="piechart"),
        lambda content: content["panels"][0].pop("gridPos"),
        lambda content: content.update(refresh="often"),
        lambda content: content["templating"]["list"][0].update(name="house"),
        lambda content: content.pop("time"),
    ],
)
def test_what_cannot_be_drawn_is_named(spoil: Any, tmp_path: Path) -> None:
    content = deepcopy(HOUSE)
    spoil(content)
    (tmp_path / "spoilt.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"spoilt\.json"):
        dashboards.read(tmp_path)


def test_without_files_it_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="iot grafana build"):
        dashboards.read(tmp_path)
