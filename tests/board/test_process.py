"""The board as a process: of the local stack, and on its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from pydantic import SecretStr
from rich.console import Console

from board.server import serve
from infrastructure.settings import ROOT, Settings
from scripts.stack.apart import free_ports
from scripts.stack.processes import Process, processes
from scripts.stack.supervision import Stack
from scripts.stack.system import where_to_look
from tests.running import wait_for
from topics.errors import UserError

ADDRESS = "http://127.0.0.1:18000"
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


def test_it_is_the_first_place_to_look(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where_to_look(settings(tmp_path), Console())
    assert capsys.readouterr().out.split("\n")[1].split() == ["board", ADDRESS]
    where_to_look(settings(tmp_path, ""), Console())
    assert "board" not in capsys.readouterr().out


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    [port] = free_ports(1)
    with socket.create_server(("127.0.0.1", port)), pytest.raises(UserError, match=r"IOT_BOARD=http"):
        serve(settings(tmp_path, f"http://127.0.0.1:{port}"))


@pytest.mark.parametrize("address", ["https://127.0.0.1:8000", "8000", "http://127.0.0.1", "http://127.0.0.1:8000/x"])
def test_a_malformed_address_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(UserError, match="IOT_BOARD"):
        settings(tmp_path, address)
