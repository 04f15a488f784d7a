"""When a reading left its producer, by the wall clock: a header, from which the bridge tells the delay to Redis.

The record timestamp cannot tell it: a simulation stamps its records with simulated time. The first message of each
tick in each partition carries the header, at full speed of some ticks: on every one it would cost speed.
"""

from __future__ import annotations

from confluent_kafka import Message

HEADER = "sent"
"""Its value is in epoch milliseconds, in decimal digits."""

_LONGEST = 15


def header(now: float) -> tuple[str, bytes]:
    """The header of a message that is sent ``now``, epoch seconds."""
    return HEADER, b"%d" % (now * 1000)


def told_by(message: Message) -> float | None:
    """Epoch seconds at which a message was sent; None when it does not say."""
    for name, value in message.headers() or ():
        if name == HEADER and isinstance(value, bytes) and value.isdigit() and len(value) <= _LONGEST:
            return int(value) / 1000
    return None
