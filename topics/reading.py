"""What a valid reading is: the one table of cases that job, bridge and operations agree on.

Besides readings, dailyAggr carries heartbeats: readings of the reserved sensor ``heartbeat``, a publisher's word that
time has come this far in a partition whose sensors are silent. Without them a window would have to wait until the
silence has lasted for some wall time, and whatever that is, it is too short for a partition that was slow to be read.
"""

from __future__ import annotations

import re
from collections.abc import Container
from math import isfinite
from typing import NamedTuple

from topics import wording

HEARTBEAT = "heartbeat"
"""The sensor whose readings are heartbeats."""

LATEST_TS = 253_402_300_799_999
"""The last millisecond of the year 9999: a record can be stamped with any time, RedisTimeSeries holds 63 bits."""

_DIGITS = 25
"""Most digits of a time that a message shows: a record can have hundreds."""

SITE = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Reading(NamedTuple):
    """One measurement. ``ts`` is when it was measured: epoch milliseconds, UTC, event time."""

    site: str
    sensor: str
    ts: int
    value: float


class Heartbeat(NamedTuple):
    """Time has come this far in a partition; ``ts`` in epoch milliseconds."""

    ts: int


class Invalid(Exception):  # noqa: N818 - a verdict that is returned, not an error
    """Bytes that hold no valid reading.

    ``reason`` is one of the words that deadLetter carries (``REASONS``), the message says more.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


REASONS = (
    "not_json",
    "missing_field",
    "wrong_type",
    "not_finite",
    "negative_ts",
    "future_ts",
    "unknown_sensor",
    "malformed_site",
)


class Rules(NamedTuple):
    """What validity depends on besides the bytes: known sensors, and how far in the future a reading may be."""

    sensors: Container[str]
    future_tolerance_ms: int


def wrong_number(ts: int, value: float, received: int, rules: Rules) -> Invalid | None:
    """What is wrong with the numbers of a reading."""
    if not isfinite(value):
        return Invalid("not_finite", "value is not a finite number")
    if ts < 0:
        return before_1970(ts)
    if ts > LATEST_TS:
        return after_9999(ts)
    if ts - rules.future_tolerance_ms > received:
        ahead = wording.duration(ts - received)
        return Invalid("future_ts", f"ts is {wording.minute(ts)}, {ahead} after it was received")
    return None


def before_1970(ts: int) -> Invalid:
    """The verdict on a negative time."""
    return Invalid("negative_ts", f"ts {_shown(ts)} is before 1970: {wording.instant(ts)}")


def after_9999(ts: int) -> Invalid:
    """The verdict on a time that no calendar has."""
    hint = wording.of_another_unit(ts)
    return Invalid("future_ts", f"ts {_shown(ts)} is after the year 9999" + (f": {hint}" if hint else ""))


def _shown(ts: int) -> str:
    return str(ts)[:_DIGITS] + ("…" if len(str(ts)) > _DIGITS else "")


def judge(reading: Reading, received: int, rules: Rules) -> Reading | Heartbeat | Invalid:
    """The verdict on a decoded record; ``received`` as for ``decode``."""
    site, sensor, ts, value = reading
    if not SITE.fullmatch(site):
        return Invalid("malformed_site", f"site {site[:80]!r} does not match {SITE.pattern}")
    if sensor not in rules.sensors and sensor != HEARTBEAT:
        return Invalid("unknown_sensor", f"sensor {sensor[:80]!r} is not in the catalogue")
    if (wrong := wrong_number(ts, value, received, rules)) is not None:
        return wrong
    return Heartbeat(ts) if sensor == HEARTBEAT else reading
