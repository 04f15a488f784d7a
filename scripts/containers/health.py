"""python scripts/containers/health.py CHECK …: is the process of this container well? It exits with 0 then.

It runs every few seconds in each container: it imports no more than it needs, and the standard library alone.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException

SECONDS = 4


def listens(port: str) -> bool:
    """Whether something listens on the port."""
    with socket.create_connection(("127.0.0.1", int(port)), SECONDS):
        return True


def answers(host: str, port: str, path: str) -> bool:
    """Whether a GET gets an answer with status 200; another one is printed: `docker inspect` shows it."""
    status, body = _get(host, port, path)
    if status != 200:
        print(status, body.decode(errors="replace"))
    return status == 200


def registered(host: str, port: str) -> bool:
    """Whether the JobManager there knows the TaskManager of this container."""
    status, body = _get(host, port, "/taskmanagers")
    if status != 200:
        return False
    own = f"@{socket.gethostbyname(socket.gethostname())}:"
    return any(own in manager["path"] for manager in json.loads(body)["taskmanagers"])


CHECKS: dict[str, Callable[..., bool]] = {"listens": listens, "answers": answers, "registered": registered}


def _get(host: str, port: str, path: str) -> tuple[int, bytes]:
    connection = HTTPConnection(host, int(port), timeout=SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def main(arguments: list[str]) -> int:
    """Run a check; the exit code."""
    try:
        return 0 if CHECKS[arguments[0]](*arguments[1:]) else 1
    except (OSError, HTTPException) as error:
        print(error)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
