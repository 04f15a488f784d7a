"""What the local stack runs: one entry a process, with its command, environment and readiness check."""

from __future__ import annotations

import os
import re
import socket
import sys
import uuid
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from string import Template

import redis
import requests
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from infrastructure.home import ROOT
from infrastructure.redis.client import redis_client
from infrastructure.settings import Settings
from jobs.tools import CLIENT, INSTALLED, flink_environment, flink_home, java_home
from scripts.stack import access
from scripts.stack.paths import DEFINITIONS, Paths, redis_home
from scripts.stack.placement import Placement, one_machine

TASKMANAGERS = 1
FLINK_CLASSPATH = "HADOOP_CLASSPATH"
"""What Flink's scripts put behind the jars of its ``lib``, whether it is Hadoop's or not."""
LOG_PATTERNS = {
    "text": "%d{ISO8601} %p %m (%c{1})%n%throwable{20}",
    # The fields of our own lines (infrastructure/logs.py). Any log4j has patterns; JSON layouts are jars of their own.
    "json": '{"time":"%d{yyyy-MM-dd\'T\'HH:mm:ss.SSS\'Z\'}{UTC}","level":"%p{lowerCase=true}",'
    '"logger":"%enc{%c}{JSON}","message":"%enc{%m}{JSON}","exception":"%enc{%throwable{20}}{JSON}"}%n',
}
"""How log4j writes a line, in Kafka and Flink."""


