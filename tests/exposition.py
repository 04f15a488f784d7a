"""What a Prometheus server would see of a collector, and whether it would find fault with it."""

from __future__ import annotations

import re

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

Labels = frozenset[tuple[str, str]]


def samples(text: str) -> dict[tuple[str, Labels], float]:
    """Each sample of an exposition, by its name and labels. Fails for what `promtool check metrics` would not like."""
    found: dict[tuple[str, Labels], float] = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation.endswith("."), family.name
        assert re.fullmatch(r"[a-z][a-z0-9_]*", family.name), family.name
        for sample in family.samples:
            if family.type == "counter":
                assert sample.name.endswith("_total"), sample.name
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found, f"{key} is there twice"
            found[key] = sample.value
            assert not {"site", "sensor"} & sample.labels.keys(), "an unbounded label"
    return found


def exposed(collector: Collector) -> dict[tuple[str, Labels], float]:
    """What a collector gives at this moment."""
    registry = CollectorRegistry()
    registry.register(collector)
    return samples(generate_latest(registry).decode())


def of(found: dict[tuple[str, Labels], float], name: str) -> dict[str, float]:
    """The values of a metric, by the value of its only label, or by "" where it has none."""
    return {
        next((value for _, value in labels), ""): number for (each, labels), number in found.items() if each == name
    }
