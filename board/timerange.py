"""Which time a page shows: fixed, or following the newest data or the clock."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

DAY = 86_400_000
LAST = 253_402_300_799_999
"""The end of the year 9999, which is the last that dates know."""
RELATIVE = re.compile(r"(now|newest)(?:-(\d{1,4})d)?")


@dataclass(frozen=True)
class TimeRange:
    """As it stands in the page's address: each end an instant, ``now``, ``now-30d``, ``newest``, ``newest-7d``."""

    start: str
    end: str

    def __post_init__(self) -> None:
        start, end = self.resolved(0, 0)  # raises for what is no time
        if start > end and not (RELATIVE.fullmatch(self.start) or RELATIVE.fullmatch(self.end)):
            raise ValueError(f"the time range ends ({self.end}) before it starts ({self.start})")

    def resolved(self, now: int, newest: int) -> tuple[int, int]:
        """Both ends in epoch ms, both included; ``now`` and ``newest`` (of the data) are ms too.

        A range that follows the newest data consists of whole days, so that it stands still for a day.
        """
        return _instant(self.start, now, newest, start=True), _instant(self.end, now, newest, start=False)


def milliseconds(text: str) -> int:
    """Epoch ms of an instant: ISO 8601 (UTC without an offset), or epoch ms in digits.

    Raises ``ValueError`` that says what is wrong with it.
    """
    if re.fullmatch(r"\d{1,15}", text) and not re.fullmatch(r"\d{8}", text):
        found = int(text)
    else:
        try:
            instant = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{text!r} is no time: ISO 8601, for instance 2020-01-01, or epoch ms") from None
        instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant
        found = (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    if not 0 <= found <= LAST:
        raise ValueError(f"{text!r} is not between 1970 and 9999")
    return found


def day_end(day: str) -> int:
    """The last millisecond of a day, or the instant if it is not a day alone."""
    start = milliseconds(day)
    return start + DAY - 1 if re.fullmatch(r"\d{4}-\d{2}-\d{2}", day) else start


def _instant(text: str, now: int, newest: int, *, start: bool) -> int:
    found = RELATIVE.fullmatch(text)
    if not found:
        return milliseconds(text) if start else day_end(text)
    days = int(found[2] or 0)
    if found[1] == "now":
        return max(0, now - days * DAY)
    last = newest // DAY * DAY + DAY - 1
    return max(0, last + 1 - days * DAY) if start else last
