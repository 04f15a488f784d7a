"""Days: the tumbling windows of the aggregates, from midnight to midnight, UTC."""

from __future__ import annotations

DAY_MS = 24 * 60 * 60 * 1000


def day_of(ts: int) -> int:
    """Start of the day of an instant, both in epoch ms."""
    return ts - ts % DAY_MS
