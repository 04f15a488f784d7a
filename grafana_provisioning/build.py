"""The dashboards as JSON, as Grafana 11.6 knows it."""

from __future__ import annotations

import json
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana_provisioning import house, pipeline, rules
from topics.catalogue import Catalogue

SCHEMA_VERSION = 41
"""Of Grafana 11.6. The SDK writes that of Grafana 12, for whose changes 11.6 has no migration."""
UNKNOWN_TO_11_6 = {"auto", "auto_min", "auto_count", "placement"}
"""Fields that the SDK gives variables and links for a later Grafana."""


def dashboards(catalogue: Catalogue) -> dict[str, dict[str, Any]]:
    """The dashboards for these sensors, by the name of their file.

    Raises ``rules.BrokenRuleError`` for a panel that would stay empty without a word.
    """
    built = {
        f"{module.__name__.rpartition('.')[2]}.json": module.build(catalogue).build() for module in (house, pipeline)
    }
    result = {}
    for name, dashboard in built.items():
        content = json.loads(JSONEncoder().encode(dashboard))
        content["schemaVersion"] = SCHEMA_VERSION
        for number, panel in enumerate(content["panels"], start=1):
            panel["id"] = number
        for entry in (*content["templating"]["list"], *content["links"]):
            for field in UNKNOWN_TO_11_6 & entry.keys():
                del entry[field]
        rules.check(content, catalogue)
        result[name] = content
    return result


def text(dashboard: dict[str, Any]) -> str:
    """What the file of a dashboard holds."""
    return json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"
