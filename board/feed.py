"""What open pages show, read from Redis again and again: one reading for all pages that show the same.

Nothing is read while no page is open. Reads are as frequent as they are cheap, at least every refresh of a dashboard.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from board import frames, queries
from board.dashboards import GRID, Dashboard, Panel
from board.frames import Frame
from board.queries import Query, Scope
from board.reader import Reader, RedisAwayError
from board.timerange import TimeRange
from infrastructure import logs

log = logs.get(__name__)

SHORTEST = 1.0
"""Seconds between two reads, at least."""
SHARE = 10
"""A read that took a second is followed by so many seconds without one."""
READING = "reading for the board"
"""Name of the tasks."""
MINUTE = 60_000
NEWEST = ("ts.mget", "FILTER", "series=raw")


@dataclass(frozen=True)
class Wanted:
    """What a page shows. ``viewport`` is how wide it is, in pixels, rounded down so that pages share."""

    dashboard: str
    site: str
    range: TimeRange
    viewport: int


@dataclass(frozen=True)
class Data:
    """What a panel shows: its series, a note on what their points are, or an error in words."""

    frames: tuple[Frame, ...] = ()
    note: str = ""
    error: str = ""
    reduced: bool = False


@dataclass(frozen=True)
class Seen:
    """One reading of everything. ``error`` says why there is none: then the rest is that of the last one that was."""

    start: int
    end: int
    sites: tuple[str, ...]
    panels: Mapping[int, Data]
    error: str = ""
    at: float = 0.0


Told = Callable[[Seen], None]


@dataclass
class _Feed:
    pages: set[Told] = field(default_factory=set)
    last: Seen | None = None
    task: asyncio.Task[None] | None = None
    crowded: set[tuple[int, int]] = field(default_factory=set)
    """Targets, by panel and place, that have too many points to be sent as they are."""


class Feeds:
    """The readings that are going on. Used in one event loop; Redis is asked in threads."""

    def __init__(self, reader: Reader, dashboards: Mapping[str, Dashboard]) -> None:
        self._reader = reader
        self._dashboards = dashboards
        self._feeds: dict[Wanted, _Feed] = {}

    def follow(self, wanted: Wanted, told: Told) -> Callable[[], None]:
        """Tell ``told`` of each reading, beginning with the last one if there is one; call the result to end it."""
        feed = self._feeds.setdefault(wanted, _Feed())
        feed.pages.add(told)
        if feed.last is not None:
            told(feed.last)
        if feed.task is None:
            feed.task = asyncio.create_task(self._go_on(wanted, feed), name=READING)

        def leave() -> None:
            feed.pages.discard(told)
            if not feed.pages and self._feeds.get(wanted) is feed:
                del self._feeds[wanted]
                if feed.task is not None:
                    feed.task.cancel()

        return leave

    async def _go_on(self, wanted: Wanted, feed: _Feed) -> None:
        refresh = self._dashboards[wanted.dashboard].refresh.total_seconds()
        while True:
            began = time.monotonic()
            try:
                feed.last = await asyncio.to_thread(self._read, wanted, feed)
            except RedisAwayError as away:
                feed.last = _without(feed.last, str(away))
            except Exception:
                log.exception("a reading failed; it is tried again")
                feed.last = _without(feed.last, "the board has failed: its log says how")
            for told in [*feed.pages]:
                told(feed.last)
            took = time.monotonic() - began
            await asyncio.sleep(min(refresh, max(SHORTEST, SHARE * took)))

    def _read(self, wanted: Wanted, feed: _Feed) -> Seen:
        dashboard = self._dashboards[wanted.dashboard]
        now = (int(time.time() * 1000) // MINUTE + 1) * MINUTE  # or each chart would be new each time
        found, newest = self._reader.ask(
            [queries.sites(dashboard.sites).words, (*NEWEST, f"site={wanted.site}", "prefix=")]
        )
        start, end = wanted.range.resolved(now, _newest(newest))
        end = max(start, end)  # a range up to the newest data may lie behind them
        scope = Scope(wanted.site, start, end)
        panels = {panel.id: panel for panel in dashboard.panels if panel.targets}
        pending: dict[tuple[int, int], Query] = {}
        for panel in panels.values():
            for place, target in enumerate(panel.targets):
                wide = (panel.id, place) in feed.crowded and panel.kind != "table"
                choose = queries.wider if wide else queries.first
                pending[panel.id, place] = choose(panel, target, scope, pixels(panel, wanted.viewport))
        answered: dict[tuple[int, int], tuple[Query, Any]] = {}
        scopes = dict.fromkeys(pending, scope)
        while pending:
            words = list(dict.fromkeys(query.words for query in pending.values()))
            answers = dict(zip(words, self._reader.ask(words), strict=True))
            cut: dict[tuple[int, int], Query] = {}
            for key, query in pending.items():
                answer, panel = answers[query.words], panels[key[0]]
                if not isinstance(answer, Exception) and queries.cut_off(query, answer):
                    feed.crowded.add(key)
                    cut[key] = queries.wider(panel, panel.targets[key[1]], scopes[key], pixels(panel, wanted.viewport))
                    scopes[key] = queries.newer_half(scopes[key])
                else:
                    answered[key] = query, answer
            pending = cut
        return Seen(
            start,
            end,
            frames.sites(found, dashboard.sites_regex) if not isinstance(found, Exception) else (),
            {panel.id: _data(panel, answered) for panel in panels.values()},
            at=time.time(),
        )


def pixels(panel: Panel, viewport: int) -> int:
    """How many points a panel can show side by side; on a phone it has the whole width."""
    share = 1.0 if viewport < PHONE else panel.width / GRID
    return max(50, int(viewport * share) - MARGINS)


PHONE = 800
"""Pixels below which panels stand below each other (board.css has the same)."""
MARGINS = 80
"""Pixels of a panel beside its chart."""


def _data(panel: Panel, answered: Mapping[tuple[int, int], tuple[Query, Any]]) -> Data:
    series: list[Frame] = []
    notes, reduced = [], False
    for place, target in enumerate(panel.targets):
        query, answer = answered[panel.id, place]
        if isinstance(answer, Exception):
            return Data(error=f"Redis refuses the query: {answer}")
        series += frames.frames(panel, target, answer)
        reduced = reduced or query.reduced
        if query.note:
            notes.append(query.note)
    return Data(tuple(series), ", ".join(dict.fromkeys(notes)), reduced=reduced)


def _newest(answer: Any) -> int:
    if isinstance(answer, Exception):
        return 0
    return max((int(point[0]) for _, _, point in answer if point), default=0)


def _without(last: Seen | None, error: str) -> Seen:
    if last is None:
        return Seen(0, 0, (), {}, error)
    return Seen(last.start, last.end, last.sites, last.panels, error, last.at)
