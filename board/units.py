"""Numbers as Grafana writes them: the units that the dashboards use, and times.

Grafana scales SI units by thousands, and without a number of decimals it shows three significant digits, and a whole
number as it is (``valueFormats`` of @grafana/data 11.6).
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import NamedTuple

SI = {"watth": "Wh", "litre": "L"}
FIXED = {"celsius": "°C", "none": "", "percent": "%"}
PREFIXES = ("µ", "m", "", "k", "M", "G", "T", "P")
THOUSAND = 1000.0
SHIFT = 2
"""Where in ``PREFIXES`` is none."""

SMALLEST = 1e-6
"""Below it numbers are written with an exponent."""


class Scale(NamedTuple):
    """One unit for all numbers of an axis: what they are divided by, and what stands behind them."""

    divisor: float
    symbol: str

    @property
    def behind(self) -> str:
        """What is written behind a number."""
        return self.symbol if self.symbol in ("", "%") else f" {self.symbol}"


def text(value: float, unit: str) -> str:
    """A number with its unit: 62400 ``watth`` are ``62.4 kWh``."""
    if unit.startswith("time:"):
        return time(value, day=True)
    scale = scaled(value, unit)
    number = fixed(value / scale.divisor)
    return number + scale.behind


def scaled(largest: float, unit: str) -> Scale:
    """The scale in which Grafana writes a number of this size."""
    symbol = SI.get(unit)
    if symbol is None:
        return Scale(1.0, FIXED[unit] if unit in FIXED else unit.removeprefix("suffix:").strip())
    if not largest or not math.isfinite(largest):
        return Scale(1.0, symbol)
    power = math.floor(math.log10(abs(largest)) / 3 + 1e-12)
    power = min(max(power, -SHIFT), len(PREFIXES) - 1 - SHIFT)
    return Scale(THOUSAND**power, PREFIXES[power + SHIFT] + symbol)


def fixed(value: float) -> str:
    """Three significant digits, more before the point if there are; a whole number without decimals."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "-∞"
    if value == int(value):
        return str(int(value))
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    factor = 10.0**decimals
    if abs(value) < SMALLEST:
        return f"{value:.3g}".replace("e-0", "e-")
    return f"{math.floor(value * factor + 0.5) / factor:.{decimals}f}"  # JavaScript rounds a half up


def time(milliseconds: float, *, day: bool = False) -> str:
    """An instant, UTC; with ``day`` its day alone."""
    instant = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return f"{instant:%Y-%m-%d}" if day else f"{instant:%Y-%m-%d %H:%M:%S}"


def duration(milliseconds: int) -> str:
    """A bucket in words: ``15 min``, ``2 h``, ``1 day``."""
    for size, name in ((86_400_000, "day"), (3_600_000, "h"), (60_000, "min"), (1000, "s")):
        if milliseconds >= size and milliseconds % size == 0:
            count = milliseconds // size
            return f"{count} {name}{'s' if name == 'day' and count > 1 else ''}"
    return f"{milliseconds} ms"
