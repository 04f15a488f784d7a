"""The rules for targets: the dashboards keep them, and each of them finds who does not."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from grafana_provisioning import build, rules
from infrastructure.home import ROOT
from topics import catalogue

SENSORS = catalogue.read(ROOT / "sensors.toml")
BUILT = build.dashboards(SENSORS)
Change = Callable[[dict[str, Any], dict[str, Any]], object]
"""Of a target and its panel."""

BY_KEY = {"command": "ts.range", "keyName": "TH1", "value": "mean", "legend": "site"}


def panel(dashboard: dict[str, Any], title: str) -> dict[str, Any]:
    [found] = [panel for panel in dashboard["panels"] if panel["title"] == title]
    return dict(found)


def by_key(target: dict[str, Any], **other: object) -> dict[str, Any]:
    """Make it a ts.range as it should be, but for ``other``."""
    del target["filter"]
    target.update(BY_KEY, **other)
    return target


@pytest.mark.parametrize("dashboard", BUILT.values(), ids=BUILT)
def test_the_dashboards_keep_the_rules(dashboard: dict[str, Any]) -> None:
    assert list(rules.broken(dashboard, SENSORS)) == []


def test_a_range_of_one_key_is_allowed() -> None:
    spoilt = deepcopy(BUILT["house.json"])
    by_key(spoilt["panels"][0]["targets"][0])
    assert list(rules.broken(spoilt, SENSORS)) == []


RAW, HOURLY, TOTAL, NEWEST, ROWS = (
    ("house.json", "Etot raw"),
    ("house.json", "Etot: consumers by the hour"),
    ("pipeline.json", "Readings received, each hour"),
    ("pipeline.json", "Newest reading of each sensor"),
    ("pipeline.json", "Newest closed days"),
)

TRAPS: list[tuple[str, tuple[str, str], Change]] = [
    ("addressed", RAW, lambda t, _: t["datasource"].pop("uid")),
    ("addressed", RAW, lambda t, _: t.update(datasource="IoT Redis")),
    ("addressed", RAW, lambda _, p: p.pop("datasource")),
    ("known_fields", RAW, lambda t, _: t.update(fill=True)),
    ("known_fields", RAW, lambda t, _: t.update(streaming=True, streamingInterval=1000)),
    ("known_fields", RAW, lambda t, _: t.update(key="TH1")),
    ("time_series", RAW, lambda t, _: t.update(type="command")),
    ("time_series", RAW, lambda t, _: t.pop("type")),
    ("time_series", RAW, lambda t, _: t.update(query="TS.RANGE TH1 - +")),
    ("known_command", RAW, lambda t, _: t.update(command="TS.MRANGE")),
    ("known_command", RAW, lambda t, _: t.update(command="ts.revrange")),
    ("one_key", RAW, lambda t, _: by_key(t).pop("value")),
    ("one_key", RAW, lambda t, _: by_key(t).pop("keyName")),
    ("one_key", RAW, lambda t, _: by_key(t, keyName="$site:TH1")),
    ("one_key", RAW, lambda t, _: by_key(t, filter="series=raw site=$site prefix=")),
    ("one_key", RAW, lambda t, _: t.update(keyName="TH1")),
    ("selects", RAW, lambda t, _: t.pop("filter")),
    ("selects", RAW, lambda t, _: t.update(filter="series=raw site=$site prefix= sensor")),
    ("selects", RAW, lambda t, _: t.update(filter="series=raw, site=$site, prefix=")),
    ("selects", RAW, lambda t, _: t.update(filter="series=raw sensor=(TH1, TH2) site=$site prefix=")),
    ("selects", RAW, lambda t, _: t.update(filter="series=raw sensor=TH1 prefix=")),
    ("selects", RAW, lambda t, _: t.update(filter="series=raw sensor=TH1 site=$site")),
    ("selects", RAW, lambda t, _: t.update(filter="series=Raw sensor=TH1 site=$site prefix=")),
    ("selects", RAW, lambda t, _: t.update(filter="sensor=TH1 site=$site prefix=")),
    ("selects", RAW, lambda t, _: t.update(filter="series=raw sensor=TH9 site=$site prefix=")),
    ("bucketed", HOURLY, lambda t, _: t.pop("bucket")),
    ("bucketed", HOURLY, lambda t, _: t.pop("aggregation")),
    ("bucketed", HOURLY, lambda t, _: t.update(bucket="3600000")),
    ("bucketed", HOURLY, lambda t, _: t.update(bucket=3600000.0)),
    ("bucketed", HOURLY, lambda t, _: t.update(bucket=True)),
    ("bucketed", HOURLY, lambda t, _: t.update(bucket=0)),
    ("bucketed", HOURLY, lambda t, _: t.update(aggregation="mean")),
    ("bucketed", NEWEST, lambda t, _: t.update(aggregation="avg", bucket=1000)),
    ("grouped", TOTAL, lambda t, _: t.pop("tsReducer")),
    ("grouped", TOTAL, lambda t, _: t.pop("tsGroupByLabel")),
    ("grouped", TOTAL, lambda t, _: t.update(tsReducer="first")),
    ("grouped", TOTAL, lambda t, _: t.update(tsGroupByLabel="house")),
    ("grouped", NEWEST, lambda t, _: t.update(tsGroupByLabel="site", tsReducer="sum")),
    ("named", RAW, lambda t, _: t.pop("value")),
    ("named", RAW, lambda t, _: t.update(legend="sensor")),
    ("named", RAW, lambda t, _: t.pop("legend")),
    ("named", RAW, lambda t, _: t.update(value="Sensor")),
    ("named", TOTAL, lambda t, _: t.update(value="sensor")),
    ("named", ROWS, lambda t, _: t.update(value="sensor")),
    ("newest", NEWEST, lambda t, _: t.update(filter="series=AggDay site=$site prefix=")),
    ("newest", NEWEST, lambda _, p: p.update(description="The newest readings.")),
    ("newest", NEWEST, lambda _, p: p.update(type="stat")),
]


@pytest.mark.parametrize(
    ("rule", "where", "change"), TRAPS, ids=[f"{number}-{rule}" for number, (rule, _, _) in enumerate(TRAPS)]
)
def test_a_rule_finds_who_breaks_it_and_no_other_does(rule: str, where: tuple[str, str], change: Change) -> None:
    spoilt = deepcopy(panel(BUILT[where[0]], where[1]))
    change(spoilt["targets"][0], spoilt)
    found = {each.__name__ for each in rules.RULES if list(each(spoilt["targets"][0], spoilt, SENSORS))}
    assert rule in found
    # A rule finds its own trap, with or without others: a filter that is missing has no kind of series either.
    assert found <= {rule, "selects", "one_key", "named"}


def test_every_rule_is_shown_to_be_able_to_fail() -> None:
    assert {rule.__name__ for rule in rules.RULES} == {rule for rule, _, _ in TRAPS}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda p: p.update(type="piechart"), "piechart"),
        (lambda p: p.update(transformations=[{"id": "merge", "options": {}}]), "merge gives nulls"),
        (lambda p: p["targets"].append(p["targets"][0]), "refId of its own"),
        (lambda p: p["targets"][0].pop("refId"), "refId of its own"),
    ],
)
def test_a_panel_that_nobody_draws_is_found(change: Callable[[dict[str, Any]], object], complaint: str) -> None:
    spoilt = deepcopy(BUILT["house.json"])
    change(spoilt["panels"][0])
    with pytest.raises(rules.BrokenRuleError, match=complaint):
        rules.check(spoilt, SENSORS)


@pytest.mark.parametrize("query", ["", "FLUSHALL", "TS.QUERYINDEX site!=", "TS.DEL TH1 - +"])
def test_a_variable_that_cannot_tell_the_houses_is_found(query: str) -> None:
    spoilt = deepcopy(BUILT["house.json"])
    spoilt["templating"]["list"][0]["query"] = query
    with pytest.raises(rules.BrokenRuleError, match="variable site"):
        rules.check(spoilt, SENSORS)
