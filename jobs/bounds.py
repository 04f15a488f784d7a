"""What a bounded run reads, and the days that it gives results for."""

from __future__ import annotations

from datetime import timedelta

import msgspec

NEVER = timedelta(days=36_500)
"""As long as no run lasts: what happens after it never does."""


class Bounds(msgspec.Struct, frozen=True):
    """The stretch of dailyAggr that a bounded run reads, and its days.

    ``source`` is the prefix of the topic, ``start`` and ``end`` are offsets by partition (end exclusive).
    ``first_day`` and ``last_day`` are starts of days in epoch ms, both inclusive: earlier readings are read for the
    sensors' clocks and for the difference to the day before alone. The windows stay open to the end of the run: none is
    purged.
    """

    source: str
    start: dict[int, int]
    end: dict[int, int]
    first_day: int
    last_day: int

    def encode(self) -> str:
        """As an argument of a command."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def decode(cls, text: str) -> Bounds:
        """The reverse of ``encode``. Raises ``ValueError`` for anything else."""
        return msgspec.json.decode(text, type=cls)
