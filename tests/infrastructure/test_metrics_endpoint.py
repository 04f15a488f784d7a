"""/metrics and /health: where they are served, what they answer, and that a process without them goes on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
import requests
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from infrastructure import health, metrics_endpoint
from infrastructure.settings import Settings
from scripts.stack.apart import free_ports
from tests.running import wait_for
from topics.errors import UserError

DEFAULT = Settings.of(env_file=None).monitoring.host


class Answer(Collector):
    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily("answer", "The answer.", labels=("of", "kind"))
        family.add_metric(("life", "deep"), 42)
        yield family


def well() -> list[str]:
    return []


def served(host: str = DEFAULT, health: health.Health = well) -> int:
    """Serve on a free port, and return it."""
    (port,) = free_ports(1)
    assert metrics_endpoint.serve(Answer(), host, port, "IOT_X", health)
    return port


def listening(port: int) -> set[str]:
    return {c.laddr.ip for c in psutil.Process().net_connections() if c.laddr and c.laddr.port == port and not c.raddr}


def asked(url: str, host: str = "127.0.0.1") -> requests.Response:
    return requests.get(url, headers={"Host": host}, timeout=10)


def test_what_is_served_can_be_read() -> None:
    port = served()
    found = metrics_endpoint.read(f"http://127.0.0.1:{port}")
    assert found is not None
    assert found["answer"] == {("deep", "life"): 42}
    assert found["process_resident_memory_bytes"][()] > 1e6


def test_by_default_it_listens_on_loopback_and_answers_no_foreign_name() -> None:
    port = served()
    assert listening(port) == {"127.0.0.1"}
    for path in ("/metrics", "/health"):
        url = f"http://127.0.0.1:{port}{path}"
        for name in ("127.0.0.1", "localhost", f"LocalHost:{port}"):
            assert asked(url, name).status_code == 200
        for name in ("elsewhere.example", "127.0.0.1.elsewhere.example", "[", f"192.168.0.2:{port}"):
            refused = asked(url, name)
            assert refused.status_code == 400, name
            assert "answer 42" not in refused.text


@pytest.mark.parametrize(
    ("host", "addresses", "local"),
    [
        ("127.0.0.2", {"127.0.0.2"}, "127.0.0.2"),
        ("0.0.0.0", {"0.0.0.0"}, "127.0.0.1"),
        ("localhost", {"127.0.0.1"}, "localhost"),
    ],
)
def test_it_listens_where_the_setting_says(host: str, addresses: set[str], local: str) -> None:
    port = served(host)
    assert listening(port) <= addresses | {"::1"}
    monitoring = Settings.of(env_file=None, metrics_host=host, job_metrics=port, ingest_metrics=0).monitoring
    assert (monitoring.job_url, monitoring.ingest_url) == (f"http://{local}:{port}", "")
    assert metrics_endpoint.read(monitoring.job_url) is not None
    assert asked(f"{monitoring.job_url}/health", local).status_code == 200


def test_on_every_address_it_answers_under_any_name() -> None:
    port = served("0.0.0.0")
    assert asked(f"http://127.0.0.1:{port}/metrics", "bridge.example:9252").status_code == 200


def test_an_address_of_ipv6_is_written_in_brackets() -> None:
    monitoring = Settings.of(env_file=None, metrics_host="::").monitoring
    assert monitoring.ingest_url == "http://[::1]:9252"


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(UserError, match="IOT_METRICS_HOST"):
        Settings.of(env_file=None, metrics_host="http://127.0.0.1")


def test_health_is_ok_or_says_why_not() -> None:
    reasons = list[str]()
    url = f"http://127.0.0.1:{served(health=lambda: reasons)}"
    answer = requests.get(f"{url}/health", timeout=10)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["Content-Type"] == "application/json"
    assert health.read(url) == []
    reasons += ["Redis is away", "it is late"]
    answer = requests.get(f"{url}/health", timeout=10)
    assert (answer.status_code, answer.json()) == (503, {"status": "not well", "reasons": reasons})
    assert health.read(url) == reasons


def test_there_is_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{served()}"
    for path in ("", "/metrics/", "/health/x", "/favicon.ico"):
        assert requests.get(url + path, timeout=10).status_code == 404
    assert requests.post(f"{url}/health", timeout=10).status_code == 405
    assert capfd.readouterr().err == "", "requests are not logged"


def test_who_hangs_up_is_no_error(capfd: pytest.CaptureFixture[str]) -> None:
    port = served()
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # it resets the connection
        wait_for(
            lambda: any(c.raddr and c.raddr.port == client.getsockname()[1] for c in established(port)), "a client"
        )
    wait_for(lambda: not established(port), "the client to be gone")
    assert metrics_endpoint.read(f"http://127.0.0.1:{port}") is not None
    assert capfd.readouterr().err == ""


def established(port: int) -> list[Any]:
    return [c for c in psutil.Process().net_connections() if c.laddr and c.laddr.port == port and c.raddr]


def test_a_taken_port_is_a_warning_that_names_the_setting(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert not metrics_endpoint.serve(Answer(), DEFAULT, port, "IOT_X", well)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "set another one, or 0 for none" in record.message
    assert (record.setting, record.port) == ("IOT_X", port)  # type: ignore[attr-defined]


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_a_warning_that_names_the_setting(
    host: str, caplog: pytest.LogCaptureFixture
) -> None:
    (port,) = free_ports(1)
    assert not metrics_endpoint.serve(Answer(), host, port, "IOT_X", well)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "set one that is" in record.message
    assert (record.setting, record.host) == ("IOT_METRICS_HOST", host)  # type: ignore[attr-defined]


def test_port_0_serves_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert not metrics_endpoint.serve(Answer(), DEFAULT, 0, "IOT_X", well)
    assert metrics_endpoint.read("") is None
    assert health.read("") is None
    assert not caplog.records


def test_what_is_no_metrics_page_is_nothing() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        url = f"http://127.0.0.1:{other.getsockname()[1]}"
        assert metrics_endpoint.read(url, seconds=0.1) is None
        assert health.read(url, seconds=0.1) is None
