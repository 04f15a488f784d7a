"""What a chart is drawn from: series and a panel's look, as an option of ECharts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from board import units
from board.dashboards import Panel
from board.frames import Frame, shares

DAY = 86_400_000
FEW = 60
"""Points of a line up to which each of them is marked."""

COLORS = {"green": "#3f9c46", "red": "#d64550", "orange": "#e08a1e", "blue": "#3d7fd9"}
"""Grafana's names of thresholds' colours."""
PALETTE = ("#3d7fd9", "#e08a1e", "#3f9c46", "#d64550", "#8f5fd1", "#1a9aa8", "#c2559d", "#8a7a2f")
INK = {
    False: {"text": "#4a5361", "line": "#dfe3e8", "ground": "#ffffff", "strong": "#1b2330"},
    True: {"text": "#aeb7c4", "line": "#2c343f", "ground": "#1d232c", "strong": "#e9edf2"},
}
"""Colours of what is not data, by whether the page is dark."""


def drawn(panel: Panel, found: Sequence[Frame]) -> tuple[tuple[Frame, ...], str]:
    """The series as they are drawn, and their unit: a percent stack has shares."""
    return (shares(found), "percent") if panel.stacked == "percent" else (tuple(found), panel.unit)


def option(panel: Panel, found: Sequence[Frame], start: int, end: int, *, dark: bool) -> dict[str, Any]:
    """For a time chart between two instants (epoch ms)."""
    series, unit = drawn(panel, found)
    # ECharts stacks by place, not by time: what is stacked needs a place for every instant.
    lines = aligned(series) if panel.stacked else [frame.points for frame in series]
    values = [value for frame in series for _, value in frame.points]
    scale = units.scaled(max(map(abs, values), default=0.0), unit)
    behind = interval(panel, series) // 2 if panel.style == "bars" else 0
    ink = INK[dark]
    return {
        "useUTC": True,
        "animation": False,
        "color": list(PALETTE),
        "textStyle": {"fontFamily": "inherit"},
        "title": {
            "text": panel.axis,
            "left": 4,
            "top": 0,
            "padding": 4,
            "textStyle": {"color": ink["text"], "fontSize": 11, "fontWeight": "normal"},
        },
        "grid": {"left": 8, "right": 14, "top": 30, "bottom": 34 if panel.legend else 8, "containLabel": True},
        "legend": {
            "show": panel.legend,
            "type": "scroll",
            "bottom": 0,
            "icon": "roundRect",
            "itemWidth": 12,
            "itemHeight": 4,
            "textStyle": {"color": ink["text"]},
            "pageTextStyle": {"color": ink["text"]},
        },
        "tooltip": {
            "trigger": "axis",
            "confine": True,
            "backgroundColor": ink["ground"],
            "borderColor": ink["line"],
            "textStyle": {"color": ink["strong"], "fontSize": 12},
            "axisPointer": {"type": "line", "label": {":formatter": _instant(behind)}},
            ":valueFormatter": _number(scale, 6),
        },
        "xAxis": {
            "type": "time",
            "min": start,
            "max": end,
            "axisLine": {"lineStyle": {"color": ink["line"]}},
            "axisLabel": {"color": ink["text"], "hideOverlap": True},
            "splitLine": {"show": False},
        },
        "yAxis": {
            "type": "value",
            "scale": not panel.from_zero and panel.style != "bars",
            "max": 100 if unit == "percent" and _none_negative(values) else None,
            "axisLabel": {"color": ink["text"], ":formatter": _number(scale, 4)},
            "splitLine": {"lineStyle": {"color": ink["line"]}},
        },
        "visualMap": _by_thresholds(panel),
        "series": [
            _series(panel, frame.name, points, behind, dashed=panel.dashed and not place)
            for place, (frame, points) in enumerate(zip(series, lines, strict=True))
        ],
    }


def interval(panel: Panel, series: Sequence[Frame]) -> int:
    """How much time a bar stands for, ms: the shortest distance of two points, a day where there is none."""
    known = [int(target["bucket"]) for target in panel.targets if target.get("bucket")]
    gaps = [after[0] - before[0] for f in series for before, after in zip(f.points, f.points[1:], strict=False)]
    return min(gaps, default=known[0] if known else DAY)


def _series(
    panel: Panel, name: str, points: Iterable[tuple[int, float | None]], behind: int, *, dashed: bool
) -> dict[str, Any]:
    # A bar stands behind its instant: over the day that it is of.
    data = [[at + behind, value] for at, value in points]
    made: dict[str, Any] = {"name": name, "data": data}
    if panel.style == "bars":
        made |= {"type": "bar", "barCategoryGap": "20%", "barMaxWidth": 40}
        if panel.stacked:
            made["stack"] = "all"
        else:
            made["itemStyle"] = {"borderRadius": [2, 2, 0, 0]}
    elif panel.style == "points":
        made |= {"type": "scatter", "symbolSize": 6}
    else:
        made |= {"type": "line", "lineStyle": {"width": 1.5}, "symbol": "circle", "symbolSize": 4}
        made["showSymbol"] = len(data) <= FEW
    if dashed:
        limits = [
            {"yAxis": step.value, "lineStyle": {"color": COLORS.get(step.color, step.color)}}
            for step in panel.steps
            if step.value is not None
        ]
        made["markLine"] = {
            "silent": True,
            "symbol": "none",
            "label": {"show": False},
            "lineStyle": {"type": "dashed", "width": 1.5},
            "data": limits,
        }
    return made


def aligned(series: Sequence[Frame]) -> list[tuple[tuple[int, float | None], ...]]:
    """The points of each series at the instants of all of them; None where it has none."""
    columns = [dict(frame.points) for frame in series]
    instants = sorted(set().union(*columns))
    return [tuple((at, column.get(at)) for at in instants) for column in columns]


def _by_thresholds(panel: Panel) -> list[dict[str, Any]]:
    if not panel.by_thresholds:
        return []
    pieces = []
    for step, after in zip(panel.steps, (*panel.steps[1:], None), strict=True):
        piece: dict[str, Any] = {"color": COLORS.get(step.color, step.color)}
        if step.value is not None:
            piece["gte"] = step.value
        if after is not None:
            piece["lt"] = after.value
        pieces.append(piece)
    return [{"type": "piecewise", "show": False, "dimension": 1, "pieces": pieces}]


def _none_negative(values: Sequence[float]) -> bool:
    return min(values, default=0.0) >= 0


def _number(scale: units.Scale, digits: int) -> str:
    """JavaScript that writes a number in a unit."""
    behind = json.dumps(scale.behind)
    return (
        f"v => v == null || v === '-' ? '–' : (v / {scale.divisor!r}).toLocaleString('en', "
        f"{{maximumSignificantDigits: {digits}}}) + {behind}"
    )


def _instant(behind: int) -> str:
    """JavaScript that writes the instant at which a point stands, UTC."""
    return f"p => new Date(p.value - {behind}).toISOString().slice(0, 16).replace('T', ' ') + ' UTC'"
