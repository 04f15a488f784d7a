"""/metrics is served on loopback, and a process that cannot have its port goes on."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import psutil
import pytest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from infrastructure import metrics_endpoint
from scripts.stack.apart import free_ports


class Answer(Collector):
    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily("answer", "The answer.", labels=("of", "kind"))
        family.add_metric(("life", "deep"), 42)
        yield family


def test_what_is_served_can_be_read_on_loopback_alone() -> None:
    (port,) = free_ports(1)
    assert metrics_endpoint.read(port) is None
    assert metrics_endpoint.serve(Answer(), port, "IOT_X")
    found = metrics_endpoint.read(port)
    assert found is not None
    assert found["answer"] == {("deep", "life"): 42}
    assert found["process_resident_memory_bytes"][()] > 1e6
    listening = [c.laddr.ip for c in psutil.Process().net_connections() if c.laddr and c.laddr.port == port]
    assert set(listening) == {"127.0.0.1"}


def test_a_taken_port_is_a_warning_that_names_the_setting(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert not metrics_endpoint.serve(Answer(), port, "IOT_X")
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "Set another port, or 0 for none" in record.message
    assert (record.setting, record.port) == ("IOT_X", port)  # type: ignore[attr-defined]


def test_port_0_serves_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert not metrics_endpoint.serve(Answer(), 0, "IOT_X")
    assert metrics_endpoint.read(0) is None
    assert not caplog.records


def test_what_is_no_metrics_page_is_nothing() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert metrics_endpoint.read(other.getsockname()[1], seconds=0.1) is None
