"""The rules on too-late readings and on duplicates in plain Python, straight from their definitions: one sensor, one
reading after the other."""

from __future__ import annotations

from collections.abc import Sequence

DAY = 86_400_000
L = 2 * DAY + 10_000
B = 10_000
C = 7 * DAY


def verdicts(stream: Sequence[int], memory: int = L + C) -> list[str | None]:
    """For each ts (epoch ms) of one sensor, in the order of sending: duplicate, too_late, or None where it counts.

    ``memory``: for how long after the end of a day its readings are remembered, ms.
    """
    found: list[str | None] = []
    clock = None
    seen = set()
    for ts in stream:
        if clock is None or ts > clock:
            clock = ts
        end_of_day = (ts // DAY + 1) * DAY
        if ts in seen and end_of_day + memory > clock - B:
            found.append("duplicate")
        elif end_of_day + L <= clock - B:
            found.append("too_late")
        else:
            found.append(None)
        seen.add(ts)
    return found


def too_late(stream: Sequence[int]) -> list[bool]:
    """For each ts of one sensor, in the order of sending: has its sensor's clock passed the end of its day by L + B?"""
    return [verdict == "too_late" for verdict in verdicts(stream, memory=-(10**15))]
