"""The page: dashboards drawn by NiceGUI and ECharts, which change as Redis does."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from nicegui import ui
from starlette.requests import Request

from board import charts, frames, units
from board.dashboards import Dashboard, Panel
from board.feed import Data, Feeds, Seen, Wanted
from board.timerange import TimeRange

STYLE = Path(__file__).with_name("board.css")
ROW = 38
"""Pixels of a row of the grid."""
VIEWPORTS = (320, 480, 640, 800, 1024, 1280, 1600, 1920, 2560, 3840)
CUSTOM = "custom"
NEWEST = {
    "newest-2d/newest": "Newest data: last 2 days",
    "newest-7d/newest": "Newest data: last 7 days",
    "newest-30d/newest": "Newest data: last 30 days",
    "newest-366d/newest": "Newest data: last year",
}
THEMES = {"auto": None, "light": False, "dark": True}

# The one script: what the server cannot know of the window. Chosen themes are kept in the browser.
WINDOW = """
<script>
document.addEventListener('DOMContentLoaded', () => {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const tell = () => emitEvent('window', {width: innerWidth, dark: dark.matches, theme: localStorage.getItem('theme')});
  let later;
  addEventListener('resize', () => { clearTimeout(later); later = setTimeout(tell, 300); });
  dark.addEventListener('change', tell);
  window.tellWindow = tell;
});
</script>
"""


class Page:
    """One open page: what is chosen, and the panels that show it."""

    def __init__(self, dashboards: Mapping[str, Dashboard], feeds: Feeds, given: Mapping[str, str]) -> None:
        self._dashboards = dashboards
        self._feeds = feeds
        self._wrong = ""
        name = given.get("dashboard", next(iter(dashboards)))
        if name not in dashboards:
            self._wrong = f"There is no dashboard {name!r}: this is the first one."
            name = next(iter(dashboards))
        self.dashboard = dashboards[name]
        self.site = given.get("site", self.dashboard.site)[:64]
        self.range = self._default_range()
        if "from" in given or "to" in given:
            try:
                self.range = TimeRange(given.get("from", self.range.start), given.get("to", self.range.end))
            except ValueError as error:
                self._wrong = f"The address has a wrong time range: {error}."
        theme = given.get("theme", "")
        self.theme = theme if theme in THEMES else "auto"
        self._theme_given = theme in THEMES
        self._system_dark = False
        self._viewport = 0
        self._leave: Callable[[], None] = lambda: None
        self._panels: dict[int, PanelView] = {}

    @property
    def dark(self) -> bool:
        """Whether it is dark now."""
        chosen = THEMES[self.theme]
        return self._system_dark if chosen is None else chosen

    def build(self) -> None:
        """Make the elements; data come when the window has told how wide it is."""
        ui.add_head_html(f"<style>{STYLE.read_text(encoding='utf-8')}</style>{WINDOW}")
        self._dark = ui.dark_mode(THEMES[self.theme])
        with ui.element("header").classes("board-header"):
            ui.label("IoT board").classes("board-name")
            self._tabs()
            self._controls()
        self._banner = ui.label().classes("board-banner").props('role="alert"')
        self._banner.visible = False
        self._main = ui.element("main").classes("board-main").props('id="main" aria-label="Panels"')
        ui.skip_link("Skip to the panels", target=self._main)
        self._status = ui.label("loading").classes("board-status").props('role="status"')
        self._lay_out()
        ui.on("window", lambda event: self._window(event.args))
        client = ui.context.client
        client.on_connect(lambda: client.run_javascript("tellWindow()"))
        client.on_disconnect(self.leave)
        client.on_delete(self.leave)

    def leave(self) -> None:
        """Read nothing more for this page."""
        self._leave()
        self._leave = lambda: None

    # --- What is chosen

    def _tabs(self) -> None:
        with ui.tabs(value=self.dashboard.name, on_change=self._chose_dashboard).props(  # type: ignore[arg-type]
            'dense no-caps inline-label aria-label="Dashboards"'
        ):
            for name, dashboard in self._dashboards.items():
                ui.tab(name, dashboard.title)

    def _controls(self) -> None:
        with ui.element("div").classes("board-controls"):
            self._site_select = (
                ui.select([self.site], value=self.site, label="House", on_change=self._chose_site)
                .props("dense outlined options-dense")
                .classes("board-site")
            )
            self._range_select = (
                ui.select(self._choices(), value=self._choice(), label="Time range", on_change=self._chose_range)
                .props("dense outlined options-dense")
                .classes("board-range")
            )
            self._from = self._date("From", self.range.start)
            self._to = self._date("To", self.range.end)
            self._theme_button = (
                ui.button(f"Theme: {self.theme}", on_click=self._chose_theme, color=None)
                .props("flat dense no-caps")
                .classes("board-theme")
            )

    def _date(self, label: str, value: str) -> ui.input:
        return (
            ui.input(label, value=_day(value), on_change=self._chose_dates)
            .props("type=date dense outlined stack-label")
            .classes("board-date")
        )

    def _default_range(self) -> TimeRange:
        return TimeRange(self.dashboard.start, self.dashboard.end)

    def _choices(self) -> dict[str, str]:
        links = {f"{start}/{end}": title for title, start, end in self.dashboard.ranges}
        default = self._default_range()
        named = {f"{default.start}/{default.end}": "As the dashboard says"} | links | NEWEST
        if _range_key(self.range) not in named:
            named |= {CUSTOM: "Chosen days"}
        return named

    def _choice(self) -> str:
        key = _range_key(self.range)
        return key if key in self._choices() else CUSTOM

    def _chose_dashboard(self, event: Any) -> None:
        self.dashboard = self._dashboards[event.value]
        self._changed(anew=True)

    def _chose_site(self, event: Any) -> None:
        if event.value and event.value != self.site:
            self.site = event.value
            self._changed(anew=True)

    def _chose_range(self, event: Any) -> None:
        if event.value and event.value not in (CUSTOM, _range_key(self.range)):
            start, _, end = event.value.partition("/")
            self._set_range(TimeRange(start, end))

    def _chose_dates(self) -> None:
        start, end = self._from.value, self._to.value
        if not (start and end) or (start, end) == (_day(self.range.start), _day(self.range.end)):
            return
        try:
            self._set_range(TimeRange(start, end))
        except ValueError as error:
            ui.notify(str(error), type="warning")

    def _set_range(self, chosen: TimeRange) -> None:
        self.range = chosen
        self._range_select.set_options(self._choices(), value=self._choice())
        self._from.value, self._to.value = _day(chosen.start), _day(chosen.end)
        self._changed(anew=True)

    def _chose_theme(self) -> None:
        names = list(THEMES)
        self._set_theme(names[(names.index(self.theme) + 1) % len(names)])
        ui.run_javascript(f"localStorage.setItem('theme', {json.dumps(self.theme)})")
        self._changed(anew=False)

    def _set_theme(self, theme: str) -> None:
        self.theme = theme
        self._dark.value = THEMES[theme]
        self._theme_button.text = f"Theme: {theme}"
        for panel in self._panels.values():
            panel.redraw(dark=self.dark)

    def _window(self, told: Mapping[str, Any]) -> None:
        self._system_dark = bool(told.get("dark"))
        if not self._theme_given and told.get("theme") in THEMES:
            self._theme_given = True
            self._set_theme(str(told["theme"]))
        else:
            for panel in self._panels.values():
                panel.redraw(dark=self.dark)
        width = int(told.get("width") or VIEWPORTS[0])
        self._viewport = max((step for step in VIEWPORTS if step <= width), default=VIEWPORTS[0])
        self._follow()

    def _changed(self, *, anew: bool) -> None:
        """Keep what is chosen in the address, so that it can be linked and reloaded."""
        chosen = {"dashboard": self.dashboard.name, "site": self.site, "from": self.range.start, "to": self.range.end}
        if self.theme != "auto":
            chosen["theme"] = self.theme
        ui.navigate.history.replace(f"/?{urlencode(chosen)}")
        if anew:
            self._wrong = ""
            self._lay_out()
            self._follow()

    # --- What is shown

    def _lay_out(self) -> None:
        self._main.clear()
        self._panels = {}
        with self._main:
            ui.label(self.dashboard.description).classes("board-description")
            with ui.element("div").classes("board-grid"):
                for panel in self.dashboard.panels:
                    if panel.kind == "row":
                        ui.label(panel.title).classes("board-row").props('role="heading" aria-level="2"')
                    else:
                        self._panels[panel.id] = PanelView(panel)

    def _follow(self) -> None:
        if not self._viewport:
            return
        self.leave()
        wanted = Wanted(self.dashboard.name, self.site, self.range, self._viewport)
        client = ui.context.client
        self._leave = self._feeds.follow(wanted, lambda seen: client.safe_invoke(lambda: self._show(seen)))

    def _show(self, seen: Seen) -> None:
        words = seen.error or self._wrong
        self._banner.text, self._banner.visible = words, bool(words)
        known = list(seen.sites) if self.site in seen.sites else [self.site, *seen.sites]
        if self._site_select.options != known:
            self._site_select.set_options(known, value=self.site)
        if seen.at:
            read = time.strftime("%H:%M:%S", time.gmtime(seen.at))
            self._status.text = f"read at {read} UTC{': Redis does not answer since' if seen.error else ''}"
        for number, panel in self._panels.items():
            panel.show(seen.panels.get(number), seen, dark=self.dark)


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


def _range_key(chosen: TimeRange) -> str:
    return f"{chosen.start}/{chosen.end}"


def _day(text: str) -> str:
    """For an input of a date; empty for what moves."""
    try:
        start, _ = TimeRange(text, text).resolved(0, 0)
    except ValueError:
        return ""
    return "" if text.startswith(("now", "newest")) else units.time(start, day=True)


def add(dashboards: Mapping[str, Dashboard], feeds: Feeds, api: Callable[[], str]) -> None:
    """Add the page to NiceGUI's application, and one that says what ``api`` gives, Markdown."""

    @ui.page("/", title="IoT board")
    def board(request: Request) -> None:
        Page(dashboards, feeds, request.query_params).build()

    @ui.page("/docs", title="IoT board: HTTP API", dark=None)
    def docs() -> None:
        ui.add_head_html(f"<style>{STYLE.read_text(encoding='utf-8')}</style>")
        ui.markdown(api()).classes("board-docs board-of-text")
