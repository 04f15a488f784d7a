"""The records of flinkAggr and lateRej: what the job says of a day, and of a reading that it rejects."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from topics.names import AGG_DAY_DIFF

MERGED = "merged"
"""Header of a result that came from a backfill; its value is the backfill's prefix."""


class AggregateKey(msgspec.Struct, frozen=True):
    """Names an aggregate. ``window_start`` is written as Flink writes a TIMESTAMP_LTZ."""

    series: str
    site: str
    sensor: str
    window_start: str


class Aggregate(AggregateKey, frozen=True):
    """An aggregate; a null record withdraws the one of its key."""

    window_end: str
    value: float
    count: int


class RejectedKey(msgspec.Struct, frozen=True):
    """Names a rejected reading; ``ts`` is in epoch ms."""

    site: str
    sensor: str
    ts: int


class Rejected(RejectedKey, frozen=True):
    """A rejected reading; a null record takes the rejection of its key back."""

    value: float


aggregate_key = msgspec.json.Decoder(AggregateKey).decode
aggregate = msgspec.json.Decoder(Aggregate).decode
rejected_key = msgspec.json.Decoder(RejectedKey).decode
rejected = msgspec.json.Decoder(Rejected).decode
"""These four raise ``msgspec.DecodeError`` (a ``ValueError``) for what is no such record."""


class Days:
    """Which day an aggregate describes."""

    def __init__(self, before_ms: int) -> None:
        """``before_ms``: how much longer the sliding window is than a day."""
        self._before = {AGG_DAY_DIFF: before_ms}

    def of(self, key: AggregateKey) -> int:
        """Start of the day in epoch ms. Raises ``ValueError`` for a malformed ``window_start``."""
        start = datetime.strptime(key.window_start, "%Y-%m-%d %H:%M:%SZ").replace(tzinfo=UTC)
        return int(start.timestamp()) * 1000 + self._before.get(key.series, 0)