@dataclass(frozen=True)
class Process:
    """One supervised process.

    ``ready`` answers whether the process serves requests; ``ports`` are the ones that must be free before it starts;
    ``memory`` is what it may take at most, MiB; ``ends``: it has done its work when it exits with 0, and is started
    again only otherwise.
    """

    name: str
    command: list[str]
    ready: Callable[[], bool]
    memory: int
    environment: dict[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    autostart: bool = True
    ends: bool = False
    stop_seconds: int = 20


CONFIGURATION = (
    ("kafka.properties", "kafka/server.properties"),
    ("kafka-log4j2.properties", "kafka/log4j2.properties"),
    ("flink.yaml", "flink-conf/config.yaml"),
    ("flink-log4j.properties", "flink-conf/log4j-console.properties"),
    ("zoo.cfg", "flink-conf/zoo.cfg"),
    ("redis.conf", "redis/redis.conf"),
    ("redis.acl", "redis/redis.acl"),
)
"""The servers' configuration: the file in ``conf/``, and what it becomes below the run directory."""


def write_configuration(settings: Settings, paths: Paths, only: Container[str] | None = None) -> None:
    """Write what the servers and supervisor read, for these settings; ``only`` as in ``processes``."""
    configure(settings, paths, one_machine())
    text = (DEFINITIONS / "conf" / "supervisord.conf").read_text()
    text = Template(text).substitute(root=ROOT, run=paths.run, logs=paths.logs)
    text += "".join(program(process, paths) for process in processes(settings, only))
    access.write_private(paths.run / "supervisord.conf", text)


def configure(settings: Settings, paths: Paths, placement: Placement) -> None:
    """Fill in the servers' configuration for these settings, below the run directory; nobody else can read it."""
    values = {
        **settings.flat(),
        **access.parameters(settings),
        "checkpoint_uri": settings.job.checkpoint_uri,
        "kafka_host": settings.kafka.host,
        "kafka_port": settings.kafka.port,
        "flink_host": settings.flink.host,
        "flink_port": settings.flink.port,
        "cluster_id": uuid.uuid5(uuid.NAMESPACE_URL, paths.data.as_uri()),  # with its path, checkpoints lose theirs
        "ha_uri": (paths.data / "flink-ha").as_uri(),
        "listen": placement.listen,
        "zookeeper_host": placement.zookeeper,
        "taskmanager_host": "# " if placement.own_addresses else "",
        "redis_modules": placement.redis_modules,
        "data": paths.data,
        "run": paths.run,
        "java_options": " ".join(re.findall(r"--add-opens=\S+", (CLIENT / "config.yaml").read_text())),
        "temporary": placement.temporary or paths.temporary,
        "log_pattern": LOG_PATTERNS[settings.monitoring.log_format],
    }
    for template, target in CONFIGURATION:
        path = paths.run / target
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (DEFINITIONS / "conf" / template).read_text()
        access.write_private(path, Template(text).substitute(values))


def program(process: Process, paths: Paths) -> str:
    """What supervisor's configuration says of a process."""
    # Supervisor expands %(name)s in commands and environments.
    command = " ".join(f'"{word}"' for word in process.command).replace("%", "%%")
    environment = ",".join(f'{key}="{value}"' for key, value in process.environment.items()).replace("%", "%%")
    return f"""
[program:{process.name}]
command={command}
environment={environment}
autostart={str(process.autostart).lower()}
autorestart={"unexpected" if process.ends else "true"}
exitcodes=0
startretries=1000000
startsecs={0 if process.ends else 1}
stopwaitsecs={process.stop_seconds}
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={paths.logs}/{process.name}.log
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=2
"""


def flink_server_environment(settings: Settings) -> dict[str, str]:
    """Environment of Flink's servers: that of its client, with the configuration that is written before they start.

    Kafka's client, which every job's jar brings too, is on their class path (``conf/flink.yaml`` says why).
    """
    behind = [f"{INSTALLED}/connector/jars/*", os.environ.get(FLINK_CLASSPATH, "")]
    return {
        **flink_environment(settings.kafka),
        "FLINK_CONF_DIR": str(settings.data_dir / "run" / "flink-conf"),
        "FLINK_LOG_DIR": str(settings.data_dir / "logs"),
        "FLINK_PID_DIR": str(settings.data_dir / "run"),
        FLINK_CLASSPATH: ":".join(filter(None, behind)),
    }


def classpath() -> str:
    """Kafka's jars, as Java's class path, behind Flink's log4j: Kafka's own has no binding, so it would log nothing."""
    log4j = sorted(str(jar) for jar in (flink_home() / "lib").glob("log4j-*.jar"))
    return ":".join([*log4j, f"{INSTALLED}/kafka/jars/*", f"{INSTALLED}/kafka/modules/*"])


def _leaving_nothing(paths: Paths) -> tuple[str, str]:
    """Options of a JVM that is killed now and then: it leaves nothing in the system's temporary directory.

    Libraries that it unpacks go where the next start of the stack deletes them; its counters, which nobody reads, are
    off, since their file has a fixed place. Flink's JVMs have the same from ``conf/flink.yaml``.
    """
    return (f"-Djava.io.tmpdir={paths.temporary}", "-XX:-UsePerfData")


def kafka_java(settings: Settings, paths: Paths) -> list[str]:
    """The Java command line up to Kafka's main class."""
    return [
        str(java_home() / "bin" / "java"),
        f"-Xmx{settings.stack.kafka_heap}",
        "-XX:+UseG1GC",
        *_leaving_nothing(paths),
        f"-Dlog4j2.configurationFile={paths.run}/kafka/log4j2.properties",
        "-cp",
        classpath(),
    ]


def zookeeper_java(paths: Paths) -> list[str]:
    """The Java command line of the ZooKeeper that Flink's distribution brings."""
    libraries = flink_home() / "lib"
    return [
        str(java_home() / "bin" / "java"),
        "-Xmx32m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        *_leaving_nothing(paths),
        f"-Dlog4j2.configurationFile={paths.run}/flink-conf/log4j-console.properties",
        "-cp",
        ":".join(str(jar) for name in ("flink-dist", "log4j") for jar in sorted(libraries.glob(f"{name}*.jar"))),
        "org.apache.flink.runtime.zookeeper.FlinkZooKeeperQuorumPeer",
        *("--zkConfigFile", f"{paths.run}/flink-conf/zoo.cfg", "--peerId", "1"),
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
        ports=(settings.kafka.port, settings.stack.kafka_controller_port),
        ready=lambda: _kafka_answers(settings),
        # Besides its heap: classes, threads, network buffers, and the indexes of its log, which it maps.
        memory=_mebibytes(settings.stack.kafka_heap) + 512,
    )
    yield Process(
        name="redis",
        command=[str(redis_home() / "bin" / "redis-server"), f"{paths.run}/redis/redis.conf"],
        environment={"LD_LIBRARY_PATH": str(INSTALLED / "openssl")},
        ports=(settings.redis.port,),
        ready=lambda: _redis_answers(settings),
        # What its allocator wastes, and the buffers of its clients and its log, do not count as data.
        memory=_mebibytes(settings.stack.redis_memory) * 5 // 4 + 128,
    )
    yield Process(
        name="zookeeper",
        command=zookeeper_java(paths),
        ports=(settings.stack.zookeeper_port,),
        ready=lambda: _listens(settings.stack.zookeeper_port),
        memory=192,
    )
    yield Process(
        name="jobmanager",
        command=[
            *(sys.executable, "-m", "scripts.stack.jobmanager"),
            *(str(paths.data / "flink-ha"), str(flink_home() / "bin" / "jobmanager.sh")),
        ],
        environment=flink_server_environment(settings),
        ports=(settings.flink.port, settings.stack.flink_rpc_port),
        ready=lambda: _overview(settings) is not None,
        memory=_mebibytes(settings.stack.jobmanager_memory),
    )
    yield Process(
        name="taskmanager",
        command=[str(flink_home() / "bin" / "taskmanager.sh"), "start-foreground"],
        environment=flink_server_environment(settings),
        ready=lambda: (_overview(settings) or {}).get("taskmanagers", 0) >= TASKMANAGERS,
        memory=_mebibytes(settings.stack.taskmanager_memory),
    )
    yield Process(
        name="ingest",
        command=[sys.executable, "-m", "ingest"],
        environment=settings.environment(),
        autostart=False,
        ready=lambda: True,
        memory=512,
    )

    if settings.monitoring.job_port:
        yield Process(
            name="exporter",
            command=[sys.executable, "-m", "jobs", "metrics"],
            environment=settings.environment(),
            ports=(settings.monitoring.job_port,),
            autostart=False,
            ready=lambda: _listens(settings.monitoring.job_port, settings.monitoring.host),
            memory=256,
        )
    if settings.board.url:
        yield Process(
            name="board",
            command=[sys.executable, "-m", "board"],
            environment=settings.environment(only_redis_as_viewer=True),
            ports=(settings.board.port,),
            autostart=False,
            ready=lambda: _listens(settings.board.port, settings.board.host),
            memory=384,  # of which a page takes 5
        )


def _mebibytes(size: str) -> int:
    """A size of the settings (512m, 1g) in MiB."""
    return int(size[:-1]) * (1024 if size.endswith("g") else 1)


def _kafka_answers(settings: Settings) -> bool:
    if not _listens(settings.kafka.port):  # saves librdkafka's complaints about a broker that is still starting
        return False
    try:
        return bool(AdminClient({**access.kafka_admin(settings), "log_level": 0}).list_topics(timeout=2).brokers)
    except KafkaException:
        return False


def _redis_answers(settings: Settings) -> bool:
    if not _listens(settings.redis.port):
        return False
    try:
        return bool(redis_client(settings.redis, "admin").ping())
    except redis.RedisError:  # still loading its file, or not there
        return False


def _overview(settings: Settings) -> dict[str, int] | None:
    try:
        answer = requests.get(f"{settings.flink.url}/overview", timeout=2)
        return answer.json() if answer.ok else None
    except requests.RequestException:
        return None


def _listens(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something listens there; where ``host`` is every address, on loopback."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
