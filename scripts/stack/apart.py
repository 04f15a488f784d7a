"""A stack of its own, that touches no other: in a temporary directory and on free ports."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

from infrastructure.settings import Settings

HOST = "127.0.0.1"
LOWEST = 10_240
BLOCK = 128
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int) -> list[int]:
    """Ports on 127.0.0.1 that nobody listens on, and that no other process gets from here.

    The system gives them to no connection either. A server that is killed thus finds its port free when it comes back;
    from the system's own range, somebody's connection can have it meanwhile, for as long as that lives: a client's that
    tries to reach this very server, even.
    """
    return list(islice(_PORTS, count))


def _ports() -> Iterator[int]:
    """Each free port once, block by block. A block is ours as long as we live: its first port is bound here."""
    end = int(EPHEMERAL.read_text().split()[0])
    blocks = list(range(LOWEST, end - BLOCK, BLOCK))
    random.shuffle(blocks)
    with ExitStack() as claims:
        for first in blocks:
            if _bound(claims.enter_context(socket.socket()), first):
                yield from (port for port in range(first + 1, first + BLOCK) if _is_free(port))
    raise RuntimeError(f"no port from {LOWEST} to {end} is free")


_PORTS = _ports()


def _bound(each: socket.socket, port: int) -> bool:
    try:
        each.bind((HOST, port))
    except OSError:
        return False
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return _bound(probe, port)


def settings_apart(directory: Path, **others: Any) -> Settings:
    """Settings of a stack below ``directory`` on free ports, without a board; ``others`` are further settings."""
    kafka, controller, redis, flink, rpc, zookeeper, ingest, job = free_ports(8)
    return Settings.of(
        env_file=None,
        kafka=f"127.0.0.1:{kafka}",
        kafka_controller_port=controller,
        redis=f"redis://127.0.0.1:{redis}/0",
        flink=f"http://127.0.0.1:{flink}",
        flink_rpc_port=rpc,
        zookeeper_port=zookeeper,
        board="",
        producer_metrics=0,
        ingest_metrics=ingest,
        job_metrics=job,
        data_dir=directory,
        checkpoints="",
        prefix="",
        **others,
    )
