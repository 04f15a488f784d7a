"""How the programs of other systems are run: a task in, one line of JSON out, and nobody left."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from scripts.bench import peers
from scripts.bench.peers import PeerError, talk


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def test_a_program_is_told_its_task_and_answers_in_its_last_line(tmp_path: Path) -> None:
    program = (
        "import json, sys; task = json.load(sys.stdin); print('noise'); print(json.dumps({'seconds': task['n'] * 2}))"
    )
    assert talk(python(program), {"n": 3}, tmp_path) == {"seconds": 6}


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("raise SystemExit('no broker')", "no broker"),
        ("print('{\"seconds\": 1}'); raise SystemExit(3)", "exit code 3"),
        ("print('done')", "done"),
        ("print(7)", "7"),
        ("", "exit code 0"),
    ],
)
def test_a_program_that_fails_or_says_nothing_is_an_error(program: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(PeerError, match=message):
        talk(python(program), {}, tmp_path)


def test_one_that_does_not_end_is_ended_with_what_it_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "TIMEOUT", 2)
    sleep = "import time; time.sleep(600)"
    program = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', '{sleep}']); time.sleep(600)"
    with pytest.raises(PeerError, match="given up"):
        talk(python(program), {}, tmp_path)
    left = [p for p in psutil.process_iter(["cwd"]) if p.info["cwd"] == str(tmp_path)]
    psutil.wait_procs(left, timeout=10)
    assert not [p for p in left if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def test_every_peer_has_its_program() -> None:
    for peer in (*peers.WINDOWS, peers.TS_ADD, peers.QUIX_REDIS):
        assert (peers.HERE / peer.program).exists()
