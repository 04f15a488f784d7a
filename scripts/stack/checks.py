"""What must hold before the local stack starts; each check says what to do."""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import psutil

from infrastructure.home import ROOT
from infrastructure.passwords import ADMIN
from infrastructure.settings import Settings
from scripts.stack.paths import Paths
from scripts.stack.processes import processes

MEMORY = 3 * 2**30
DISK = 2 * 2**30
SOCKET_PATH = 107
"""Longest path of a Unix socket, in bytes (unix(7))."""
UNFIT = r"""[\s"'$%:;]"""
"""What ends a word, or begins another thing, in the servers' scripts and configurations."""


def complaints(settings: Settings) -> Iterator[str]:
    """Yield a sentence for each thing that keeps the stack from starting."""
    paths = Paths.of(settings)
    for name, address in (
        ("IOT_KAFKA", settings.kafka.servers),
        ("IOT_REDIS", settings.redis.url),
        ("IOT_FLINK", settings.flink.url),
    ):
        if "127.0.0.1" not in address or "," in address:
            yield f"{name} is {address}: the local stack listens on 127.0.0.1 only. Unset it, or start no local stack."
    for path, remedy in ((ROOT, "clone into another directory"), (settings.data_dir, "set IOT_DATA_DIR to another")):
        if found := " ".join(map(repr, sorted(set(re.findall(UNFIT, str(path)))))):
            yield f"the path {path} has {found} in it, which Flink's scripts do not take: {remedy}."
            break  # the one may be in the other
    yield from _of_access(settings)
    for process in processes(settings):
        for port in process.ports:
            if holder := _holder(port):
                yield (
                    f"port {port} for {process.name} is taken by {holder}. "
                    f"Stop that, or set another port ({_setting(settings, port)})."
                )
    free = psutil.virtual_memory().available
    if free < MEMORY:
        yield f"{free / 2**30:.1f} GiB of memory are free and the stack wants {MEMORY / 2**30:.0f}: close something."
    paths.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    space = shutil.disk_usage(paths.data).free
    if space < DISK:
        yield (
            f"{space / 2**30:.1f} GiB are free in {paths.data} and the stack wants {DISK / 2**30:.0f}: "
            "make room, or set IOT_DATA_DIR to another disk."
        )
    if len(os.fsencode(paths.run / "supervisor.sock")) > SOCKET_PATH:
        yield f"the path {paths.run} is too long for a Unix socket: set IOT_DATA_DIR to a shorter one."


def _of_access(settings: Settings) -> Iterator[str]:
    names = {
        "IOT_KAFKA_USER": settings.kafka.user,
        "IOT_REDIS_INGEST_USER": settings.redis.ingest_user,
        "IOT_REDIS_VIEWER_USER": settings.redis.viewer_user,
    }
    for setting, user in names.items():
        if user in ("", ADMIN, "default"):
            yield f"{setting} is {user or 'empty'}: the local stack wants another name there."
    if settings.redis.ingest_user == settings.redis.viewer_user:
        yield "IOT_REDIS_INGEST_USER and IOT_REDIS_VIEWER_USER are the same: the local stack wants two."
    if urlsplit(settings.redis.url).path.strip("/0"):
        yield f"IOT_REDIS is {settings.redis.url}: the local stack keeps series in database 0."
    ours = settings.stack.certificate is not None
    for setting, tls in (
        ("IOT_KAFKA_CA", settings.kafka.ca is not None),
        ("rediss:// in IOT_REDIS", settings.redis.url.startswith("rediss:")),
        ("IOT_REDIS_CA", settings.redis.ca is not None),
    ):
        if tls != ours:
            yield (
                f"IOT_STACK_CERTIFICATE and {setting} go together: without one of them the local stack does not have "
                "TLS, with all of them it has nothing else."
            )


def _holder(port: int) -> str | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            return "the system (ports below 1024 need root)"
        except OSError:
            pass
        else:
            return None
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
            if listens and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        pass
    return "another process"


def _setting(settings: Settings, port: int) -> str:
    names = {
        settings.kafka.port: "IOT_KAFKA=127.0.0.1:PORT",
        settings.redis.port: "IOT_REDIS=redis://127.0.0.1:PORT/0",
        settings.flink.port: "IOT_FLINK=http://127.0.0.1:PORT",
        settings.stack.kafka_controller_port: "IOT_KAFKA_CONTROLLER_PORT",
        settings.stack.flink_rpc_port: "IOT_FLINK_RPC_PORT",
        settings.stack.zookeeper_port: "IOT_ZOOKEEPER_PORT",
        settings.monitoring.job_port: "IOT_JOB_METRICS",
        settings.board.port: "IOT_BOARD=http://127.0.0.1:PORT",
    }
    return names[port]
