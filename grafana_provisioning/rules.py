"""What a dashboard must keep to so that its panels show what is stored.

The plugin answers a wrong field with nothing, and no error. Each rule names one such trap and finds whoever falls
into it; all of them were found by running redis-datasource 2.2.0 against RedisTimeSeries 1.12.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from grafana_provisioning.data_source import TYPE, UID
from topics.catalogue import Catalogue
from topics.series import OF_NAME, RAW

Json = Mapping[str, Any]
Rule = Callable[[Json, Json, Catalogue], Iterator[str]]
"""Of a target, its panel and the catalogue: what is wrong, in words."""

COMMANDS = ("ts.range", "ts.mrange", "ts.mget")
AGGREGATIONS = ("avg", "count", "max", "min", "range", "sum", "first", "last", "std.p", "std.s", "var.p", "var.s")
REDUCERS = ("avg", "sum", "min", "max", "range", "count", "std.p", "std.s", "var.p", "var.s")
KINDS = tuple(OF_NAME)
LABELS = {"site", "sensor", "series", "unit"}
GROUP_LABELS = {"site", "__reducer__"}
FIELDS = {"refId", "datasource", "type", "query", "command", "keyName", "filter", "legend", "value"} | {
    "aggregation",
    "bucket",
    "tsGroupByLabel",
    "tsReducer",
}
PANELS = ("timeseries", "table", "stat", "bargauge", "text", "row")
TRANSFORMATIONS = ("seriesToRows", "organize")
MATCHER = re.compile(r"(\w+)(!?=)(?:\(([^()]+)\)|([^()=]*))")
SITES = re.compile(r"TS\.MRANGE 0 0 FILTER [=\w ]+ GROUPBY site REDUCE \w+")


class BrokenRuleError(Exception):
    """A dashboard falls into one of the traps; the message names panel, target and trap."""


def check(dashboard: Json, catalogue: Catalogue) -> None:
    """Raises ``BrokenRuleError`` for a dashboard that breaks a rule."""
    if found := list(broken(dashboard, catalogue)):
        raise BrokenRuleError("\n".join(found))


def broken(dashboard: Json, catalogue: Catalogue) -> Iterator[str]:
    """Each broken rule of a dashboard, in words."""
    for variable in dashboard["templating"]["list"]:
        if not SITES.fullmatch(str(variable.get("query", ""))):
            yield f"variable {variable['name']}: its query must group by site: keys do not tell the default site"
    for panel in dashboard["panels"]:
        where = f"{dashboard['title']}, {panel.get('title')}"
        yield from (f"{where}: {wrong}" for wrong in _panel(panel))
        for target in panel.get("targets", ()):
            for rule in RULES:
                yield from (f"{where}, {target.get('refId')}: {wrong}" for wrong in rule(target, panel, catalogue))


def _panel(panel: Json) -> Iterator[str]:
    if panel["type"] not in PANELS:
        yield f"panels are {', '.join(PANELS)}: the board draws no {panel['type']}"
    refs = Counter(target.get("refId") for target in panel.get("targets", ()))
    if any(count > 1 or not ref for ref, count in refs.items()):
        yield "each target needs a refId of its own"
    for transformation in panel.get("transformations", ()):
        if transformation["id"] not in TRANSFORMATIONS:
            yield f"transformations are {' and '.join(TRANSFORMATIONS)}, not {transformation['id']}: merge gives nulls"


def addressed(target: Json, panel: Json, _: Catalogue) -> Iterator[str]:
    """The data source is named by type and uid, in the panel and in the target."""
    for owner in (target, panel):
        if owner.get("datasource") != {"type": TYPE, "uid": UID}:
            yield f"its datasource must be {TYPE} with the uid {UID}"


def known_fields(target: Json, _: Json, __: Catalogue) -> Iterator[str]:
    """Unknown fields are passed over; fill inserts zeros; streaming stamps points with the wall clock."""
    if unknown := sorted(target.keys() - FIELDS):
        yield f"these fields are unknown or not to be used: {', '.join(unknown)}"


def time_series(target: Json, _: Json, __: Catalogue) -> Iterator[str]:
    """The type must be timeSeries, and a query that is not empty runs instead of everything else."""
    if target.get("type") != "timeSeries" or target.get("query") != "":
        yield 'it needs "type": "timeSeries" and "query": ""'


def known_command(target: Json, _: Json, __: Catalogue) -> Iterator[str]:
    """An unknown command, or one in upper case, gives an empty answer."""
    if target.get("command") not in COMMANDS:
        yield f"its command must be one of {', '.join(COMMANDS)}, in lower case"


def one_key(target: Json, _: Json, __: Catalogue) -> Iterator[str]:
    """ts.range reads one key, and names its column by value, as written; a site's keys differ from another's."""
    if target.get("command") == "ts.range":
        if not (target.get("keyName") and target.get("value")) or "filter" in target:
            yield "ts.range needs keyName and value, and no filter"
        if "$" in str(target.get("keyName")):
            yield "the default site's keys have no prefix: a key cannot be made of $site; filter by label"
    elif "keyName" in target:
        yield "only ts.range has a keyName"


def selects(target: Json, _: Json, catalogue: Catalogue) -> Iterator[str]:
    """A filter without a match gives an empty answer; one that is not a filter an error."""
    if target.get("command") == "ts.range":
        return
    matchers = [MATCHER.fullmatch(word) for word in str(target.get("filter", "")).split(" ")]
    if None in matchers:
        yield "its filter must be words like a=b, a!=b or a=(b,c), with single spaces"
        return
    chosen = {m[1]: (m[3] or m[4] or "").split(",") for m in matchers if m and m[2] == "="}
    if chosen.get("site") != ["$site"]:
        yield "its filter must choose site=$site"
    if chosen.get("prefix") != [""]:
        yield "its filter must say prefix=, or it finds the series of replays and tests too"
    if not (len(chosen.get("series", ())) == 1 and chosen["series"][0] in KINDS):
        yield f"its filter must choose one series=, of {', '.join(KINDS)}"
    if unknown := sorted(set(chosen.get("sensor", ())) - catalogue.keys()):
        yield f"not in the catalogue: sensor={','.join(unknown)}"


def bucketed(target: Json, _: Json, __: Catalogue) -> Iterator[str]:
    """Aggregation and bucket come together; a bucket that is no JSON integer makes the query fail."""
    bucket, aggregation = target.get("bucket"), target.get("aggregation")
    if bucket is None and aggregation is None:
        return
    if type(bucket) is not int or bucket <= 0 or aggregation not in AGGREGATIONS:
        yield f"aggregation ({', '.join(AGGREGATIONS)}) and bucket (an integer, ms) come together"
    if target.get("command") == "ts.mget":
        yield "ts.mget does not aggregate"


def grouped(target: Json, _: Json, __: Catalogue) -> Iterator[str]:
    """A group without a reducer is an error, a reducer without a group is passed over."""
    label, reducer = target.get("tsGroupByLabel"), target.get("tsReducer")
    if label is None and reducer is None:
        return
    if label not in LABELS or reducer not in REDUCERS or target.get("command") != "ts.mrange":
        yield f"tsGroupByLabel and tsReducer ({', '.join(REDUCERS)}) come together, in ts.mrange"


def named(target: Json, panel: Json, _: Catalogue) -> Iterator[str]:
    """A field has the name in the label ``value``, a frame that in ``legend``: missing labels give empty names.

    Grafana puts the two together where frames differ: the same label twice gives "TH1 TH1". Without a value one line
    alone is called "Value".
    """
    if target.get("command") == "ts.range":
        return
    labels = GROUP_LABELS if "tsGroupByLabel" in target else LABELS
    if target.get("legend") not in labels:
        yield f"its legend must be one of the labels {', '.join(sorted(labels))}"
    rows = any(t["id"] == "seriesToRows" for t in panel.get("transformations", ()))
    if rows and "value" in target:
        yield "seriesToRows takes the name of the frame: a value adds to it"
    if not rows and (target.get("value") not in labels or target.get("value") == target.get("legend")):
        yield "its value must be a label too, and another one than the legend"


def newest(target: Json, panel: Json, _: Catalogue) -> Iterator[str]:
    """ts.mget: one series without points blanks the whole answer, and a derived one can lose its points."""
    if target.get("command") != "ts.mget":
        return
    if not str(target.get("filter")).startswith(f"series={RAW} "):
        yield f"ts.mget reads series={RAW} alone: a derived series may be empty"
    if panel["type"] != "table" or "whatever the time range" not in panel.get("description", ""):
        yield "ts.mget knows no time range: only in a table whose description says so"


RULES: tuple[Rule, ...] = (
    addressed,
    known_fields,
    time_series,
    known_command,
    one_key,
    selects,
    bucketed,
    grouped,
    named,
    newest,
)
