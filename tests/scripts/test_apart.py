"""The ports of a stack of its own."""

from __future__ import annotations

import subprocess
import sys

from infrastructure.home import ROOT
from scripts.stack.apart import EPHEMERAL, free_ports


def test_no_connection_gets_a_port_that_a_server_is_to_have() -> None:
    """One that does could keep a server that was killed from listening again, for as long as it lives."""
    first, last = map(int, EPHEMERAL.read_text().split())
    assert not [port for port in free_ports(20) if first <= port <= last]


def test_two_processes_never_get_the_same_port() -> None:
    """Neither one after the other, before anybody listens, nor at once."""
    command = "import sys; from scripts.stack.apart import free_ports; print(*free_ports(5000)); sys.stdin.read()"
    others = [
        subprocess.Popen(
            [sys.executable, "-c", command], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    try:
        given = [port for other in others if other.stdout for port in other.stdout.readline().split()]
        given += map(str, free_ports(5000))
    finally:
        for other in others:
            other.communicate()
    assert len(set(given)) == len(given) == 15_000
