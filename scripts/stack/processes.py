"""What the local stack runs: one entry a process, with its command, environment and readiness check."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from string import Template

import redis
import requests
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

import connections
from jobs.tools import INSTALLED, flink_environment, flink_home, java_home
from scripts.stack import access
from scripts.stack.paths import DEFINITIONS, Paths, redis_home
from settings import ROOT, Settings

TASKMANAGERS = 1


@dataclass(frozen=True)
class Process:
    """One supervised process.

    ``ready`` answers whether the process serves requests; ``ports`` are the ones that must be free before it starts.
    """

    name: str
    command: list[str]
    ready: Callable[[], bool]
    environment: dict[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    autostart: bool = True
    stop_seconds: int = 20


def write_configuration(settings: Settings, paths: Paths, only: Container[str] | None = None) -> None:
    """Fill in the files of ``conf/`` for these settings, below the run directory; ``only`` as in ``processes``."""
    values = {
        **settings.model_dump(),
        **access.parameters(settings),
        "checkpoint_uri": settings.checkpoint_uri,
        "kafka_port": settings.kafka_port,
        "flink_port": settings.flink_port,
        "redis_home": redis_home(),
        "root": ROOT,
        "data": paths.data,
        "run": paths.run,
        "logs": paths.logs,
    }
    for template, target in (
        ("kafka.properties", "kafka/server.properties"),
        ("kafka-log4j2.properties", "kafka/log4j2.properties"),
        ("flink.yaml", "flink-conf/config.yaml"),
        ("flink-log4j.properties", "flink-conf/log4j-console.properties"),
        ("flink-log4j.properties", "flink-conf/log4j-cli.properties"),
        ("redis.conf", "redis.conf"),
        ("redis.acl", "redis.acl"),
        ("supervisord.conf", "supervisord.conf"),
    ):
        path = paths.run / target
        path.parent.mkdir(parents=True, exist_ok=True)
        access.write_private(path, Template((DEFINITIONS / "conf" / template).read_text()).substitute(values))
    with (paths.run / "supervisord.conf").open("a") as conf:
        for process in processes(settings, only):
            conf.write(_program(process, paths))


def _program(process: Process, paths: Paths) -> str:
    # Supervisor expands %(name)s in commands and environments.
    command = " ".join(f'"{word}"' for word in process.command).replace("%", "%%")
    environment = ",".join(f'{key}="{value}"' for key, value in process.environment.items()).replace("%", "%%")
    return f"""
[program:{process.name}]
command={command}
environment={environment}
autostart={str(process.autostart).lower()}
autorestart=true
startretries=1000000
startsecs=1
stopwaitsecs={process.stop_seconds}
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={paths.logs}/{process.name}.log
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=2
"""


def classpath() -> str:
    """Kafka's jars. What makes it log is not among them; Flink has it."""
    logging = (jar for part in ("api", "core", "slf4j-impl") for jar in (flink_home() / "lib").glob(f"log4j-{part}-*"))
    return ":".join([*map(str, logging), f"{INSTALLED}/kafka/jars/*", f"{INSTALLED}/kafka/modules/*"])


def kafka_java(settings: Settings, paths: Paths) -> list[str]:
    """The Java command line up to Kafka's main class."""
    return [
        str(java_home() / "bin" / "java"),
        f"-Xmx{settings.kafka_heap}",
        "-XX:+UseG1GC",
        f"-Dlog4j2.configurationFile={paths.run}/kafka/log4j2.properties",
        "-cp",
        classpath(),
    ]


def processes(settings: Settings, only: Container[str] | None = None) -> Iterator[Process]:
    """The processes of the stack, in the order in which they are worth starting; ``only`` names the wanted ones."""
    for process in _every(settings):
        if only is None or process.name in only:
            yield process


def _every(settings: Settings) -> Iterator[Process]:
    paths = Paths.of(settings)
    yield Process(
        name="kafka",
        command=[*kafka_java(settings, paths), "kafka.Kafka", f"{paths.run}/kafka/server.properties"],
        ports=(settings.kafka_port, settings.kafka_controller_port),
        ready=lambda: _kafka_answers(settings),
    )
    yield Process(
        name="redis",
        command=[str(redis_home() / "bin" / "redis-server"), f"{paths.run}/redis.conf"],
        environment={"LD_LIBRARY_PATH": str(INSTALLED / "openssl")},
        ports=(settings.redis_port,),
        ready=lambda: _redis_answers(settings),
    )
    yield Process(
        name="jobmanager",
        command=[str(flink_home() / "bin" / "jobmanager.sh"), "start-foreground"],
        environment=flink_environment(settings),
        ports=(settings.flink_port, settings.flink_rpc_port),
        ready=lambda: _overview(settings) is not None,
    )
    yield Process(
        name="taskmanager",
        command=[str(flink_home() / "bin" / "taskmanager.sh"), "start-foreground"],
        environment=flink_environment(settings),
        ready=lambda: (_overview(settings) or {}).get("taskmanagers", 0) >= TASKMANAGERS,
    )
    yield Process(
        name="ingest",
        command=[sys.executable, "-m", "ingest"],
        environment=settings.environment(),
        autostart=False,
        ready=lambda: True,
    )


def _kafka_answers(settings: Settings) -> bool:
    if not _listens(settings.kafka_port):  # saves librdkafka's complaints about a broker that is still starting
        return False
    try:
        return bool(AdminClient({**access.kafka_admin(settings), "log_level": 0}).list_topics(timeout=2).brokers)
    except KafkaException:
        return False


def _redis_answers(settings: Settings) -> bool:
    if not _listens(settings.redis_port):
        return False
    try:
        return bool(connections.redis(settings, "admin").ping())
    except redis.RedisError:  # still loading its file, or not there
        return False


def _overview(settings: Settings) -> dict[str, int] | None:
    try:
        answer = requests.get(f"{settings.flink}/overview", timeout=2)
        return answer.json() if answer.ok else None
    except requests.RequestException:
        return None


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
