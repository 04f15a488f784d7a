"""The job's metrics for Prometheus, from Flink's REST API.

Flink has a Prometheus reporter of its own, which listens on every address of the machine (its only option is the port),
and the local stack listens on 127.0.0.1 alone, if no setting says otherwise. It also has thousands of series; these are
the ones to watch. docs/operations/operation.md has their table, and how to switch Flink's own on.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

from confluent_kafka import KafkaException
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from infrastructure import metrics_endpoint
from infrastructure.kafka.lag import LagReader
from infrastructure.settings import Settings
from jobs import cluster, health
from jobs.account import Account, account
from jobs.spec import JobSpec
from topics.errors import UserError


def serve(settings: Settings, spec: JobSpec) -> None:
    """Serve the metrics, and the job's health, at ``job_metrics`` until SIGTERM or Ctrl-C.

    Raises ``UserError`` when the port cannot be had, since this process has nothing else to do.
    """
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    monitoring = settings.monitoring
    if not metrics_endpoint.serve(
        JobMetrics(settings, spec),
        monitoring.host,
        monitoring.job_port,
        "IOT_JOB_METRICS",
        lambda: list(health.reasons(settings, health.look(settings, spec))),
    ):
        raise UserError(
            "no metrics of the job are served: set IOT_JOB_METRICS to a port that is free, and IOT_METRICS_HOST to an "
            "address of this machine"
        )
    done.wait()


class JobMetrics(Collector):
    """Asks Flink and Kafka when it is asked itself. What does not answer has no metrics, apart from a 0 for the job."""

    def __init__(self, settings: Settings, spec: JobSpec) -> None:
        self._settings = settings
        self._spec = spec
        self._readings = settings.prefix + spec.reads
        self._lag = LagReader(settings, settings.job.group)

    def collect(self) -> Iterator[Metric]:
        """Every metric."""
        try:
            found = account(self._settings, self._spec)
        except cluster.ClusterError:
            found = None
        running = GaugeMetricFamily("iot_job_running", "1 when every task of the job runs.", bool(found and found.runs))
        yield running
        if found:
            yield from _job(found)
        yield from self._cluster()
        yield from self._lags()

    def _cluster(self) -> Iterator[Metric]:
        try:
            overview = cluster.ask(self._settings, "/overview")
        except cluster.ClusterError:
            return
        yield GaugeMetricFamily("iot_flink_taskmanagers", "TaskManagers that are there.", overview["taskmanagers"])
        slots = GaugeMetricFamily("iot_flink_slots", "Task slots.", labels=("state",))
        slots.add_metric(("free",), overview["slots-available"])
        slots.add_metric(("taken",), overview["slots-total"] - overview["slots-available"])
        yield slots

    def _lags(self) -> Iterator[Metric]:
        try:
            lag = self._lag.lag([partition for partition in self._lag.partitions() if partition[0] == self._readings])
        except KafkaException:
            self._lag.forget()
            return
        family = GaugeMetricFamily(
            "iot_job_lag_records", "Records that are in no checkpoint of the job yet.", labels=("topic",)
        )
        for topic, count in lag.items():
            family.add_metric((topic,), count)
        yield family


def _job(found: Account) -> Iterator[Metric]:
    yield CounterMetricFamily("iot_job_restarts", "Restarts after a failure.", found.restarts)
    checkpoints = CounterMetricFamily("iot_job_checkpoints", "Checkpoints.", labels=("outcome",))
    checkpoints.add_metric(("completed",), found.completed_checkpoints)
    checkpoints.add_metric(("failed",), found.failed_checkpoints)
    yield checkpoints
    if newest := found.checkpoint:
        for name, text, value in (
            ("timestamp_seconds", "When the newest checkpoint was completed, epoch seconds.", newest.completed),
            ("duration_seconds", "How long it took.", newest.duration),
            ("size_bytes", "The state in it.", newest.size),
        ):
            yield GaugeMetricFamily(f"iot_job_checkpoint_{name}", text, value)
    readings = CounterMetricFamily(
        "iot_job_readings", "Readings judged since the tasks were started.", labels=("verdict",)
    )
    for verdict, count in (("accepted", found.accepted), ("rejected", found.rejected), ("dropped", found.dropped)):
        readings.add_metric((verdict,), count)
    yield readings
    if found.watermark is not None:
        yield GaugeMetricFamily(
            "iot_job_watermark_timestamp_seconds", "Watermark of the daily windows.", found.watermark / 1000
        )
    busy = GaugeMetricFamily("iot_job_busy_ratio", "Share of time that its busiest instance works.", labels=("task",))
    waits = GaugeMetricFamily(
        "iot_job_backpressured_ratio", "Share of time that one waits for the next task.", labels=("task",)
    )
    for task in found.tasks:
        busy.add_metric((task.name,), task.busy)
        waits.add_metric((task.name,), task.backpressured)
    yield busy
    yield waits
