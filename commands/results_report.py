"""What replay and merge tell the user."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from operations.replay import day_text
from operations.results import Change, Results
from topics.series import LATE_REJECTED, OF_NAME, RAW, Series

SHOWN = 20


def summary(console: Console, what: str, days: Sequence[int], rows: Iterable[tuple[int, str]]) -> None:
    """Counts, and the days that they are about (start, epoch ms)."""
    span = f"{day_text(days[0])} to {day_text(days[-1])}" if days else "none"
    console.print(f"{len(days):>14,}  {what}: {span}")
    for number, name in rows:
        console.print(f"{number:>14,}  {name}")


def compared(
    console: Console,
    old: Results,
    new: Results,
    changes: Sequence[Change],
    names: tuple[str, str],
    shown: int | None = SHOWN,
) -> None:
    """How two sets of results compare, by kind of series, and the first changes point by point, unless all is new.

    ``names`` are those of old and new, for the columns' heads; ``shown`` is how many changes are, None: all.
    """
    kinds = [kind for kind in OF_NAME if kind != RAW]
    total = Counter(r.point.series for r in {**old.found, **new.found}.values())
    seen = Counter((change.point.series, _kind(change)) for change in changes)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("series")
    for head in ("the same", "changed", "new", "gone"):
        table.add_column(head, justify="right")
    for kind in kinds:
        if total[kind]:
            numbers = [seen[kind, what] for what in ("changed", "new", "gone")]
            table.add_row(kind, *(f"{n:,}" for n in (total[kind] - sum(numbers), *numbers)))
    console.print(table)
    if any(change.old is not None for change in changes):
        _points(console, changes, names, shown)


def _points(console: Console, changes: Sequence[Change], names: tuple[str, str], shown: int | None) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in ("series", "time (UTC)"):
        table.add_column(head, no_wrap=True)
    for head in (*names, "readings"):
        table.add_column(head, justify="right", no_wrap=True)
    for change in changes[:shown]:
        series, site, sensor, day, ts = change.point
        time = f"{datetime.fromtimestamp(ts / 1000, UTC):%Y-%m-%d %H:%M}"
        table.add_row(
            Series(series, site, sensor).key(),
            time if ts > day else day_text(day),
            *("–" if result is None else f"{result.value:.10g}" for result in (change.old, change.new)),
            _readings(change),
        )
    console.print()
    console.print(table)
    if shown is not None and len(changes) > shown:
        console.print(f"… and {len(changes) - shown:,} more")


def _readings(change: Change) -> str:
    if change.point.series == LATE_REJECTED:
        return ""
    return " → ".join("–" if result is None else f"{result.readings:,}" for result in (change.old, change.new))


def _kind(change: Change) -> str:
    if change.old is None:
        return "new"
    return "gone" if change.new is None else "changed"
