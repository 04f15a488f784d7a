"""The Redis command that the plugin sends for a target, word by word, as redis-datasource 2.2.0 makes it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any


def command(target: Mapping[str, Any], site: str, start: int, end: int) -> list[str]:
    """For a target of a dashboard whose variable ``site`` and whose range (epoch ms, both included) are these.

    Raises ``ValueError`` for a command that the dashboards do not use.
    """

    def chosen(field: str) -> str:
        return str(target.get(field, "")).replace("$site", site)

    if chosen("query"):  # runs as it is, whatever the rest says
        return shlex.split(chosen("query"))
    name, bucket = str(target["command"]), str(target.get("bucket", 0))
    aggregation = ["AGGREGATION", str(target["aggregation"]), bucket] if target.get("aggregation") else []
    selected = ["WITHLABELS", "FILTER", *shlex.split(chosen("filter"))]
    match name:
        case "ts.range":
            return [name, chosen("keyName"), str(start), str(end), *aggregation]
        case "ts.mrange":
            # Without an aggregation the plugin leaves its bucket behind, which Redis passes over.
            words = [name, str(start), str(end), *(aggregation or [bucket]), *selected]
            if label := target.get("tsGroupByLabel"):
                words += ["GROUPBY", str(label), "REDUCE", str(target.get("tsReducer", ""))]
            return words
        case "ts.mget":
            return [name, *selected]
        case _:
            raise ValueError(f"not among the commands that the dashboards use: {name}")
