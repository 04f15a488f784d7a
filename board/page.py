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

from board import units
from board.dashboards import Dashboard
from board.feed import Feeds, Seen, Wanted
from board.panel_view import PanelView
from board.timerange import TimeRange

STYLE = Path(__file__).with_name("board.css")
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
        self._main = ui.element("main").classes("board-main").props('aria-label="Panels"')
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
