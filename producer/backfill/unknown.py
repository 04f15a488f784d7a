"""Sensors that the catalogue does not know: how often they occur, and the lines that would make them known."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from producer.backfill.cells import Floats, Ints
from topics.catalogue import Catalogue

SAMPLE = 1_000
"""Readings of each sensor from which its cadence is guessed."""
NAMES = 10_000
"""Most sensors that are told apart. A file that names more has something else in that column."""
SHOWN = 20
"""Most sensors that are shown one by one."""

_TICK_MS = 15 * 60 * 1000
_DAY_MS = 24 * 60 * 60 * 1000
OTHERS = "(others)"


@dataclass
class _Sensor:
    count: int = 0
    ts: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)


class Unknown:
    """The unknown sensors of the files, with what their first readings look like."""

    def __init__(self) -> None:
        self._sensors: dict[str, _Sensor] = {}

    def __bool__(self) -> bool:
        return bool(self._sensors)

    @property
    def counts(self) -> dict[str, int]:
        """Readings of each unknown sensor, in the order in which the sensors came."""
        return {name: sensor.count for name, sensor in self._sensors.items()}

    def add(self, name: str, ts: Ints, value: Floats) -> None:
        """Take note of some readings, which may be none: of a column without a value."""
        if name not in self._sensors and len(self._sensors) >= NAMES:
            name = OTHERS
        sensor = self._sensors.setdefault(name, _Sensor())
        sensor.count += len(ts)
        wanted = SAMPLE - len(sensor.ts)
        if wanted > 0:
            sensor.ts += ts[:wanted].tolist()
            sensor.value += value[:wanted].tolist()

    def lines(self, catalogue: Catalogue) -> str:
        """What to do about them, with lines of TOML to be added to the catalogue.

        The unit is not in the data; cadence, aggregate and class are guesses.
        """
        possible = [name for name in self._sensors if name.isascii() and name.isalnum() and len(name) <= 64]
        parts = [_table(name, self._sensors[name], catalogue) for name in possible[:SHOWN]]
        if len(possible) > SHOWN:
            parts.append(f"# and {len(possible) - SHOWN:,} more like these")
        return "\n\n".join(parts)

    @property
    def impossible(self) -> list[str]:
        """Names that no sensor of the catalogue can have."""
        return [name for name in self._sensors if not (name.isascii() and name.isalnum() and len(name) <= 64)]


def _table(name: str, sensor: _Sensor, catalogue: Catalogue) -> str:
    # The wide form has columns of a second here and there: only instants that differ say something of the pace.
    ts, first = np.unique(np.array(sensor.ts, dtype=np.int64), return_index=True)
    steps = np.diff(ts)
    step = float(np.median(steps)) if len(steps) else _TICK_MS
    rising = np.diff(np.array(sensor.value)[first]) if len(steps) else np.zeros(0)
    cadence = "daily" if step > _DAY_MS / 2 else "15min" if abs(step - _TICK_MS) < _TICK_MS / 10 else "random"
    aggregate = "difference" if cadence == "daily" and len(rising) and (rising >= 0).all() else "mean"
    # A class of its own would move the other sensors to other partitions.
    classes = [known.partition_class for known in catalogue.values() if known.aggregate == aggregate]
    lines = [
        f"[{name}]",
        'unit = "?"  # the data do not say; this and all else is for you to check',
        f'cadence = "{cadence}"',
        f'aggregate = "{aggregate}"',
        f'class = "{(classes or catalogue.classes)[0]}"',
    ]
    # What the catalogue wants to know for the simulation.
    if cadence == "daily":
        per_day = float(np.median(rising)) if aggregate == "difference" else 0.0
        lines.append(f"per_day = {per_day if 0 < per_day < float('inf') else 1.0!r}")
    elif cadence == "random":
        lines.append(f"chance = {min(1.0, round(_TICK_MS / max(step, 1.0), 4)) or 0.0001}")
    return "\n".join(lines)
