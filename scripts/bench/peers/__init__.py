"""What else one would use: each a small program, run in an environment of its own.

The environment stands beside the project's and is made at first use. A program gets what it needs as one JSON object on
standard input, and prints one JSON object in its last line: ``seconds``, from its first reading to its last result.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infrastructure.home import ROOT
from infrastructure.kafka import admin, offsets
from infrastructure.kafka.client import kafka_options
from infrastructure.passwords import ADMIN, password_of
from infrastructure.settings import milliseconds
from jobs.tools import flink_home
from scripts.bench.dataset import Dataset
from scripts.stack.processes import FLINK_CLASSPATH
from topics.errors import UserError
from topics.names import REJECTED
from topics.reading import HEARTBEAT

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
ENVIRONMENT = ROOT / ".venv-peers"
PYTHON = ENVIRONMENT / "bin" / "python"
TIMEOUT = 3600
SHOWN = 2000
"""Characters of what a program printed before it failed."""


class PeerError(UserError):
    """A peer's program has failed; the message is what it printed last."""


@dataclass(frozen=True)
class Peer:
    """A program in this directory in one configuration.

    ``product``: what the configurations of one product share. ``fast``: it is held to the lower of two bars, and gets
    more readings. ``own``: it runs in the project's own environment, which has what it needs.
    """

    name: str
    product: str
    program: str
    note: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    fast: bool = False
    own: bool = False


QUIX = Peer("Quix Streams", "Quix Streams", "quix_window.py", "tumbling_window, final, closed by key, no changelog")
PYFLINK_NOTE = "parallelism 2; one watermark for all sensors"
FLINK_PROCESS = Peer(
    "PyFlink DataStream, process", "PyFlink", "flink_window.py", PYFLINK_NOTE, {"mode": "process"}, own=True
)
FLINK_THREAD = Peer(
    "PyFlink DataStream, thread", "PyFlink", "flink_window.py", PYFLINK_NOTE, {"mode": "thread"}, own=True
)
BYTEWAX = Peer("Bytewax", "Bytewax", "bytewax_window.py", "1 worker", {"threads": 1, "processes": 1}, fast=True)
BYTEWAX_THREADS = Peer(
    "Bytewax, 2 threads", "Bytewax", "bytewax_window.py", "", {"threads": 2, "processes": 1}, fast=True
)
BYTEWAX_PROCESSES = Peer(
    "Bytewax, 2 processes", "Bytewax", "bytewax_window.py", "", {"threads": 1, "processes": 2}, fast=True
)
PATHWAY = Peer("Pathway", "Pathway", "pathway_window.py", "windowby tumbling, cutoff", {"threads": 1}, fast=True)
PATHWAY_THREADS = Peer("Pathway, 2 threads", "Pathway", "pathway_window.py", "", {"threads": 2}, fast=True)
WINDOWS = (
    BYTEWAX,
    BYTEWAX_THREADS,
    BYTEWAX_PROCESSES,
    PATHWAY,
    PATHWAY_THREADS,
    QUIX,
    FLINK_PROCESS,
    FLINK_THREAD,
)
"""Those that compute daily windows."""

TS_ADD = Peer("one TS.ADD a message", "script", "ts_add.py")
QUIX_REDIS = Peer("Quix Streams, RedisSink", "Quix Streams", "quix_redis.py")


@dataclass(frozen=True)
class Found:
    """What a peer has computed: by sensor key and day's start the count and mean; what it has told to be too late."""

    seconds: float
    windows: dict[tuple[str, int], tuple[int, float]]
    rejected: set[tuple[str, int]]


