"""The dashboards as they stand in ``grafana_provisioning/dashboards/*.json``, read into types.

That directory's README says which part of Grafana's model the files use; nothing else is understood here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from infrastructure.home import ROOT
from topics.errors import UserError

DIRECTORY = ROOT / "grafana_provisioning" / "dashboards"
GRID = 24
"""Columns of Grafana's grid."""

Json = Mapping[str, Any]
Kind = Literal["timeseries", "table", "stat", "bargauge", "text", "row"]
KINDS = ("timeseries", "table", "stat", "bargauge", "text", "row")
UNITS_OF_TIME = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class Step:
    """From ``value`` on (None: from below) a value has this colour, by Grafana's name."""

    value: float | None
    color: str


@dataclass(frozen=True)
class Panel:
    """One panel; a field that its kind does not use is empty.

    ``x``, ``width`` and ``height`` are in the grid, where each panel stands behind the one before it.
    """

    id: int
    kind: Kind
    title: str
    description: str
    x: int
    width: int
    height: int
    targets: tuple[Json, ...] = ()
    unit: str = "none"
    no_value: str = ""
    minimum: float | None = None
    steps: tuple[Step, ...] = ()
    by_thresholds: bool = False
    style: Literal["line", "bars", "points"] = "line"
    axis: str = ""
    from_zero: bool = False
    stacked: Literal["", "normal", "percent"] = ""
    dashed: bool = False
    legend: bool = False
    calc: str = ""
    names: tuple[tuple[str, str], ...] = ()
    """Names of the lines of a target, by its ref id."""
    column_units: tuple[tuple[str, str], ...] = ()
    """Units of columns, by the name that they have in the end."""
    rows: bool = False
    """seriesToRows: one row a point, with the name of its series."""
    columns: tuple[tuple[str, str], ...] = ()
    """What columns are renamed to, in the order in which they stand."""
    sort: tuple[str, bool] | None = None
    """Column, and whether the largest comes first."""
    markdown: str = ""

    def color(self, value: float) -> str:
        """By the thresholds."""
        reached = [step.color for step in self.steps if step.value is None or value >= step.value]
        return reached[-1] if reached else "green"


@dataclass(frozen=True)
class Dashboard:
    """One dashboard. ``start`` and ``end`` are as in the file; ``sites`` is the command of the variable ``site``."""

    uid: str
    title: str
    description: str
    start: str
    end: str
    refresh: timedelta
    sites: str
    sites_regex: re.Pattern[str]
    site: str
    ranges: tuple[tuple[str, str, str], ...]
    """Links to other time ranges: title, start, end."""
    panels: tuple[Panel, ...]

    @property
    def name(self) -> str:
        """As it stands in the page's address."""
        return self.uid.removeprefix("iot-")


def read(directory: Path = DIRECTORY) -> dict[str, Dashboard]:
    """Every dashboard, by its name. Raises ``UserError`` when there is none, or for what cannot be drawn."""
    files = sorted(directory.glob("*.json"))
    if not files:
        raise UserError(f"there are no dashboards in {directory}: iot grafana build")
    found = {}
    for file in files:
        try:
            dashboard = parse(json.loads(file.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{file} is no dashboard that the board can draw: {error!r}") from error
        found[dashboard.name] = dashboard
    return found


def parse(content: Json) -> Dashboard:
    """Raises ``ValueError`` or ``KeyError`` for what is not among the parts that the dashboards use."""
    [variable] = content["templating"]["list"]
    if variable["name"] != "site":
        raise ValueError(f"the variable is site, not {variable['name']}")
    return Dashboard(
        uid=content["uid"],
        title=content["title"],
        description=content.get("description", ""),
        start=content["time"]["from"],
        end=content["time"]["to"],
        refresh=_duration(content["refresh"]),
        sites=variable["query"],
        sites_regex=re.compile(variable["regex"].strip("/")),
        site=variable["current"]["value"],
        ranges=tuple(_ranges(content["links"])),
        panels=tuple(_panel(panel) for panel in content["panels"]),
    )


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"(\d+)([smhd])", text)
    if not found:
        raise ValueError(f"refresh is like 5s, not {text!r}")
    return timedelta(**{UNITS_OF_TIME[found[2]]: int(found[1])})


def _ranges(links: Iterable[Json]) -> Iterator[tuple[str, str, str]]:
    for link in links:
        if link["type"] == "link":
            query = parse_qs(urlsplit(link["url"]).query)
            yield link["title"], query["from"][0], query["to"][0]


def _panel(content: Json) -> Panel:
    if content["type"] not in KINDS:
        raise ValueError(f"panels are {', '.join(KINDS)}, not {content['type']}")
    place, options = content["gridPos"], content.get("options", {})
    defaults = content.get("fieldConfig", {}).get("defaults", {})
    custom, mode = defaults.get("custom", {}), defaults.get("color", {}).get("mode")
    calcs = options.get("reduceOptions", {}).get("calcs", [])
    sort = options.get("sortBy", [])
    organized = _organized(content)
    return Panel(
        id=content["id"],
        kind=content["type"],
        title=content.get("title", ""),
        description=content.get("description", ""),
        x=place["x"],
        width=place["w"],
        height=place["h"],
        targets=tuple(content.get("targets", ())),
        unit=defaults.get("unit", "none"),
        no_value=defaults.get("noValue", ""),
        minimum=defaults.get("min"),
        steps=tuple(Step(step["value"], step["color"]) for step in defaults.get("thresholds", {}).get("steps", ())),
        by_thresholds=mode == "thresholds",
        style=custom.get("drawStyle", "line"),
        axis=custom.get("axisLabel", ""),
        from_zero="axisSoftMin" in custom,
        stacked=custom.get("stacking", {}).get("mode", ""),
        dashed=custom.get("thresholdsStyle", {}).get("mode") == "dashed",
        legend=options.get("legend", {}).get("showLegend", False),
        calc=calcs[0] if calcs else "",
        names=tuple(_overrides(content, "byFrameRefID", "displayName")),
        column_units=tuple(_overrides(content, "byName", "unit")),
        rows=any(step["id"] == "seriesToRows" for step in content.get("transformations", ())),
        columns=organized,
        sort=(sort[0]["displayName"], bool(sort[0]["desc"])) if sort else None,
        markdown=options.get("content", ""),
    )


def _organized(content: Json) -> tuple[tuple[str, str], ...]:
    for step in content.get("transformations", ()):
        if step["id"] == "organize":
            renamed, order = step["options"]["renameByName"], step["options"]["indexByName"]
            return tuple((name, renamed[name]) for name in sorted(renamed, key=order.__getitem__))
    return ()


def _overrides(content: Json, matcher: str, wanted: str) -> Iterator[tuple[str, str]]:
    for override in content.get("fieldConfig", {}).get("overrides", ()):
        if override["matcher"]["id"] == matcher:
            for each in override["properties"]:
                if each["id"] == wanted:
                    yield override["matcher"]["options"], each["value"]
