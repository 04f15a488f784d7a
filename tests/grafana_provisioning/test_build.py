"""The dashboards: what the builder gives is what is committed, Grafana's schema takes it, nothing is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft7Validator
from typer.testing import CliRunner

from commands.grafana import DIRECTORY, app
from grafana_provisioning import build, seven
from grafana_provisioning.frame import RANGES
from infrastructure.home import ROOT
from topics import catalogue
from topics.catalogue import Catalogue
from topics.errors import UserError

SCHEMA = json.loads((Path(__file__).parent / "schema" / "grafana-11.6.json").read_text())
SENSORS = catalogue.read(ROOT / "sensors.toml")
BUILT = build.dashboards(SENSORS)
HOUSE = BUILT["house.json"]


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (panel for panel in dashboard["panels"] if panel["type"] != "row")


ALL = [(name, panel) for name, dashboard in BUILT.items() for panel in panels(dashboard)]
DATA = [panel for _, panel in ALL if panel["type"] != "text"]


def faults(dashboard: dict[str, Any]) -> list[str]:
    found = [error.message for error in Draft7Validator(SCHEMA["dashboard"]).iter_errors(dashboard)]
    for panel in panels(dashboard):
        parts = SCHEMA[panel["type"]]
        found += [error.message for error in Draft7Validator(parts["options"]).iter_errors(panel["options"])]
        custom = panel.get("fieldConfig", {}).get("defaults", {}).get("custom")
        if custom is not None:
            found += [error.message for error in Draft7Validator(parts["custom"]).iter_errors(custom)]
    return found


@pytest.mark.parametrize("name", BUILT)
def test_the_files_are_what_the_builder_gives(name: str) -> None:
    assert (DIRECTORY / name).read_text(encoding="utf-8") == build.text(BUILT[name])


def test_there_is_no_file_that_the_builder_does_not_give() -> None:
    assert {file.name for file in DIRECTORY.glob("*.json")} == BUILT.keys()


@pytest.mark.parametrize("name", BUILT)
def test_grafanas_schema_takes_the_dashboard(name: str) -> None:
    assert faults(BUILT[name]) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.update(panel=[]),
        lambda d: d["time"].pop("to"),
        lambda d: d["panels"][0].update(tragets=[]),
        lambda d: d["panels"][0]["fieldConfig"]["defaults"].update(units="watth"),
        lambda d: d["panels"][0]["fieldConfig"]["defaults"]["custom"].update(drawStyle="bar"),
        lambda d: d["panels"][0]["options"]["legend"].update(placement="top"),
        lambda d: d["templating"]["list"][0].update(refresh=3),
    ],
)
def test_grafanas_schema_refuses_what_it_does_not_know(spoil: Any) -> None:
    spoilt = deepcopy(HOUSE)
    spoil(spoilt)
    assert faults(spoilt)


def test_the_seven_series_come_first_charts_then_tables() -> None:
    shown = [(panel["type"], panel["title"]) for panel in HOUSE["panels"][:7]]
    assert shown == [
        ("timeseries", "Etot raw"),
        ("timeseries", "Mov1 raw"),
        ("timeseries", "AggDayHVAC1"),
        ("timeseries", "AggDayDiffWtot"),
        ("timeseries", "AggDayRestEtot"),
        ("table", "AggDayTH1"),
        ("table", "LateRejW1"),
    ]
    assert len(seven.CHARTS) == 5
    assert len(seven.TABLES) == 2


@pytest.mark.parametrize("dashboard", BUILT.values(), ids=BUILT)
def test_the_range_covers_the_simulation_and_refreshes(dashboard: dict[str, Any]) -> None:
    assert dashboard["time"]["from"] <= "2019-12-23T05:45:00.000Z"
    assert dashboard["time"]["to"] >= "2020-01-31T00:00:00.000Z"
    assert dashboard["refresh"] == "5s"
    assert dashboard["timezone"] == "utc"
    assert dashboard["schemaVersion"] == 41
    [site] = dashboard["templating"]["list"]
    assert (site["name"], site["type"], site["multi"], site["includeAll"]) == ("site", "query", False, False)
    assert site["current"]["value"] == "home"


def test_links_to_ranges_are_in_epoch_ms_or_relative() -> None:
    urls = [link["url"] for link in HOUSE["links"] if link["type"] == "link"]
    assert urls == [
        "/d/iot-house?from=1577059200000&to=1580515200000",
        "/d/iot-house?from=1577059200000&to=1609459200000",
        "/d/iot-house?from=now-30d&to=now",
    ]
    assert len(RANGES) == 3


@pytest.mark.parametrize("panel", DATA, ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    assert len(panel["description"]) > 20
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    assert defaults["noValue"]
    assert defaults["thresholds"]["steps"][0]["value"] is None
    if panel["type"] == "timeseries":
        assert defaults["custom"]["axisLabel"]


def test_units_are_grafanas() -> None:
    def units(*sensors: str) -> set[str]:
        named = [p for p in DATA if any(f"sensor={s} " in t["filter"] for t in p["targets"] for s in sensors)]
        return {p["fieldConfig"]["defaults"]["unit"] for p in named if "AggDayCount" not in p["title"]}

    assert units("TH1") == {"celsius"}
    assert units("Etot", "HVAC1") == {"watth"}
    assert units("Wtot", "W1") == {"litre"}
    assert units("Mov1") == {"none"}


@pytest.mark.parametrize("dashboard", BUILT.values(), ids=BUILT)
def test_panels_have_numbers_of_their_own_and_do_not_overlap(dashboard: dict[str, Any]) -> None:
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    for place in places:
        assert 0 <= place["x"] <= place["x"] + place["w"] <= 24
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)


@pytest.mark.parametrize("dashboard", BUILT.values(), ids=BUILT)
def test_titles_are_not_used_twice(dashboard: dict[str, Any]) -> None:
    titles = [panel["title"] for panel in dashboard["panels"]]
    assert len(set(titles)) == len(titles)


def test_every_daily_series_of_every_sensor_is_shown() -> None:
    shown = {(m["series"], sensor) for m in map(matchers, targets(HOUSE)) for sensor in m.get("sensor", SENSORS)}
    for sensor in SENSORS.values():
        daily = "AggDayDiff" if sensor.aggregate == "difference" else "AggDay"
        assert (daily, sensor.name) in shown
        assert ("AggDayCount", sensor.name) in shown
        assert ("LateRej", sensor.name) in shown
    assert {("AggDayRest", meter) for meter in SENSORS.meters} <= shown
    assert {("raw", "TH1"), ("raw", "TH2"), ("raw", "W1"), ("raw", "Wtot")} <= shown


def targets(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in panels(dashboard):
        yield from panel.get("targets", ())


def matchers(target: dict[str, Any]) -> dict[str, Any]:
    words = dict(word.split("=", 1) for word in target["filter"].split())
    return {name: value.strip("()").split(",") if name == "sensor" else value for name, value in words.items()}


def test_a_new_sensor_reaches_the_dashboards() -> None:
    fridge = msgspec.structs.replace(SENSORS["HVAC1"], name="Fridge1")
    humidity = msgspec.structs.replace(SENSORS["TH1"], name="RH1", unit="%")
    gas = msgspec.structs.replace(SENSORS["Wtot"], name="Gas", unit="m³")
    grown = build.dashboards(Catalogue({**SENSORS, "Fridge1": fridge, "RH1": humidity, "Gas": gas}))["house.json"]
    assert faults(grown) == []
    by_title = {panel["title"]: panel for panel in panels(grown)}
    assert "Fridge1" in by_title["Etot: share of the known consumers"]["targets"][0]["filter"]
    assert "Fridge1" in by_title["AggDay: Energy, sum of the day"]["targets"][0]["filter"]
    assert by_title["%, raw"]["fieldConfig"]["defaults"]["unit"] == "suffix: %"
    assert "sensor=Gas " in by_title["AggDayDiff: m³, difference to the day before"]["targets"][0]["filter"]


def test_a_house_without_some_sensors_has_a_dashboard_too() -> None:
    small = build.dashboards(Catalogue({"TH2": SENSORS["TH2"]}))["house.json"]
    assert faults(small) == []
    assert "AggDay: Temperature, mean of the day" in [panel["title"] for panel in panels(small)]
    assert not [panel for panel in panels(small) if "TH1" in panel["title"]]


def test_build_check_finds_a_file_that_was_changed(tmp_path: Path) -> None:
    runner = CliRunner()
    assert runner.invoke(app, ["build", "--into", str(tmp_path)]).exit_code == 0
    assert runner.invoke(app, ["build", "--check", "--into", str(tmp_path)]).exit_code == 0
    file = tmp_path / "house.json"
    file.write_text(file.read_text().replace("watth", "kwatth"))
    spoilt = file.read_text()
    refused = runner.invoke(app, ["build", "--check", "--into", str(tmp_path)])
    assert isinstance(refused.exception, UserError)
    assert "house.json" in str(refused.exception)
    assert file.read_text() == spoilt
    assert "written" in runner.invoke(app, ["build", "--into", str(tmp_path)]).output
    assert file.read_text() == (DIRECTORY / "house.json").read_text()
