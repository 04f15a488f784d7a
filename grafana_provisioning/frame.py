"""What all dashboards have in common: time range, refresh, choice of the house, links; and where panels stand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from grafana_foundation_sdk.builders import bargauge, stat, table, text, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, DashboardLink, QueryVariable, TimePicker
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from grafana_provisioning.targets import DATA_SOURCE
from topics.names import DEFAULT_SITE
from topics.series import RAW

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

TAG = "iot"
WIDTH, HEIGHT = 24, 8
"""Of Grafana's grid, and of a panel."""

# The simulation begins with 2020, and its first late readings are of 2019-12-23.
START = "2019-12-23T00:00:00.000Z"
END = "2020-02-01T00:00:00.000Z"
RANGES = (
    ("Simulation: first month", START, END),
    ("Simulation: first year", START, "2021-01-01T00:00:00.000Z"),
    ("Now: last 30 days", "now-30d", "now"),
)

SITES = f"TS.MRANGE 0 0 FILTER series={RAW} prefix= GROUPBY site REDUCE count"
"""The plugin answers with one flat list of all texts in Redis' answer. Grouping gives ``site=NAME`` for each site, also
for the default one, whose name is in no key; the range is empty, so that no points are read."""
SITES_REGEX = "/^site=(.+)$/"

Panel = timeseries.Panel | table.Panel | stat.Panel | bargauge.Panel | text.Panel


def frame(title: str, uid: str, description: str) -> Dashboard:
    """A dashboard without panels."""
    dashboard = Dashboard(title).uid(uid).description(description).tags([TAG])
    dashboard.timezone("utc").time(START, END).refresh("5s").tooltip(DashboardCursorSync.CROSSHAIR)
    dashboard.timepicker(TimePicker().refresh_intervals(["5s", "15s", "1m", "5m", "15m"]))
    dashboard.with_variable(
        QueryVariable("site")
        .label("House")
        .description("The site whose series are shown.")
        .datasource(DATA_SOURCE)
        .query(SITES)
        .regex(SITES_REGEX)
        .refresh(VariableRefresh.ON_DASHBOARD_LOAD)
        .sort(VariableSort.NATURAL_ASC)
        .current(VariableOption(text=DEFAULT_SITE, value=DEFAULT_SITE, selected=True))
    )
    dashboard.link(
        DashboardLink("Dashboards").type(DashboardLinkType.DASHBOARDS).tags([TAG]).include_vars(True).keep_time(True)
    )
    for name, start, end in RANGES:
        link = (
            DashboardLink(name).type(DashboardLinkType.LINK).url(f"/d/{uid}?from={_instant(start)}&to={_instant(end)}")
        )
        dashboard.link(link.icon("external link").include_vars(True))
    return dashboard


def lay_out(dashboard: Dashboard, panels: Sequence[Panel], columns: int) -> None:
    """Add panels in rows of ``columns``; those of the last row share its width."""
    for first in range(0, len(panels), columns):
        row = panels[first : first + columns]
        for panel in row:
            dashboard.with_panel(panel.span(WIDTH // len(row)).height(HEIGHT))


def _instant(time: str) -> str:
    """For an address: epoch ms, or a time relative to now as it is."""
    if time.startswith("now"):
        return time
    return str(int(datetime.fromisoformat(time).astimezone(UTC).timestamp()) * 1000)
