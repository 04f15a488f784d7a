"""What of ours a Redis Cluster takes, and what it refuses: docs/operations/scaling.md lists it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.exceptions import ResponseError

from infrastructure.home import ROOT
from infrastructure.settings import Settings
from ingest.records import Point
from ingest.series_writer import SeriesWriter
from jobs.tools import INSTALLED
from scripts.stack.apart import free_ports
from scripts.stack.paths import redis_home
from scripts.stack.supervision import Stack
from tests.redis_alone import answers
from tests.running import wait_for
from topics import catalogue
from topics.series import AGG_DAY, RAW, Series

SENSORS = catalogue.read(ROOT / "sensors.toml")
SLOTS = 16384
FAR = [Series(RAW, site, "TH1") for site in ("home", "site-0002", "site-0003", "site-0004", "site-0005")]


@pytest.fixture(scope="module")
def nodes(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[int]]:
    """Ports of a cluster of three nodes, each with a third of the slots. (The stack has Redis' libraries installed.)"""
    ports, buses = free_ports(3), free_ports(3)
    with ExitStack() as cleaning:
        for port, bus in zip(ports, buses, strict=True):
            process = node(port, bus, tmp_path_factory.mktemp(f"node-{port}"))
            cleaning.callback(process.wait)
            cleaning.callback(process.terminate)
        clients = [cleaning.enter_context(redis.Redis(port=port)) for port in ports]
        for number, client in enumerate(clients):
            wait_for(lambda client=client: answers(client), "a node")  # type: ignore[misc]
            first, end = number * SLOTS // 3, (number + 1) * SLOTS // 3
            client.execute_command("CLUSTER ADDSLOTSRANGE", first, end - 1)
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        for port, bus in zip(ports[1:], buses[1:], strict=True):
            clients[0].execute_command("CLUSTER MEET", "127.0.0.1", port, bus)
        wait_for(lambda: all(whole(client) for client in clients), "the nodes to know each other")
        yield ports


def node(port: int, bus: int, directory: Path) -> subprocess.Popen[bytes]:
    """A node as the stack's Redis is, without logins."""
    home = redis_home()
    options = {
        "bind": "127.0.0.1",
        "port": str(port),
        "cluster-port": str(bus),
        "dir": str(directory),
        "save": "",
        "appendonly": "yes",
        "appendfsync": "always",
        "cluster-enabled": "yes",
        "loadmodule": str(home / "lib" / "redistimeseries.so"),
    }
    with (directory / "log").open("wb") as log:
        return subprocess.Popen(
            [str(home / "bin" / "redis-server"), *(w for k, v in options.items() for w in (f"--{k}", v))],
            env={**os.environ, "LD_LIBRARY_PATH": str(INSTALLED / "openssl")},
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def whole(client: redis.Redis) -> bool:
    """Whether a node sees all slots served and all three nodes."""
    known: dict[str, Any] = client.execute_command("CLUSTER INFO")
    return bool(known["cluster_state"] == "ok" and known["cluster_known_nodes"] == "3")


def store(port: int, directory: Path) -> SeriesWriter:
    """What the bridge writes with, at one node."""
    own = Settings.of(env_file=None, redis=f"redis://127.0.0.1:{port}/0", data_dir=directory, redis_ingest_user="")
    return SeriesWriter(own, SENSORS)


def test_every_key_is_legal_and_each_command_of_one_key_works_where_the_key_is(nodes: list[int]) -> None:
    with redis.RedisCluster(host="127.0.0.1", port=nodes[0]) as cluster:
        for series in (Series(RAW, "home", "W1"), Series(AGG_DAY, "site-0007", "W1")):
            key = series.key("one.")
            labels = [word for label in series.labels("L", "one.").items() for word in label]
            cluster.execute_command("TS.CREATE", key, "DUPLICATE_POLICY", "FIRST", "LABELS", *labels)
            cluster.execute_command("TS.ADD", key, 1000, 1.5, "ON_DUPLICATE", "LAST")
            assert cluster.execute_command("TS.MADD", key, 2000, 2.5, key, 3000, 3.5) == [2000, 3000]
            cluster.execute_command("TS.DEL", key, 2000, 2000)
            found = cluster.execute_command("TS.RANGE", key, "-", "+")
            assert [(ts, float(value)) for ts, value in found] == [(1000, 1.5), (3000, 3.5)]
            assert cluster.execute_command("TS.GET", key)[0] == 3000
            assert cluster.execute_command("TS.INFO", key)
            assert cluster.execute_command("UNLINK", key) == 1


def test_the_bridge_does_not_write_to_a_cluster(nodes: list[int], tmp_path: Path) -> None:
    bridge = store(nodes[0], tmp_path)
    try:
        with pytest.raises(ResponseError, match="MOVED"):
            bridge.write([Point(series, 1000, 1.0) for series in FAR])
    finally:
        bridge.close()


@pytest.mark.parametrize("command", ["TS.MADD", "UNLINK"])
def test_commands_of_several_keys_are_refused(nodes: list[int], command: str) -> None:
    keys = [series.key("far.") for series in FAR]
    words = [word for key in keys for word in (key, 1000, 1.0)] if command == "TS.MADD" else keys
    with redis.Redis(port=nodes[0]) as client, pytest.raises(ResponseError, match="slot"):
        client.execute_command(command, *words)


def test_what_is_on_disk_is_told_of_one_node(nodes: list[int]) -> None:
    with redis.Redis(port=nodes[0]) as client:
        assert client.execute_command("WAITAOF", 1, 0, 10_000)[0] == 1


def test_a_query_over_all_nodes_is_whole_only_after_a_refresh(nodes: list[int]) -> None:
    keys = {series.key("all.").encode() for series in FAR}
    with redis.RedisCluster(host="127.0.0.1", port=nodes[0]) as cluster:
        for key in keys:
            cluster.execute_command("TS.ADD", key, 1000, 1.5, "LABELS", "series", "raw", "prefix", "all.")
    for port in nodes:
        with redis.Redis(port=port) as client:
            assert set(client.execute_command("TS.QUERYINDEX", "prefix=all.")) < keys, "its own alone"
    for port in nodes:
        with redis.Redis(port=port) as client:
            client.execute_command("TIMESERIES.REFRESHCLUSTER")
    for port in nodes:
        with redis.Redis(port=port, socket_timeout=30) as client:
            wait_for(lambda client=client: of_all(client) == (keys, keys, keys), "every node's series")  # type: ignore[misc]


def of_all(client: redis.Redis) -> tuple[set[bytes], set[bytes], set[bytes]]:
    """The keys that each command which spans nodes tells; none while the nodes do not reach each other."""
    try:
        return (
            set(client.execute_command("TS.QUERYINDEX", "prefix=all.")),
            {found[0] for found in client.execute_command("TS.MGET", "FILTER", "prefix=all.")},
            {found[0] for found in client.execute_command("TS.MRANGE", "-", "+", "FILTER", "prefix=all.")},
        )
    except ResponseError:
        return set(), set(), set()
