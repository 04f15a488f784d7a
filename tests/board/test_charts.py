"""A panel and its series as an option of ECharts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from board import charts
from board.charts import COLORS, DAY
from board.dashboards import Panel, Step
from board.frames import Frame

PANEL = Panel(
    id=1, kind="timeseries", title="t", description="", x=0, width=8, height=8, unit="watth", axis="Energy",
    targets=({"command": "ts.mrange"},),
)  # fmt: skip
DAYS = Frame("A", "HVAC1", ((0, 1500.0), (DAY, 2500.0), (3 * DAY, 500.0)))


def option(panel: Panel, *series: Frame, dark: bool = False) -> dict[str, Any]:
    return charts.option(panel, series, 0, 10 * DAY, dark=dark)


def test_a_line_has_the_points_as_they_are() -> None:
    made = option(PANEL, DAYS)
    assert made["series"][0]["data"] == [[0, 1500.0], [DAY, 2500.0], [3 * DAY, 500.0]]
    assert (made["xAxis"]["min"], made["xAxis"]["max"], made["title"]["text"]) == (0, 10 * DAY, "Energy")
    assert "/ 1000.0" in made["yAxis"]["axisLabel"][":formatter"]
    assert '" kWh"' in made["yAxis"]["axisLabel"][":formatter"]


def test_a_bar_stands_behind_its_day() -> None:
    made = option(replace(PANEL, style="bars"), DAYS)
    assert [at for at, _ in made["series"][0]["data"]] == [DAY // 2, DAY + DAY // 2, 3 * DAY + DAY // 2]
    assert f"- {DAY // 2}" in made["tooltip"]["axisPointer"]["label"][":formatter"]


def test_bars_are_coloured_by_thresholds() -> None:
    steps = (Step(None, "red"), Step(0, "green"))
    [colours] = option(replace(PANEL, style="bars", by_thresholds=True, steps=steps), DAYS)["visualMap"]
    assert colours["pieces"] == [{"color": COLORS["red"], "lt": 0}, {"color": COLORS["green"], "gte": 0}]


def test_limits_are_dashed_once() -> None:
    panel = replace(PANEL, dashed=True, steps=(Step(None, "red"), Step(96, "green")))
    first, second = option(panel, DAYS, Frame("A", "HVAC2", DAYS.points))["series"]
    assert [line["yAxis"] for line in first["markLine"]["data"]] == [96]
    assert "markLine" not in second


def test_shares_are_stacked_in_percent() -> None:
    both = (DAYS, Frame("B", "rest", ((0, 500.0), (DAY, 2500.0))))
    made = option(replace(PANEL, style="bars", stacked="percent"), *both)
    assert [value for _, value in made["series"][0]["data"]] == [75.0, 50.0, 100.0]
    assert {each["stack"] for each in made["series"]} == {"all"}
    instants = [[at for at, _ in each["data"]] for each in made["series"]]
    assert instants[0] == instants[1]
    assert made["series"][1]["data"][2][1] is None
    assert made["yAxis"]["max"] == 100


def test_dark_and_light_have_their_own_ink() -> None:
    assert option(PANEL, DAYS)["xAxis"] != option(PANEL, DAYS, dark=True)["xAxis"]


def test_a_name_is_no_part_of_a_script() -> None:
    made = option(replace(PANEL, unit="suffix: \"); alert('x')//"), Frame("A", "</script>", ((0, 1.0),)))
    assert r'"\"); ' in " ".join(made["yAxis"]["axisLabel"][":formatter"].split("+")) or r"\"); alert" in str(
        made["yAxis"]["axisLabel"][":formatter"]
    )
    assert made["series"][0]["name"] == "</script>"
