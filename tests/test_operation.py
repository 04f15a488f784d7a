"""docs/operations/operation.md has every metric, with its labels; its snippets are YAML and name metrics that exist."""

from __future__ import annotations

import re
from collections import Counter

import pytest
import yaml
from prometheus_client.core import Metric

from infrastructure.home import ROOT
from infrastructure.settings import Settings
from ingest.metrics import BridgeMetrics, Counts
from jobs import metrics as job_metrics
from jobs.account import Account, Checkpoint, Task
from jobs.daily_aggregates import SPEC
from producer.metrics import ProducerMetrics
from producer.run import Progress
from producer.simulation import Simulation
from tests.producer.fake_kafka import FakePublisher
from topics import catalogue

SENSORS = catalogue.read(ROOT / "sensors.toml")
TEXT = (ROOT / "docs" / "operations" / "operation.md").read_text(encoding="utf-8")


class Lag:
    def __init__(self, *_: object) -> None:
        pass

    def partitions(self) -> list[tuple[str, int]]:
        return [("dailyAggr", 0)]

    def lag(self, _: object) -> Counter[str]:
        return Counter({"dailyAggr": 1})


@pytest.fixture
def families(monkeypatch: pytest.MonkeyPatch) -> list[Metric]:
    """Every metric of every process, of a system in which all have something to say."""
    monkeypatch.setattr("ingest.metrics.LagReader", Lag)
    monkeypatch.setattr("jobs.metrics.LagReader", Lag)
    monkeypatch.setattr(
        "jobs.metrics.account",
        lambda *_: Account("RUNNING", 0, 0, 1, 0, Checkpoint(0, 0, 0), 1, 1, 0, 0, [Task("Source", 1, 1, 0.5, 0.5)]),
    )
    monkeypatch.setattr(
        "jobs.cluster.ask", lambda *_: {"taskmanagers": 1, "slots-available": 1, "slots-total": 4, "jobs-running": 1}
    )
    settings = Settings.of(env_file=None)
    producer = ProducerMetrics(Simulation(SENSORS, 1, 0, ["home"]), FakePublisher(6), 1.0)
    producer.progress = Progress(1, 1, 0, 1, newest={"mean": 0})
    counts = Counts(settings, SENSORS)
    counts.newest["TH1"] = counts.days["AggDay"] = 0
    collectors = producer, BridgeMetrics(settings, counts), job_metrics.JobMetrics(settings, SPEC)
    return [family for collector in collectors for family in collector.collect()]


def test_the_table_has_every_metric_with_its_labels(families: list[Metric]) -> None:
    rows = TEXT.split("<!-- metrics -->\n")[1].split("<!-- /metrics -->")[0].splitlines()[2:]
    described = {}
    for name, labels, *_ in ([cell.strip() for cell in row.strip("|").split("|")] for row in rows):
        described[name] = {part.split(":")[0].strip() for part in labels.split(";") if part.strip()}
    wanted = {}
    for family in families:
        names = {label for sample in family.samples for label in sample.labels if label != "le"}
        histogram, counter = family.type == "histogram", family.type == "counter"
        wanted[family.name + ("_total" if counter else "")] = names | ({"h"} if histogram else set())
    assert described == wanted


def test_the_snippets_are_yaml_and_their_metrics_exist(families: list[Metric]) -> None:
    samples = {sample.name for family in families for sample in family.samples} | {family.name for family in families}
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]
    scrape, rules, _ = blocks
    targets = [target for config in scrape["scrape_configs"][0]["static_configs"] for target in config["targets"]]
    settings = Settings.of(env_file=None)
    ports = (settings.monitoring.job_port, settings.monitoring.producer_port, settings.monitoring.ingest_port)
    assert targets == [f"127.0.0.1:{port}" for port in ports]
    named = {name for rule in rules["groups"][0]["rules"] for name in re.findall(r"iot_\w+", rule["expr"])}
    assert named
    assert named <= samples
