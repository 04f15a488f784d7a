"""Times, durations and lists in the words of a message. What a program reads keeps its numbers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_MS = (datetime.min.replace(tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)
LAST_MS = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)
"""What a calendar of four digits holds, epoch ms."""

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
YEAR = 31_556_952_000
"""Of the Gregorian calendar, in the mean."""
UNITS = (("year", YEAR), ("month", YEAR // 12), ("day", DAY), ("hour", HOUR), ("minute", MINUTE), ("second", SECOND))

SHOWN = 10
"""Most items of a list that are named."""


def instant(ms: int) -> str:
    """An instant (epoch ms) as 2020-01-31 12:00 UTC; with seconds and milliseconds where they are not zero."""
    if not FIRST_MS <= ms <= LAST_MS:
        return f"a time {_beyond(ms)}"
    text = (EPOCH + timedelta(milliseconds=ms)).replace(tzinfo=None).isoformat(" ", "minutes")
    if rest := ms % MINUTE:
        text += f":{rest // SECOND:02}" + (f".{rest % SECOND:03}" if rest % SECOND else "")
    return f"{text} UTC"


def minute(ms: int) -> str:
    """The minute of an instant (epoch ms) as 2020-01-31 12:00 UTC, where more would be too much."""
    return instant(ms - ms % MINUTE)


def duration(ms: float) -> str:
    """A duration in its largest unit of which there are two: 45 seconds, 90 minutes, 9 years. Rounded down."""
    ms = abs(ms)
    for unit, size in UNITS:
        if ms >= 2 * size:
            return f"{int(ms // size):,} {unit}s"
    return "1 second" if ms >= SECOND else f"{int(ms)} ms"


def exact_duration(length: timedelta) -> str:
    """A duration of some setting, to the last: 9 days 10 seconds."""
    rest = length // timedelta(milliseconds=1)
    parts = []
    for unit, size in UNITS[2:]:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count:,} {unit}{'s' if count > 1 else ''}")
    return " ".join([*parts, *([f"{rest} ms"] if rest or not parts else [])])


def from_now(ms: int, now: int) -> str:
    """An instant, and how far it is from ``now`` (both epoch ms): 2036-02-07 06:28 UTC, 9 years ahead; or ago."""
    if ms == now:
        return f"{minute(ms)}, now"
    return f"{minute(ms)}, {duration(ms - now)} {'ahead' if ms > now else 'ago'}"


def of_another_unit(ts: int) -> str:
    """What a time (epoch ms) beyond the calendar may have been meant as; empty where nothing is near."""
    for unit, factor in (("microseconds", 1000), ("nanoseconds", 1_000_000)):
        if YEAR <= ts // factor < 200 * YEAR:
            return f"in {unit} it would be {minute(ts // factor)}, and milliseconds are expected"
    return ""


def listed(items: Sequence[str], most: int = SHOWN) -> str:
    """Items of a list, ``most`` of them by name."""
    more = len(items) - most
    return ", ".join(items[:most]) + (f" and {more:,} more" if more > 0 else "")


def elsewhere(what: str, found: Collection[str]) -> str:
    """Under which prefixes there are some (``what``), for somebody who has looked under another one."""
    if not found:
        return f"there are no {what} at all"
    if set(found) == {""}:
        return f"there are {what} without a prefix"
    names = listed([prefix or "(none)" for prefix in sorted(found)])
    return f"there are {what} with the prefix{'' if len(found) == 1 else 'es'} {names}"


def of_prefix(prefix: str) -> str:
    """What has this prefix."""
    return f"with the prefix {prefix}" if prefix else "without a prefix"


def _beyond(ms: int) -> str:
    return "after the year 9999" if ms > 0 else "before the year 1"