def install(said: Callable[[str], None] = lambda _: None) -> None:
    """Make the peers' environment when it is not there, or its requirements have changed."""
    mark = ENVIRONMENT / "requirements.txt"
    if mark.exists() and mark.read_bytes() == REQUIREMENTS.read_bytes():
        return
    ENVIRONMENT.mkdir(exist_ok=True)
    with (ENVIRONMENT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said("installing what is compared with (once, some minutes)")
        commands = (
            [sys.executable, "-m", "venv", str(ENVIRONMENT)],
            [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(REQUIREMENTS)],
        )
        for command in commands:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode:
                raise UserError(f"the peers could not be installed; is the network there? {done.stdout[-SHOWN:]}")
        shutil.copy(REQUIREMENTS, mark)


@contextmanager
def python_operators() -> Iterator[None]:
    """Let Flink's servers that start meanwhile have PyFlink's operators on their class path.

    In thread mode these load a library, which a JVM does once, whoever asks: they would run in the first job that
    brings them along, and in no later one.
    """
    [jar] = (flink_home() / "opt").glob("flink-python-*.jar")
    before = os.environ.get(FLINK_CLASSPATH)
    os.environ[FLINK_CLASSPATH] = str(jar)
    try:
        yield
    finally:
        if before is None:
            del os.environ[FLINK_CLASSPATH]
        else:
            os.environ[FLINK_CLASSPATH] = before


def run(peer: Peer, data: Dataset) -> Found:
    """Let a peer compute daily windows of a dataset. Raises ``PeerError``."""
    with tempfile.TemporaryDirectory(prefix="iot-peer-") as directory, _results(data) as topic:
        told = program(peer, data, Path(directory), results=topic)
        windows: dict[tuple[str, int], tuple[int, float]] = {}
        rejected: set[tuple[str, int]] = set()
        for file in sorted(Path(directory).glob("windows*.csv")):
            for line in file.read_text().splitlines():
                key, day, count, mean = line.rsplit(",", 3)
                windows[key, int(day)] = (int(count), float(mean))
        for file in sorted(Path(directory).glob("late*.csv")):
            for line in file.read_text().splitlines():
                key, ts = line.rsplit(",", 1)
                rejected.add((key, int(ts)))
        return Found(float(told["seconds"]), windows, rejected)


@contextmanager
def _results(data: Dataset) -> Iterator[str]:
    """The name of a topic that holds one run's results."""
    others = data.stack.replace(prefix=f"peer-{os.urandom(4).hex()}.")
    admin.create(others, (REJECTED,))
    try:
        yield others.prefix + REJECTED
    finally:
        admin.delete(others, (REJECTED,))


def program(peer: Peer, data: Dataset, directory: Path, **more: Any) -> dict[str, Any]:
    """Run a peer's program, with ``more`` in its task; returns what it told. Raises ``PeerError``."""
    settings = data.settings
    task = {
        "kafka": kafka_options(settings.kafka),
        "topic": data.topic,
        "records": sum(offsets.end_offsets(settings.kafka, data.topic).values()),
        "group": f"peer-{os.urandom(4).hex()}",
        "heartbeat": HEARTBEAT,
        "grace_ms": milliseconds(settings.time.allowed_lateness + settings.time.watermark_delay),
        "directory": str(directory),
        "flink": settings.flink.url,
        "redis": {
            "host": "127.0.0.1",
            "port": settings.redis.port,
            "username": ADMIN,
            "password": password_of(settings, "redis_admin_password"),
        },
        **peer.options,
        **more,
    }
    python = sys.executable if peer.own else str(PYTHON)
    return talk([python, str(HERE / peer.program)], task, directory, PYTHONPATH=str(ROOT if peer.own else HERE))


def talk(command: list[str], task: dict[str, Any], directory: Path, **environment: str) -> dict[str, Any]:
    """Run a program with a task on its standard input; returns the JSON of its last line. Raises ``PeerError``.

    The task holds passwords, and others can read a command's arguments.
    """
    running = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=directory,
        env={**os.environ, "PYTHONWARNINGS": "ignore", **environment},
        start_new_session=True,
    )
    try:
        said, _ = running.communicate(json.dumps(task), TIMEOUT)
    except subprocess.TimeoutExpired:
        raise PeerError(f"it was given up after {TIMEOUT} s") from None
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)  # with what it has started
            running.wait()
    try:
        told = json.loads(said.strip().splitlines()[-1])
    except (IndexError, ValueError):
        told = None
    if running.returncode or not isinstance(told, dict):
        raise PeerError(f"exit code {running.returncode}: {said[-SHOWN:]}")
    return told
