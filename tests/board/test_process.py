"""The board as a process: of the local stack, and on its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from pydantic import SecretStr
from rich.console import Console

from board.server import serve
from infrastructure.home import ROOT
from infrastructure.settings import Settings
from scripts.stack.apart import free_ports
from scripts.stack.processes import Process, processes
from scripts.stack.supervision import Stack
from scripts.stack.system import where_to_look
from tests.running import wait_for
from topics.errors import UserError

ADDRESS = "http://127.0.0.1:18000"
DEFAULT = Settings.of(env_file=None).board
SECRETS: dict[str, Any] = {
    name: SecretStr(f"the-{name}")
    for name in ("kafka_password", "redis_ingest_password", "redis_viewer_password", "grafana_token")
}


def settings(directory: Path, board: str = ADDRESS) -> Settings:
    return Settings.of(env_file=None, data_dir=directory, board=board, **SECRETS)


def of_stack(chosen: Settings) -> Process | None:
    return next((process for process in processes(chosen) if process.name == "board"), None)


def test_it_is_given_the_viewers_password_and_no_other(tmp_path: Path) -> None:
    process = of_stack(settings(tmp_path))
    assert process is not None
    given = {name for name, value in process.environment.items() if value.startswith("the-")}
    assert given == {"IOT_REDIS_VIEWER_PASSWORD"}
    assert process.environment["IOT_KAFKA_PASSWORD"] == ""  # or the shell's would be passed on
    assert process.ports == (18000,)


def test_it_is_supervised_and_reads_as_viewer(stack: Stack) -> None:
    [port] = free_ports(1)
    process = of_stack(stack.settings.replace(board=f"http://127.0.0.1:{port}"))
    assert process is not None
    stack.add(process)
    try:
        stack.start("board")
        wait_for(process.ready, "the board")
        assert requests.get(f"http://127.0.0.1:{port}/api/latest", timeout=30).json() == []
        assert requests.get(f"http://127.0.0.1:{port}/api/range?key=TH1", timeout=30).status_code == 404
        environment = psutil.Process(stack.pid("board")).environ()
        assert not [name for name, value in environment.items() if "PASSWORD" in name and value]
    finally:
        stack.stop("board")
        stack.remove("board")


def test_without_an_address_there_is_none(tmp_path: Path) -> None:
    assert of_stack(settings(tmp_path, "")) is None
    environment = {**os.environ, "IOT_BOARD": ""}
    done = subprocess.run(
        [sys.executable, "-m", "board"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "IOT_BOARD" in done.stderr


@contextmanager
def alone(directory: Path, host: str = "127.0.0.1", hosts: str = "") -> Iterator[Settings]:
    """A board whose Redis is away, as a process."""
    port, nobody = free_ports(2)
    chosen = settings(directory, f"http://{host}:{port}").replace(
        board_hosts=hosts, redis=f"redis://127.0.0.1:{nobody}/0"
    )
    running = subprocess.Popen(
        [sys.executable, "-m", "board"],
        cwd=ROOT,
        env={**os.environ, **chosen.environment(only_redis_as_viewer=True)},
    )
    try:
        wait_for(lambda: listening(port), "the board")
        yield chosen
    finally:
        running.terminate()
        running.wait()


def listening(port: int) -> set[str]:
    """The addresses on which somebody listens on a port."""
    found = psutil.net_connections("tcp")
    return {c.laddr.ip for c in found if c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port}


def status(board: Settings, name: str, path: str = "openapi.json", **headers: str) -> int:
    """Of the answer to a request under a name, which comes with the port."""
    url = f"{board.board.local_url}/{path}"
    return requests.get(url, headers={"Host": f"{name}:{board.board.port}", **headers}, timeout=30).status_code


FOREIGN = ("elsewhere.example", "192.168.0.2", "0.0.0.0", "localhost.elsewhere.example")


def test_by_default_it_listens_on_loopback_and_answers_no_foreign_name(tmp_path: Path) -> None:
    assert (DEFAULT.url, DEFAULT.hosts) == ("http://127.0.0.1:8000", "")
    with alone(tmp_path, DEFAULT.host, DEFAULT.hosts) as board:
        assert listening(board.board.port) == {"127.0.0.1"}
        for path in ("openapi.json", "health", "api/series", "_nicegui_ws/socket.io/?EIO=4&transport=polling"):
            assert [status(board, name, path) for name in FOREIGN] == [400] * len(FOREIGN)
        assert [status(board, name) for name in ("127.0.0.1", "localhost")] == [200, 200]


def test_another_address_is_listened_on_and_answered_to(tmp_path: Path) -> None:
    with alone(tmp_path, "127.0.0.2", "board.example") as board:
        assert listening(board.board.port) == {"127.0.0.2"}
        assert [status(board, name) for name in ("127.0.0.2", "board.example", "BOARD.example")] == [200] * 3
        assert [status(board, name) for name in FOREIGN] == [400] * len(FOREIGN)
        guarded(board, "127.0.0.2")


def test_on_every_address_it_answers_to_the_names_that_are_given(tmp_path: Path) -> None:
    with alone(tmp_path, "0.0.0.0", "board.example,192.0.2.7") as board:
        assert listening(board.board.port) == {"0.0.0.0"}
        named = ("board.example", "192.0.2.7", "127.0.0.1", "localhost")
        assert [status(board, name) for name in named] == [200] * len(named)
        assert [status(board, name) for name in FOREIGN] == [400] * len(FOREIGN)
        guarded(board, "board.example")


def guarded(board: Settings, name: str) -> None:
    """A page from elsewhere gets nothing, under the new name too, and every answer says what a page may load."""
    port = board.board.port
    assert status(board, name, Origin=f"http://{name}:{port}") == 200
    for origin in ("http://elsewhere.example", f"http://{name}", f"http://127.0.0.1:{port + 1}", "null"):
        assert status(board, name, Origin=origin) == 403
    answer = requests.get(f"{board.board.local_url}/health", headers={"Host": f"{name}:{port}"}, timeout=30)
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert not [each for each in answer.headers if each.lower().startswith("access-control")]


def test_without_redis_its_health_says_so(tmp_path: Path) -> None:
    with alone(tmp_path) as board:
        answer = requests.get(f"{board.board.url}/health", timeout=30)
        assert answer.status_code == 503
        (reason,) = answer.json()["reasons"]
        assert reason.startswith("the board shows nothing new, and goes on by itself when Redis serves it.")
        assert f"Redis does not answer at {board.redis.url}: is it running?" in reason


@pytest.mark.parametrize(
    ("url", "hosts", "names"),
    [
        ("http://127.0.0.1:8000", "", ["127.0.0.1", "localhost"]),
        ("http://localhost:8000", "", ["127.0.0.1", "localhost"]),
        ("http://board.example:8000", "", ["127.0.0.1", "localhost", "board.example"]),
        ("http://0.0.0.0:8000", "", ["127.0.0.1", "localhost"]),
        ("http://0.0.0.0:8000", "a.example,b.example", ["127.0.0.1", "localhost", "a.example", "b.example"]),
    ],
)
def test_the_names_it_answers_to(url: str, hosts: str, names: list[str]) -> None:
    assert Settings.of(env_file=None, board=url, board_hosts=hosts).board.names == names


@pytest.mark.parametrize("hosts", ["*", "*.example", "a.example,", "http://a.example", "a.example:8000", "a b"])
def test_names_are_names_and_no_patterns(hosts: str) -> None:
    with pytest.raises(UserError, match="IOT_BOARD_HOSTS"):
        Settings.of(env_file=None, board_hosts=hosts)


def test_it_is_the_first_place_to_look(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where_to_look(settings(tmp_path), Console())
    assert capsys.readouterr().out.split("\n")[1].split() == ["board", ADDRESS]
    where_to_look(settings(tmp_path, "http://0.0.0.0:18000"), Console())
    assert capsys.readouterr().out.split("\n")[1].split() == ["board", ADDRESS]
    where_to_look(settings(tmp_path, ""), Console())
    assert "board" not in capsys.readouterr().out


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    [port] = free_ports(1)
    with socket.create_server(("127.0.0.1", port)), pytest.raises(UserError, match=r"IOT_BOARD=http"):
        serve(settings(tmp_path, f"http://127.0.0.1:{port}"))


def test_an_address_of_another_machine_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Set an address of this machine"):
        serve(settings(tmp_path, "http://192.0.2.1:8000"))


@pytest.mark.parametrize("address", ["https://127.0.0.1:8000", "8000", "http://127.0.0.1", "http://127.0.0.1:8000/x"])
def test_a_malformed_address_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(UserError, match="IOT_BOARD"):
        settings(tmp_path, address)
