"""What a simulation has sent, as Prometheus metrics: read off the counts that it keeps anyway, when somebody asks.

docs/operations/operation.md has the table of the metrics.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from infrastructure.kafka.publisher import Publisher
from producer.run import Progress
from producer.simulation import Simulation


class ProducerMetrics(Collector):
    """The metrics of one run. Whoever runs it puts each report of its progress into ``progress``."""

    def __init__(self, simulation: Simulation, publisher: Publisher, ticks_per_second: float | None) -> None:
        self.progress = Progress(0, 0, 0, 0)
        self._simulation = simulation
        self._publisher = publisher
        self._target = inf if ticks_per_second is None else ticks_per_second

    def collect(self) -> Iterator[Metric]:
        """Every metric."""
        publisher, progress = self._publisher, self.progress
        heartbeats, sent = publisher.heartbeats, publisher.sent
        messages = CounterMetricFamily("iot_producer_sent", "Messages sent.", labels=("kind",))
        messages.add_metric(("reading",), sent - heartbeats)
        messages.add_metric(("heartbeat",), heartbeats)
        yield messages
        for name, text, count in (
            ("acknowledged", "Messages that the broker has, heartbeats included.", publisher.acknowledged),
            ("refused", "Messages that were given up.", publisher.failed),
            ("waited_seconds", "Time in which the broker was slower than the producer.", publisher.waited),
        ):
            yield CounterMetricFamily(f"iot_producer_{name}", text, count)
        for name, text, value in (
            ("in_flight_messages", "Messages sent and not answered yet.", publisher.pending),
            ("target_ticks_per_second", "The pace that was asked for; +Inf is as fast as the broker.", self._target),
            ("behind_seconds", "How far the run lags behind that pace.", progress.behind),
            (
                "simulated_timestamp_seconds",
                "How far simulated time has come, epoch seconds.",
                self._simulation.time(progress.tick) / 1000,
            ),
        ):
            yield GaugeMetricFamily(f"iot_producer_{name}", text, value)
        newest = GaugeMetricFamily(
            "iot_producer_last_event_timestamp_seconds", "Largest ts sent, epoch seconds.", labels=("class",)
        )
        for name, ts in progress.newest.items():
            newest.add_metric((name,), ts / 1000)
        yield newest
