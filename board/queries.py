"""Which Redis command a target becomes, so that Redis sends no more points than can be seen.

``grafana_provisioning.commands`` makes the command that Grafana's plugin would send. It is asked with COUNT
first; where that cuts off, again with wider buckets. What is reduced to a number is reduced by Redis.
"""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from typing import Any

from board import units
from board.dashboards import Json, Panel
from grafana_provisioning import commands

QUARTER = 900_000
"""The pace of most sensors, ms: the smallest bucket, and what buckets are multiples of."""
DAY = 86_400_000
ROUND = tuple(1000 * seconds for seconds in (1, 5, 10, 30, 60, 300, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400))
"""Buckets that people think in, ms."""
MOST_ROWS = 500
"""Points of one series in a table."""

REDUCED_BY = {"lastNotNull": "last", "sum": "sum", "count": "count"}
"""Grafana's calculations, and the aggregation of Redis that gives the same."""
IN_WORDS = {"avg": "mean", "count": "count", "sum": "sum"}


@dataclass(frozen=True)
class Query:
    """One command. ``note`` says what its points are, where they are not those that the target asks for.

    An answer in which a series has ``most`` points is cut off; 0: it cannot be. ``reduced``: each series has one point,
    which is its calculation already.
    """

    words: tuple[str, ...]
    most: int = 0
    note: str = ""
    reduced: bool = False


@dataclass(frozen=True)
class Scope:
    """For which site, and for which time: epoch ms, both included."""

    site: str
    start: int
    end: int


def first(panel: Panel, target: Json, scope: Scope, pixels: int) -> Query:
    """What to ask for a panel whose chart is so many pixels wide."""
    words = _command(target, scope)
    if words[0] == "ts.mget":
        return Query(tuple(words))
    if panel.calc in REDUCED_BY and not target.get("aggregation"):
        bucket = scope.end - scope.start + 1
        whole = {**target, "aggregation": REDUCED_BY[panel.calc], "bucket": bucket}
        words = _command(whole, scope)
        return Query(_with(words, "ALIGN", str(scope.start)), reduced=True)
    most = MOST_ROWS if panel.kind == "table" else pixels
    return Query(_with(words, "COUNT", str(most)), most)


def cut_off(query: Query, answer: Any) -> bool:
    """Whether there may be more points than came."""
    if not query.most:
        return False
    series = [answer] if query.words[0] == "ts.range" else [points for _, _, points in answer]
    return any(len(points) >= query.most for points in series)


def wider(panel: Panel, target: Json, scope: Scope, pixels: int) -> Query:
    """What to ask when the first answer was cut off: buckets of which there are fewer than pixels.

    The mean where the target takes points as they are, else its own aggregation. For a table: the newer half.
    """
    if panel.kind == "table":
        newer = newer_half(scope)
        query = first(panel, target, newer, pixels)
        return Query(query.words, query.most, f"from {units.time(newer.start)} on")
    own = int(target["bucket"]) if target.get("aggregation") else QUARTER
    bucket = bucket_for(scope.end - scope.start, pixels, own)
    aggregation = str(target.get("aggregation") or "avg")
    words = _command({**target, "aggregation": aggregation, "bucket": bucket}, scope)
    note = f"{IN_WORDS.get(aggregation, aggregation)} of {units.duration(bucket)}"
    # A target's own buckets are those of the clock, as in Grafana.
    return Query(tuple(words) if target.get("aggregation") else _with(words, "ALIGN", str(scope.start)), note=note)


def newer_half(scope: Scope) -> Scope:
    """The second half of the time."""
    return Scope(scope.site, min(scope.end, scope.start + (scope.end - scope.start) // 2 + 1), scope.end)


def bucket_for(milliseconds: int, pixels: int, unit: int) -> int:
    """A multiple of ``unit``, ms, of which fewer than ``pixels`` cover so much time: a round one, or whole days."""
    needed = -(-milliseconds // max(1, pixels - 2))
    for bucket in ROUND:
        if bucket >= needed and bucket % unit == 0:
            return bucket
    whole = math.lcm(unit, DAY)
    return -(-needed // whole) * whole


def sites(command: str) -> Query:
    """The command of the variable."""
    return Query(tuple(command.split()))


def _command(target: Json, scope: Scope) -> list[str]:
    # A filter is split into words as a shell does it: a site is one of them, whatever it holds.
    return commands.command(target, shlex.quote(scope.site), scope.start, scope.end)


def _with(words: list[str], *more: str) -> tuple[str, ...]:
    """Options stand before WITHLABELS, behind the range; ts.range has a key before it."""
    place = 4 if words[0] == "ts.range" else 3
    return (*words[:place], *more, *words[place:])
