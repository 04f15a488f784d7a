"""Bring Redis and Kafka back, and fill Redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis

from scripts.stack.processes import processes
from scripts.stack.supervision import Stack
from tests.running import wait_for


def make_ready(stack: Stack, *names: str) -> None:
    for process in processes(stack.settings):
        if process.name in names:
            stack.start(process.name)
            wait_for(process.ready, f"{process.name} to serve")


@contextmanager
def full(store: redis.Redis) -> Iterator[None]:
    """Redis answers, and refuses to write."""
    store.config_set("maxmemory", 1_000_000)  # less than Redis itself takes
    try:
        yield
    finally:
        store.config_set("maxmemory", 0)
