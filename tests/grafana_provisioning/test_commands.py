"""What each target asks, asked on the real Redis by the user that Grafana has: the right points come back.

What is right is computed from the oracle's points and the words of the filter, without looking at Redis' answer.
"""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import redis
from redis.exceptions import NoPermissionError

from grafana_provisioning import build
from grafana_provisioning.commands import command
from infrastructure.home import ROOT
from scripts.oracle import Points
from tests.redis_alone import START, Filled
from topics import catalogue
from topics.series import Series

SENSORS = catalogue.read(ROOT / "sensors.toml")
BUILT = build.dashboards(SENSORS)
DAY = 86_400_000

TARGETS = [
    pytest.param(dashboard, target, id=f"{panel['title']}-{target['refId']}")
    for dashboard in BUILT.values()
    for panel in dashboard["panels"]
    for target in panel.get("targets", ())
]


def milliseconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp() * 1000)


def wanted(target: dict[str, Any], held: dict[Series, Points], site: str, start: int, end: int) -> dict[str, Points]:
    """The lines that a target must show, by name."""
    chosen = dict(re.findall(r"(\w+)=(\(.*?\)|[^ ]*)", target["filter"]))
    sensors = chosen["sensor"].strip("()").split(",") if "sensor" in chosen else list(SENSORS)
    lines: dict[str, Points] = {}
    for sensor in sensors:
        points = held.get(Series(chosen["series"], site, sensor), {})
        if target["command"] == "ts.mget":
            points = dict([max(points.items())])
        else:
            points = {ts: value for ts, value in points.items() if start <= ts <= end}
        if "aggregation" in target:
            buckets = defaultdict(list)
            for ts, value in points.items():
                buckets[ts - ts % target["bucket"]].append(value)
            count = target["aggregation"] == "count"
            points = {ts: float(len(found)) if count else sum(found) for ts, found in buckets.items()}
        if points:
            lines[sensor] = points
    if "tsGroupByLabel" in target:
        total: Points = defaultdict(float)
        for points in lines.values():
            for ts, value in points.items():
                total[ts] += value
        lines = {site: dict(total)} if total else {}
    return lines


def shown(target: dict[str, Any], answer: list[Any]) -> dict[str, Points]:
    """The lines of Redis' answer, by the name that Grafana gives them: the field's, or else the frame's."""
    lines: dict[str, Points] = {}
    for _, labels, found in answer:
        called = {name.decode(): value.decode() for name, value in labels}
        name = called[target.get("value") or target["legend"]]
        assert name not in lines
        if points := [found] if target["command"] == "ts.mget" else found:
            lines[name] = {int(ts): float(value) for ts, value in points}
    return lines


@pytest.mark.parametrize("site", ["home", "site-0002"])
@pytest.mark.parametrize(("dashboard", "target"), TARGETS)
def test_a_target_shows_the_right_points(
    dashboard: dict[str, Any], target: dict[str, Any], site: str, filled: Filled
) -> None:
    span = milliseconds(dashboard["time"]["from"]), milliseconds(dashboard["time"]["to"])
    for start, end in (span, (START + 2 * DAY, START + 5 * DAY)):
        right = wanted(target, filled.held, site, start, end)
        found = shown(target, filled.viewer.execute_command(*command(target, site, start, end)))
        assert found.keys() == right.keys()
        for name, points in right.items():
            assert found[name] == pytest.approx(points, rel=1e-12)
        assert right or (start, end) != span, "an empty panel"


def test_a_house_that_is_not_there_shows_nothing(filled: Filled) -> None:
    for target in (target for d in BUILT.values() for panel in d["panels"] for target in panel.get("targets", ())):
        assert filled.viewer.execute_command(*command(target, "nowhere", 0, START)) == []


def flat(answer: object) -> Iterator[str]:
    """As the plugin gives what a variable's query finds: one list, whatever the answer's depth."""
    if isinstance(answer, list):
        for part in answer or [b"(empty array)"]:
            yield from flat(part)
    else:
        yield answer.decode() if isinstance(answer, bytes) else str(answer)


def options(dashboard: dict[str, Any], client: redis.Redis) -> set[str]:
    [variable] = dashboard["templating"]["list"]
    regex = re.compile(variable["regex"].strip("/"))
    found = (regex.search(text) for text in flat(client.execute_command(*shlex.split(variable["query"]))))
    return {match[1] for match in found if match}


@pytest.mark.parametrize("dashboard", BUILT.values(), ids=BUILT)
def test_the_variable_offers_every_house(dashboard: dict[str, Any], filled: Filled) -> None:
    assert options(dashboard, filled.viewer) == {"home", "site-0002"}


def test_the_user_may_not_write(filled: Filled) -> None:
    with pytest.raises(NoPermissionError):
        filled.viewer.execute_command("TS.ADD", "TH1", "*", "1")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (
            {"command": "ts.range", "keyName": "TH1", "value": "x"},
            "ts.range TH1 5 9",
        ),
        (
            {"command": "ts.range", "keyName": "TH1", "aggregation": "avg", "bucket": 7},
            "ts.range TH1 5 9 AGGREGATION avg 7",
        ),
        (
            {"command": "ts.mrange", "filter": "series=raw site=$site prefix="},
            "ts.mrange 5 9 0 WITHLABELS FILTER series=raw site=cabin prefix=",
        ),
        (
            {
                "command": "ts.mrange",
                "filter": "site=$site",
                "aggregation": "sum",
                "bucket": 7,
                "tsGroupByLabel": "site",
                "tsReducer": "max",
            },
            "ts.mrange 5 9 AGGREGATION sum 7 WITHLABELS FILTER site=cabin GROUPBY site REDUCE max",
        ),
        ({"command": "ts.mget", "filter": "a=(x,y) b!=z"}, "ts.mget WITHLABELS FILTER a=(x,y) b!=z"),
        ({"command": "ts.mget", "query": "TS.GET '$site'"}, "TS.GET cabin"),
    ],
)
def test_the_plugins_words(target: dict[str, Any], words: str) -> None:
    assert command(target, "cabin", 5, 9) == words.split()


def test_other_commands_are_none_of_the_dashboards() -> None:
    with pytest.raises(ValueError, match=r"ts\.info"):
        command({"command": "ts.info", "keyName": "TH1"}, "home", 0, 1)
