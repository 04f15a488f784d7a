"""The header ``produced_at``: when a record left its publisher, by the publisher's clock.

The record timestamp is when the broker received it. The bridge measures from here to Redis. Of many records that are
published at once the first ones carry the header: on each it would cost speed.
"""

from __future__ import annotations

from collections.abc import Iterable

HEADER = "produced_at"
"""Its value is in epoch milliseconds, in decimal digits."""

_LONGEST = 15


def header(now: float) -> tuple[str, bytes]:
    """The header of a record that is published ``now``, epoch seconds."""
    return HEADER, b"%d" % (now * 1000)


def told_by(headers: Iterable[tuple[str, object]] | None) -> float | None:
    """Epoch seconds at which a record was published; None when its headers do not say."""
    for name, value in headers or ():
        if name == HEADER and isinstance(value, bytes) and value.isdigit() and len(value) <= _LONGEST:
            return int(value) / 1000
    return None
