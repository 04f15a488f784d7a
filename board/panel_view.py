"""One panel on a page, in NiceGUI's elements: a chart, a table, numbers, or words."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from board import charts, frames, units
from board.dashboards import Panel
from board.feed import Data, Seen

ROW = 38
"""Pixels of a row of the grid."""


class PanelView:
    """One panel on a page. It is drawn again only when what it shows has changed."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self._drawn: tuple[Any, ...] | None = None
        self._dark = False
        self._last: tuple[Data, int, int] | None = None
        self._as_table = False
        self._chart: ui.echart | None = None
        self._table: ui.table | None = None
        place = f"--x:{panel.x + 1};--w:{panel.width};--h:{panel.height * ROW}px"
        with ui.element("section").classes(f"board-panel board-of-{panel.kind}").style(place) as self._element:
            self._element.props(f'data-panel="{panel.id}"').props["aria-label"] = panel.title
            with ui.element("div").classes("board-head"):
                title = ui.label(panel.title).classes("board-title").props('role="heading" aria-level="3"')
                title.props["title"] = panel.title  # a long one is cut off
                if panel.description:
                    with ui.element("button").classes("board-info").props('type="button"') as info:
                        info.props["aria-label"] = panel.description
                        ui.label("i").props('aria-hidden="true"')
                        ui.label(panel.description).classes("board-tip").props('aria-hidden="true"')
                self._note = ui.label().classes("board-note")
                if panel.kind == "timeseries":
                    self._toggle = ui.button("table", on_click=self._toggled, color=None).props(
                        "flat dense no-caps size=sm"
                    )
                    self._toggle.classes("board-toggle").props["aria-pressed"] = "false"
                    self._toggle.props["aria-label"] = f"{panel.title}: values as a table"
            with ui.element("div").classes("board-body") as self._body:
                if panel.kind == "text":
                    ui.markdown(panel.markdown)
                else:
                    ui.label("loading").classes("board-words board-loading")

    def show(self, data: Data | None, seen: Seen, *, dark: bool) -> None:
        """What was read, or None when nothing was read yet."""
        self._element.classes(**{"add" if seen.error and data else "remove": "board-stale"})
        if self.panel.kind == "text":
            return
        if data is None:
            if seen.error:
                self._words("no data: Redis does not answer", ("away",))
            return
        self._last = (data, seen.start, seen.end)
        self.redraw(dark=dark)

    def redraw(self, *, dark: bool) -> None:
        """Draw what was read last, if it is not drawn."""
        if self._last is None:
            return
        self._dark = dark
        state = (*self._last, dark, self._as_table)
        if state == self._drawn:
            return
        data, start, end = self._last
        self._note.text = data.note
        if data.error:
            self._words(data.error, state)
        elif not any(frame.points for frame in data.frames):
            self._words(self.panel.no_value or "no points in this time range", state)
        elif self.panel.kind == "timeseries" and not self._as_table:
            self._draw_chart(data, start, end, dark=dark)
        elif self.panel.kind in ("stat", "bargauge"):
            self._cleared()
            with self._body:
                self._draw_numbers(data)
        else:
            self._draw_table(data)
        self._drawn = state

    def _toggled(self) -> None:
        self._as_table = not self._as_table
        self._toggle.props["aria-pressed"] = str(self._as_table).lower()
        self._toggle.text = "chart" if self._as_table else "table"
        self.redraw(dark=self._dark)

    def _words(self, words: str, state: tuple[Any, ...]) -> None:
        if self._drawn != state:
            self._cleared()
            with self._body:
                ui.label(words).classes("board-words")
            self._drawn = state

    def _draw_chart(self, data: Data, start: int, end: int, *, dark: bool) -> None:
        option = charts.option(self.panel, data.frames, start, end, dark=dark)
        if self._chart is None:
            self._cleared()
            with self._body:
                self._chart = ui.echart(option).classes("board-chart").props('role="img"')
        else:
            self._chart.options.clear()
            self._chart.options.update(option)
        self._chart.props["aria-label"] = summary(self.panel, data)
        self._chart.update()

    def _cleared(self) -> None:
        self._body.clear()
        self._chart = self._table = None

    def _draw_table(self, data: Data) -> None:
        unit = self.panel.unit
        if self.panel.kind == "table":
            table = frames.table(self.panel, data.frames)
        else:
            drawn, unit = charts.drawn(self.panel, data.frames)
            table = frames.values(drawn)
        unit_of = dict(self.panel.column_units)
        units_of = [unit_of.get(column, unit) for column in table.columns]
        columns = [
            {"name": str(n), "label": title, "field": str(n), "align": "right" if n else "left"}
            for n, title in enumerate(table.columns)
        ]
        rows = [
            {"id": place} | {str(n): _cell(value, n, units_of[n]) for n, value in enumerate(row)}
            for place, row in enumerate(table.rows)
        ]
        if table.left_out:
            self._note.text = f"{self._note.text}, newest {len(rows):,} rows".removeprefix(", ")
        if self._table is not None and self._table.columns == columns:
            self._table.rows = rows  # it stays where it was scrolled to
            return
        self._cleared()
        with self._body:
            self._table = ui.table(rows=rows, columns=columns, row_key="id").props("dense flat virtual-scroll")
            self._table.classes("board-table").props["aria-label"] = self.panel.title

    def _draw_numbers(self, data: Data) -> None:
        values = numbers(self.panel, data)
        largest = max((abs(value) for _, value in values), default=0.0) or 1.0
        with ui.element("ul").classes("board-numbers"):
            for place, (name, value) in enumerate(values):
                by_steps = charts.COLORS.get(self.panel.color(value), "")
                color = by_steps if self.panel.by_thresholds else charts.PALETTE[place % len(charts.PALETTE)]
                with ui.element("li").style(f"--color:{color};--share:{max(0.0, value) / largest:.4f}"):
                    ui.label(name).classes("board-number-name")
                    if self.panel.kind == "bargauge":
                        ui.element("div").classes("board-bar")
                    ui.label(units.text(value, self.panel.unit)).classes("board-number")


def numbers(panel: Panel, data: Data) -> list[tuple[str, float]]:
    """The calculation of each series; where Redis has made it, its only point."""
    calc = "lastNotNull" if data.reduced else panel.calc
    return [(frame.name, frames.reduced(calc, frame)) for frame in data.frames]


def summary(panel: Panel, data: Data) -> str:
    """A chart in words."""
    drawn, unit = charts.drawn(panel, data.frames)
    parts = []
    for frame in drawn:
        values = [value for _, value in frame.points]
        at, newest = frame.points[-1]
        parts.append(
            f"{frame.name}: {len(values)} points, newest {units.text(newest, unit)} at {units.time(at)}, "
            f"lowest {units.text(min(values), unit)}, highest {units.text(max(values), unit)}"
        )
    return f"{panel.title}. " + "; ".join(parts)


def _cell(value: float | str | None, column: int, unit: str) -> str:
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if column == 0 and not unit.startswith("time:"):
        return units.time(value)
    return units.text(value, unit)
