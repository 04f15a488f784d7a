"""Speeds as bars, as one SVG that follows the reader's light or dark colours."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

from scripts.bench.measure import Row, Stage, median, spread

STAGES = ("producer", "job", "ingest", "end_to_end")
WIDTH, NAMES, FIGURES = 860, 240, 110
BAR, GAP, HEAD, TOP = 16, 8, 30, 34
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f } .head { font-weight: 600 }
.small { font-size: 11px; fill: #57606a } .grid { stroke: #d0d7de } .spread { stroke: #24292f }
.limit { fill: #8c959f } .ours { fill: #1a7f37 } .peer { fill: #0969da }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .small { fill: #8d96a0 } .grid { stroke: #30363d } .spread { stroke: #e6edf3 }
.limit { fill: #6e7681 } .ours { fill: #3fb950 } .peer { fill: #4493f8 } }
"""


def drawn(stages: list[Stage]) -> str:
    """A bar a contender, as long as the logarithm of its readings a second; a line from its slowest to its fastest."""
    shown = [
        (stage, rows) for stage in stages if stage.name in STAGES and (rows := [r for r in stage.rows if r.values])
    ]
    figures = [value for _, rows in shown for row in rows for value in row.values]
    low = math.floor(math.log10(min(figures))) if figures else 0
    high = max(low + 1, math.ceil(math.log10(max(figures)))) if figures else 1
    height = TOP + sum(HEAD + len(rows) * (BAR + GAP) for _, rows in shown) + GAP
    body = [*_grid(low, high, height)]
    y = TOP
    for stage, rows in shown:
        body.append(f'<text class="head" x="8" y="{y + 18}">{escape(stage.title)}</text>')
        y += HEAD
        for row in rows:
            body += _bar(row, y, low, high)
            y += BAR + GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    return "\n".join(
        [f'{head} role="img">', f"<title>Readings a second</title><style>{STYLE}</style>", *body, "</svg>\n"]
    )


def _x(value: float, low: int, high: int) -> float:
    return NAMES + (math.log10(value) - low) / (high - low) * (WIDTH - NAMES - FIGURES)


def _grid(low: int, high: int, height: int) -> Iterator[str]:
    for power in range(low, high + 1):
        x = _x(10**power, low, high)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{height}"/>'
        yield f'<text class="small" x="{x:.1f}" y="{TOP - 14}" text-anchor="middle">{10**power:,}/s</text>'


def _bar(row: Row, y: int, low: int, high: int) -> Iterator[str]:
    middle = median(row.values)
    least, most = spread(row.values)
    end = _x(middle, low, high)
    half = y + BAR / 2
    yield f'<text x="{NAMES - 8}" y="{y + 13}" text-anchor="end">{escape(row.name)}</text>'
    yield f'<rect class="{row.role}" x="{NAMES}" y="{y}" width="{max(1.0, end - NAMES):.1f}" height="{BAR}" rx="2"/>'
    ends = f'x1="{_x(least, low, high):.1f}" x2="{_x(most, low, high):.1f}"'
    yield f'<line class="spread" {ends} y1="{half}" y2="{half}"/>'
    yield f'<text x="{max(end, _x(most, low, high)) + 6:.1f}" y="{y + 13}">{middle:,.0f}</text>'
