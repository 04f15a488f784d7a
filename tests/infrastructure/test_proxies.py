"""Local addresses are asked directly, whatever the environment says of proxies; others through the proxy."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from infrastructure.home import ROOT
from infrastructure.proxies import LOCAL, keep_local_direct, through_proxy
from infrastructure.settings import Settings
from jobs import cluster

PROXIES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
ELSEWHERE = "http://grafana.example"


@dataclass
class Server:
    """An HTTP server that answers everything, and remembers what it was asked."""

    port: int
    asked: list[str] = field(default_factory=list)
    status: int = 200
    body: bytes = b'{"status":"ok","jobs":[]}'


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    """A proxy, and a server that is to be asked directly."""
    running = []

    def serve() -> Server:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                there.asked.append(self.path)
                self.send_response(there.status)
                self.send_header("Content-Length", str(len(there.body)))
                self.end_headers()
                self.wfile.write(there.body)

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        there = Server(server.server_port)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return there

    yield serve(), serve()
    for server in running:
        server.shutdown()
        server.server_close()


def behind(proxy: Server, variable: str, **others: str) -> dict[str, str]:
    """The environment of a process that somebody starts behind this proxy."""
    own = {n: v for n, v in os.environ.items() if n.lower() != "no_proxy" and n not in PROXIES and n[:4] != "IOT_"}
    return {**own, variable: f"http://127.0.0.1:{proxy.port}", **others}


def python(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


HOSTS = ("127.0.0.1", "127.0.0.2", "127.1.2.3", "localhost")

ASK = """
import sys
import requests
from infrastructure.proxies import keep_local_direct

keep_local_direct()
for url in sys.argv[1:]:
    assert requests.get(url, timeout=10).ok
"""


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_local_addresses_are_asked_directly_and_others_through_the_proxy(
    servers: tuple[Server, Server], variable: str
) -> None:
    proxy, local = servers
    environment = behind(proxy, variable)
    listening = ("127.0.0.1", "localhost")
    python(environment, "-c", ASK, *(f"http://{host}:{local.port}/{host}" for host in listening), f"{ELSEWHERE}/api")
    assert local.asked == [f"/{host}" for host in listening]
    assert proxy.asked == [f"{ELSEWHERE}/api"]


@pytest.mark.parametrize("given", [{}, {"no_proxy": "corp.example"}, {"NO_PROXY": "corp.example"}])
@pytest.mark.parametrize("host", [*HOSTS, "[::1]"])
def test_every_name_of_this_machine_is_local(monkeypatch: pytest.MonkeyPatch, host: str, given: dict[str, str]) -> None:
    from requests.utils import should_bypass_proxies

    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    keep_local_direct()
    assert should_bypass_proxies(f"http://{host}:8081/overview", no_proxy=None)
    assert should_bypass_proxies("http://corp.example/", no_proxy=None) == bool(given)
    assert not should_bypass_proxies("http://128.0.0.1/", no_proxy=None)


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (["-m", "jobs", "list"], "/jobs/overview"),
        (["-c", "from tests.infrastructure.test_proxies import *; health()"], "/health"),
    ],
)
def test_a_command_line_asks_this_machine_directly(
    servers: tuple[Server, Server], command: list[str], path: str
) -> None:
    proxy, local = servers
    python(behind(proxy, "http_proxy", IOT_FLINK=f"http://127.0.0.1:{local.port}"), *command)
    assert (local.asked, proxy.asked) == ([path], [])


def health() -> None:
    """A command line that asks for /health, and starts a process that does, as the local stack does."""
    import typer

    from commands import terminal

    app = typer.Typer()

    @app.command()
    def main() -> None:
        code = f"from infrastructure import health; assert health.read('{os.environ['IOT_FLINK']}') == []"
        subprocess.run([sys.executable, "-c", code], check=True)

    sys.argv = ["health"]
    terminal.run(app, "health")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({}, []),
        ({"no_proxy": ""}, []),
        ({"no_proxy": "a.example, b.example"}, ["a.example", "b.example"]),
        ({"NO_PROXY": "a.example"}, ["a.example"]),
        ({"no_proxy": "a.example", "NO_PROXY": "b.example,a.example"}, ["a.example", "b.example"]),
    ],
)
def test_what_the_user_has_excepted_stays_in_both_variables(given: dict[str, str], kept: list[str]) -> None:
    environment = dict(given)
    keep_local_direct(environment)
    assert environment == {name: ",".join([*kept, *LOCAL]) for name in ("no_proxy", "NO_PROXY")}
    before = dict(environment)
    keep_local_direct(environment)
    assert environment == before, "a process that another one has started adds nothing"


def test_who_wants_no_proxy_at_all_gets_none() -> None:
    environment = {"NO_PROXY": "*"}
    keep_local_direct(environment)
    assert environment == {"no_proxy": "*", "NO_PROXY": "*"}


@pytest.mark.parametrize(
    ("proxy", "name"),
    [("http://proxy.example:3128", "proxy.example:3128"), ("http://me:secret@proxy.example", "proxy.example")],
)
def test_an_error_names_the_proxy_without_its_login(monkeypatch: pytest.MonkeyPatch, proxy: str, name: str) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    said = through_proxy("http://flink.example:8081/overview")
    assert said == f". It is asked through the proxy {name}: if it is reached without one, put its name into no_proxy"
    assert through_proxy("http://127.0.0.1:8081/overview") == ""


def test_a_cluster_elsewhere_that_a_proxy_does_not_reach_is_told_with_the_proxy(
    servers: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, _ = servers
    proxy.status = 502
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
    with pytest.raises(cluster.ClusterError, match=f"answers 502 .*through the proxy 127.0.0.1:{proxy.port}"):
        cluster.jobs(Settings.of(env_file=None, flink="http://flink.example:8081"))
    proxy.status, proxy.body = 200, b"<html>"
    with pytest.raises(cluster.AwayError, match=r"http://flink\.example:8081 is no JobManager.*through the proxy"):
        cluster.jobs(Settings.of(env_file=None, flink="http://flink.example:8081"))


def test_the_tests_themselves_ask_this_machine_directly() -> None:
    for name in ("no_proxy", "NO_PROXY"):
        assert "*" in os.environ[name] or set(LOCAL) <= set(os.environ[name].split(","))
