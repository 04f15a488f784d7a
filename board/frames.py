"""What Redis answers, as series and tables: what Grafana does between the plugin and a panel."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from board.dashboards import Json, Panel

MOST_ROWS = 1000
"""Rows of a table that are sent to a browser."""


@dataclass(frozen=True)
class Frame:
    """One series: the target that it is of, its name, and its points in the order of time (epoch ms)."""

    ref: str
    name: str
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Table:
    """Rows of an instant (epoch ms), then texts and numbers; ``left_out`` counts rows that are too many to be shown."""

    columns: tuple[str, ...]
    rows: tuple[tuple[int | float | str | None, ...], ...]
    left_out: int = 0


def frames(panel: Panel, target: Json, answer: Any) -> tuple[Frame, ...]:
    """The series in an answer to ``target``, by name; those without points are left out."""
    ref = str(target.get("refId", "A"))
    if target["command"] == "ts.range":
        named = [(str(target.get("value", "")), answer)]
    else:
        named = [
            (_name(target, dict(_texts(labels))), points if target["command"] == "ts.mrange" else [points])
            for _, labels, points in answer
        ]
    name_of = dict(panel.names)
    found = [
        Frame(ref, name_of.get(ref, name), tuple((int(point[0]), float(point[1])) for point in points if point))
        for name, points in named
    ]
    return tuple(sorted((frame for frame in found if frame.points), key=lambda frame: natural(frame.name)))


def reduced(calc: str, frame: Frame) -> float:
    """A calculation of Grafana over all points: ``lastNotNull``, ``sum`` or ``count``."""
    values = [value for _, value in frame.points]
    match calc:
        case "lastNotNull":
            return next(value for value in reversed(values) if value == value)  # noqa: PLR0124 - NaN is not itself
        case "sum":
            return sum(values)
        case "count":
            return float(len(values))
        case _:
            raise ValueError(f"not among the calculations that the dashboards use: {calc}")


def table(panel: Panel, found: Iterable[Frame]) -> Table:
    """The rows of a table panel: ``seriesToRows`` and ``organize``, then its sort."""
    series = list(found)
    if panel.rows:
        names: tuple[str, ...] = ("Time", "Metric", "Value")
        rows: list[tuple[int | float | str | None, ...]] = [
            (at, frame.name, value) for frame in series for at, value in frame.points
        ]
    else:
        names = ("time", *(frame.name for frame in series))
        rows = list(joined(series))
    wanted = panel.columns or tuple((name, name) for name in names)
    kept = [(names.index(name), title) for name, title in wanted if name in names]
    titles = tuple(title for _, title in kept)
    arranged = [tuple(row[place] for place, _ in kept) for row in rows]
    if panel.sort and panel.sort[0] in titles:
        place, largest_first = titles.index(panel.sort[0]), panel.sort[1]
        arranged.sort(key=lambda row: (row[place] is not None, row[place]), reverse=largest_first)
    return Table(titles, tuple(arranged[:MOST_ROWS]), max(0, len(arranged) - MOST_ROWS))


def values(found: Iterable[Frame]) -> Table:
    """What a chart shows, newest first: time, and a column for each series."""
    series = list(found)
    rows = list(joined(series))[::-1]
    columns = ("Time, UTC", *(frame.name for frame in series))
    return Table(columns, tuple(rows[:MOST_ROWS]), max(0, len(rows) - MOST_ROWS))


def joined(series: Iterable[Frame]) -> Iterator[tuple[int | float | str | None, ...]]:
    """One row an instant, one column a series, in the order of time."""
    columns = [dict(frame.points) for frame in series]
    for at in sorted(set().union(*columns)) if columns else ():
        yield (at, *(column.get(at) for column in columns))


def shares(found: Iterable[Frame]) -> tuple[Frame, ...]:
    """Each value in percent of what all series have at its instant."""
    series = list(found)
    whole: dict[int, float] = {}
    for frame in series:
        for at, value in frame.points:
            whole[at] = whole.get(at, 0.0) + value
    return tuple(
        Frame(f.ref, f.name, tuple((at, 100 * value / whole[at]) for at, value in f.points if whole[at]))
        for f in series
    )


def sites(answer: Any, pattern: re.Pattern[str]) -> tuple[str, ...]:
    """The choices of the variable: of every text in an answer, at any depth, what group 1 of the pattern is."""
    found = {match[1] for text in _every_text(answer) if (match := pattern.search(text))}
    return tuple(sorted(found, key=natural))


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts numbers in a text by their size."""
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", text) if part)


def _name(target: Json, labels: dict[str, str]) -> str:
    return labels.get(str(target.get("value") or target.get("legend", "")), "")


def _texts(labels: Any) -> Iterator[tuple[str, str]]:
    for label, value in labels:
        yield _text(label), "" if value is None else _text(value)


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _every_text(answer: Any) -> Iterator[str]:
    if isinstance(answer, (bytes, str)):
        yield _text(answer)
    elif isinstance(answer, (list, tuple)):
        for part in answer:
            yield from _every_text(part)
