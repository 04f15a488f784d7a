"""What a panel asks the plugin redis-datasource for.

A wrong field shows an empty panel and no error (``rules.py`` knows the traps), so targets are made here only.
Series are selected by their labels, never by key: the keys of the default site have no prefix.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import DataSourceRef

from grafana_provisioning import data_source

DATA_SOURCE = DataSourceRef(type_val=data_source.TYPE, uid=data_source.UID)


@dataclass
class Target(Dataquery, Builder["Target"]):
    """One query, in the plugin's own field names."""

    command: str
    filter: str
    legend: str
    value: str = ""
    more: dict[str, Any] = field(default_factory=dict)
    ref_id: str = "A"

    def build(self) -> Target:
        """The SDK wants builders."""
        return self

    def to_json(self) -> dict[str, Any]:
        """As it stands in the dashboard."""
        return {
            "refId": self.ref_id,
            "datasource": DATA_SOURCE.to_json(),
            "type": "timeSeries",
            "query": "",
            "command": self.command,
            "filter": self.filter,
            "legend": self.legend,
            **({"value": self.value} if self.value else {}),
            **self.more,
        }


def selection(kind: str, sensors: Iterable[str] = ()) -> str:
    """Filter for the chosen site's live series of a kind; of all sensors when none is given."""
    names = tuple(sensors)
    chosen = {0: "", 1: f"sensor={names[0]} " if names else ""}.get(len(names), f"sensor=({','.join(names)}) ")
    # Only series that somebody keeps beside the live ones carry the label `prefix`.
    return f"series={kind} {chosen}site=$site prefix="


def series(kind: str, *sensors: str, ref_id: str = "A", aggregation: str = "", bucket_ms: int = 0) -> Target:
    """The points of the dashboard's range, one line a sensor that has the sensor's name.

    Grafana calls a line by its frame (``legend``) and its field (``value``), and leaves out the frame where all frames
    are called alike: so with the site as legend the sensor's name alone remains, for one line as for many.
    With ``aggregation`` of buckets of ``bucket_ms``; a bucket is stamped with its start.
    """
    return Target("ts.mrange", selection(kind, sensors), "site", "sensor", _buckets(aggregation, bucket_ms), ref_id)


def total(kind: str, *sensors: str, aggregation: str = "", bucket_ms: int = 0) -> Target:
    """The same, added up over the sensors to one line that has the site's name."""
    grouping = {"tsGroupByLabel": "site", "tsReducer": "sum"}
    more = _buckets(aggregation, bucket_ms) | grouping
    # Of a group only `site`, `__reducer__` and `__source__` are labels.
    return Target("ts.mrange", selection(kind, sensors), "__reducer__", "site", more)


def rows(kind: str, *sensors: str) -> Target:
    """The points of the dashboard's range for a table of all sensors: seriesToRows takes the name of the frame."""
    return Target("ts.mrange", selection(kind, sensors), "sensor")


def newest(kind: str) -> Target:
    """The newest point of each series, whatever the dashboard's range, for a table of all sensors."""
    return Target("ts.mget", selection(kind), "sensor")


def _buckets(aggregation: str, bucket_ms: int) -> dict[str, Any]:
    return {"aggregation": aggregation, "bucket": bucket_ms} if aggregation else {}
