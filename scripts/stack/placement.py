"""Where the processes of a stack are: all on one machine, or each in a container of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scripts.stack.paths import redis_home


@dataclass(frozen=True)
class Placement:
    """What of the servers' configuration depends on where they are; all else is the same everywhere.

    ``listen`` is the address that servers listen on, ``zookeeper`` the host on which Flink finds it, ``redis_modules``
    the directory of Redis' modules. With ``own_addresses`` each TaskManager has another address, and finds it itself.
    ``temporary`` is where Flink's JVMs unpack libraries; None: where the stack's do. Kafka's and Flink's hosts are in
    the settings.
    """

    listen: str
    zookeeper: str
    redis_modules: Path
    own_addresses: bool
    temporary: Path | None = None


def one_machine() -> Placement:
    """The local stack: nobody else can reach it."""
    return Placement(listen="127.0.0.1", zookeeper="127.0.0.1", redis_modules=redis_home() / "lib", own_addresses=False)


def containers() -> Placement:
    """docker-compose.yml: servers are found by the names of their services, on a network without a way out."""
    return Placement(
        listen="0.0.0.0",  # noqa: S104 - all that a container has
        zookeeper="zookeeper",
        redis_modules=Path("/usr/local/lib/redis/modules"),
        own_addresses=True,
        temporary=Path("/tmp"),  # noqa: S108 - of the container alone, and empty when it starts
    )
