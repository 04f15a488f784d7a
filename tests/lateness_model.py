"""The too-late rule in plain Python, straight from its definition: one sensor, one reading after the other."""

from __future__ import annotations

from collections.abc import Sequence

DAY = 86_400_000
L = 2 * DAY + 10_000
B = 10_000


def too_late(stream: Sequence[int]) -> list[bool]:
    """For each ts (epoch ms) of one sensor, in the order of sending: is it too late?"""
    verdicts = []
    clock = None
    for ts in stream:
        if clock is None or ts > clock:
            clock = ts
        end_of_day = (ts // DAY + 1) * DAY
        verdicts.append(end_of_day + L <= clock - B)
    return verdicts
