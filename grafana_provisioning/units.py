"""What Grafana calls the units of the catalogue, and which quantity each of them measures."""

from __future__ import annotations

from typing import NamedTuple


class Unit(NamedTuple):
    """``id`` is Grafana's; it scales (62,400 ``watth`` are shown as 62.4 kWh). ``quantity`` is an axis' title."""

    id: str
    quantity: str


COUNT = Unit("none", "Events")
KNOWN = {
    "°C": Unit("celsius", "Temperature"),
    "Wh": Unit("watth", "Energy"),
    "L": Unit("litre", "Water"),
    "count": COUNT,
}


def unit(name: str) -> Unit:
    """Of a unit in the catalogue. One that Grafana has no id for stands behind the number as it is."""
    return KNOWN.get(name) or Unit(f"suffix: {name}", name)
