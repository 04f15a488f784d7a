"""/metrics on 127.0.0.1, for Prometheus: serve it, and read that of another process."""

from __future__ import annotations

from collections.abc import Mapping

import requests
from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from infrastructure import logs

log = logs.get(__name__)

Samples = Mapping[str, Mapping[tuple[str, ...], float]]
"""Values by the sample's name and the values of its labels, in the order of the labels' names."""


def serve(collector: Collector, port: int, setting: str) -> bool:
    """Serve what ``collector`` gives, and what the process takes, in a thread; port 0 serves nothing.

    Returns whether it is served. A port that cannot be had is a warning which names ``setting``: a process that
    carries readings must not stop for its metrics.
    """
    if not port:
        return False
    registry = CollectorRegistry()
    registry.register(collector)
    ProcessCollector(registry=registry)
    try:
        start_http_server(port, "127.0.0.1", registry)
    except OSError as error:
        log.warning(
            "no /metrics: its port cannot be had; going on without. Set another port, or 0 for none",
            setting=setting,
            port=port,
            error=error.strerror,
        )
        return False
    log.info("serving metrics", url=f"http://127.0.0.1:{port}/metrics")
    return True


def read(port: int, seconds: float = 2.0) -> Samples | None:
    """What a process on this machine serves at ``port``; None when none answers in time, or with something else."""
    if not port:
        return None
    try:
        answer = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=seconds)
        answer.raise_for_status()
        found: dict[str, dict[tuple[str, ...], float]] = {}
        for family in text_string_to_metric_families(answer.text):
            for sample in family.samples:
                labels = tuple(value for _, value in sorted(sample.labels.items()))
                found.setdefault(sample.name, {})[labels] = sample.value
    except (requests.RequestException, ValueError):
        return None
    return found
