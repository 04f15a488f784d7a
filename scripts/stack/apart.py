"""A stack of its own, that touches no other: in a temporary directory and on free ports."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from settings import Settings


def free_ports(count: int) -> list[int]:
    """Ports on 127.0.0.1 that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def settings_apart(directory: Path, **others: Any) -> Settings:
    """Settings of a stack below ``directory`` on free ports, without a board; ``others`` are further settings."""
    kafka, controller, redis, flink, rpc, zookeeper, ingest, job = free_ports(8)
    return Settings(
        _env_file=None,
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
