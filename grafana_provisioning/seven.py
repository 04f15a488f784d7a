"""The seven series that every view of the system shows first: five as charts, two as tables."""

from __future__ import annotations

from typing import NamedTuple

from topics.series import AGG_DAY, AGG_DAY_DIFF, AGG_DAY_REST, LATE_REJECTED, RAW


class View(NamedTuple):
    """A series of some site, by kind (as in ``topics.names.Series``) and sensor, and what it is, in a few words."""

    kind: str
    sensor: str
    what: str

    @property
    def title(self) -> str:
        """Its name in Redis at the default site; a raw series says so."""
        return f"{self.sensor} raw" if self.kind == RAW else self.kind + self.sensor


CHARTS = (
    View(RAW, "Etot", "energy meter, cumulative"),
    View(RAW, "Mov1", "motion"),
    View(AGG_DAY, "HVAC1", "air conditioning, sum of the day"),
    View(AGG_DAY_DIFF, "Wtot", "water meter, difference to the day before"),
    View(AGG_DAY_REST, "Etot", "energy beyond the known consumers"),
)
TABLES = (
    View(AGG_DAY, "TH1", "temperature, mean of the day"),
    View(LATE_REJECTED, "W1", "water readings that came too late"),
)
