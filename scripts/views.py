"""The seven views of the dashboard, as text: five small charts and two tables."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotext
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from grafana_provisioning.seven import CHARTS, TABLES
from infrastructure.settings import Settings
from scripts.oracle import Points
from topics.catalogue import Catalogue
from topics.names import DEFAULT_SITE
from topics.series import Series

HEIGHT = 8
ROWS = 14


def show(console: Console, stored: Mapping[str, Points], settings: Settings, catalogue: Catalogue) -> None:
    """Print the seven views."""
    for kind, sensor, what in CHARTS:
        key = Series(kind, DEFAULT_SITE, sensor).key(settings.prefix)
        console.print(f"\n[bold]{key}[/]  {what}, {catalogue[sensor].unit}", highlight=False)
        console.print(_chart(stored.get(key, {}), min(console.width, 100), points=sensor == "Mov1"))
    for kind, sensor, what in TABLES:
        key = Series(kind, DEFAULT_SITE, sensor).key(settings.prefix)
        console.print(f"\n[bold]{key}[/]  {what}, {catalogue[sensor].unit}", highlight=False)
        console.print(_table(stored.get(key, {}), catalogue[sensor].unit))


def _chart(values: Points, width: int, *, points: bool) -> Text:
    if not values:
        return Text("no points")
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plotsize(width, HEIGHT + 3)
    plotext.date_form("Y-m-d H:M:S", "d b")
    stamps = [f"{pd.Timestamp(ts, unit='ms'):%Y-%m-%d %H:%M:%S}" for ts in values]
    draw = plotext.scatter if points else plotext.plot
    draw(stamps, list(values.values()), marker="dot" if points else "braille")
    low, high = min(values.values()), max(values.values())
    plotext.ylim(low, high if high > low else low + 1)
    return Text.from_ansi(plotext.build())


def _table(values: Points, unit: str) -> Table:
    table = Table("time (UTC)", unit, box=box.SIMPLE_HEAD, pad_edge=False)
    table.columns[1].justify = "right"
    for ts, value in list(values.items())[:ROWS]:
        table.add_row(f"{pd.Timestamp(ts, unit='ms'):%Y-%m-%d %H:%M}", f"{value:,.2f}")
    if len(values) > ROWS:
        table.add_row(f"… {len(values) - ROWS} more", "")
    return table
