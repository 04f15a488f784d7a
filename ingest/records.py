"""What the bridge does with one Kafka record: a point to write, a point to retract, or a dead letter."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Self

import msgspec

from infrastructure.settings import Settings, milliseconds
from topics import results, wording
from topics.catalogue import Catalogue
from topics.decoding import decode_loosely, exact
from topics.reading import LATEST_TS, SITE, Heartbeat, Invalid, Reading, Rules, judge, wrong_number
from topics.series import DERIVED, LATE_REJECTED, RAW, Series

_FORM = "the key must be JSON with {}, and the value null, or JSON with these and {}"


class Point(msgspec.Struct, frozen=True, gc=False):
    """A value of a series at ``ts`` (epoch ms); ``value`` None retracts the point that is there.

    (A tuple would take five times as long to make.)
    """

    series: Series
    ts: int
    value: float | None


class Records:
    """Decodes the records of the topics. Nothing here raises for what the bytes are: that is an ``Invalid``."""

    def __init__(self, catalogue: Catalogue, future_tolerance_ms: int) -> None:
        self._rules = Rules(sensors=catalogue, future_tolerance_ms=future_tolerance_ms)
        self._sensors = catalogue
        self._raw: dict[tuple[str, str], Series] = {}
        """Raw series by site and sensor, of those that valid readings have named."""

    @classmethod
    def of(cls, settings: Settings, catalogue: Catalogue) -> Self:
        """As these settings want them decoded."""
        return cls(
            catalogue,
            future_tolerance_ms=milliseconds(settings.time.future_tolerance),
        )

    def reading(self, value: bytes | None, received: int) -> Point | Sequence[Point | Invalid]:
        """A record of dailyAggr or history that was received at ``received`` (epoch ms): a point of a raw series.

        Nothing for a heartbeat, and several items for an array of readings (topics/decoding.py).
        """
        found = exact(value)
        if found is None:
            items = decode_loosely(value, received, self._rules)
        else:
            # A name is judged once. Of millions of readings that halves the time which each takes.
            series = self._raw.get((found.site, found.sensor))
            if series is not None:
                wrong = wrong_number(found.ts, found.value, received, self._rules)
                return Point(series, found.ts, found.value) if wrong is None else (wrong,)
            items = [judge(Reading(found.site, found.sensor, found.ts, found.value), received, self._rules)]
        return [
            self._point(item) if isinstance(item, Reading) else item
            for item in items
            if not isinstance(item, Heartbeat)
        ]

    def _point(self, reading: Reading) -> Point:
        site, sensor, ts, value = reading
        series = self._raw.setdefault((site, sensor), Series(RAW, site, sensor))
        return Point(series, ts, value)

    def aggregate(self, key: bytes | None, value: bytes | None) -> Point | Invalid:
        """A record of flinkAggr. The point's time is the start of the day that it describes.

        Raises ``OldResultError`` for one in the form of before version 0.2.
        """
        try:
            named = results.result_key(key or b"")
            emitted = None if value is None else results.result(value)
        except (msgspec.DecodeError, ValueError):
            form = _FORM.format("series, site, sensor and day", "value and count")
            return Invalid("not_json", f"not an aggregate: {form}")
        if named.series not in DERIVED or not self._known(named.site, named.sensor):
            return Invalid(
                "unknown_sensor", f"no such series: {named.series[:80]} of {named.site[:80]}/{named.sensor[:80]}"
            )
        if emitted is not None and not isfinite(emitted.value):
            return Invalid("not_finite", "value is not a finite number")
        if not 0 <= named.day <= LATEST_TS:
            return Invalid("negative_ts", f"its day is {wording.instant(named.day)}, not between 1970 and 9999")
        return Point(Series(named.series, named.site, named.sensor), named.day, emitted.value if emitted else None)

    def rejected(self, key: bytes | None, value: bytes | None) -> Point | Invalid:
        """A record of lateRej: the rejected reading, at its own ts; null retracts a rejection."""
        try:
            emitted = None if value is None else results.rejected(value)
            reading = emitted or results.rejected_key(key or b"")
        except (msgspec.DecodeError, ValueError):
            return Invalid("not_json", f"not a rejected reading: {_FORM.format('site, sensor and ts', 'value')}")
        if (
            not self._known(reading.site, reading.sensor)
            or not 0 <= reading.ts <= LATEST_TS
            or (emitted is not None and not isfinite(emitted.value))
        ):
            return Invalid("unknown_sensor", f"no such series: rejected {reading.site[:80]}/{reading.sensor[:80]}")
        series = Series(LATE_REJECTED, reading.site, reading.sensor)
        return Point(series, reading.ts, emitted.value if emitted else None)

    def _known(self, site: str, sensor: str) -> bool:
        return sensor in self._sensors and SITE.fullmatch(site) is not None
