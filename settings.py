"""Every setting of the system, in one place.

A setting is read from the environment variable ``IOT_<NAME>``, else from a file ``.env`` in the working
directory, else its default below is used. Durations are ISO 8601 (``P2DT10S``) or a number of seconds.
Addresses serve both sides: clients connect to them and the local stack listens on them.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from command_line import UserError

ROOT = Path(__file__).resolve().parent


def milliseconds(duration: timedelta) -> int:
    """A duration in whole milliseconds."""
    return duration // timedelta(milliseconds=1)


def _seconds(value: Any) -> Any:
    """An environment variable is text, of which only ISO 8601 would pass."""
    return float(value) if isinstance(value, str) and value.replace(".", "", 1).isdecimal() else value


def _positive(duration: timedelta) -> timedelta:
    if duration <= timedelta(0):
        raise ValueError("must be longer than zero")
    return duration


def _absolute(path: Path) -> Path:
    return path if path.is_absolute() else ROOT / path


Duration = Annotated[timedelta, BeforeValidator(_seconds), AfterValidator(_positive)]
LocalPath = Annotated[Path, AfterValidator(_absolute)]


class Settings(BaseSettings):
    """The settings, with their defaults. Immutable; derive a variant with ``model_copy(update=...)``."""

    model_config = SettingsConfigDict(env_prefix="IOT_", env_file=".env", extra="ignore", frozen=True)

    # Where things are
    kafka: str = Field("127.0.0.1:9092", description="Kafka bootstrap servers, host:port[,host:port]")
    redis: str = Field("redis://127.0.0.1:6379/0", description="Redis with RedisTimeSeries, as a URL")
    flink: str = Field("http://127.0.0.1:8081", description="REST address of the Flink JobManager")
    sensors: LocalPath = Field(ROOT / "sensors.toml", description="the sensor catalogue")
    data_dir: LocalPath = Field(ROOT / ".local", description="data, logs and checkpoints of the local stack")
    checkpoints: str = Field(
        "", description="where Flink keeps checkpoints and savepoints, as a URI; empty: below the data directory"
    )

    # What the topics and series are called
    prefix: str = Field(
        "", pattern=r"^[A-Za-z0-9_.-]{0,64}$", description="put before the name of every topic, series and group"
    )
    partitions: int = Field(6, ge=1, le=10_000, description="partitions of dailyAggr")

    # Time rules (docs/time.md)
    window: Duration = Field(timedelta(days=1), description="tumbling window of the daily aggregates")
    sliding_window: Duration = Field(
        timedelta(days=2), description="sliding window of the meters' difference; slides by one tumbling window"
    )
    watermark_delay: Duration = Field(timedelta(seconds=10), description="B: the watermark follows event time by this")
    allowed_lateness: Duration = Field(
        timedelta(days=2, seconds=10), description="L: a reading counts until its sensor's clock is L + B past its day"
    )
    catch_up: Duration = Field(
        timedelta(days=7),
        description="C: windows stay open, and duplicates are known, for L + C; for sensors that were offline",
    )
    future_tolerance: Duration = Field(
        timedelta(hours=1), description="a reading measured later than this after it was sent is invalid"
    )
    watermark_idleness: Duration = Field(
        timedelta(seconds=60),
        description="wall time after which a partition without heartbeats stops holding windows open",
    )
    watermark_drift: Duration = Field(
        timedelta(days=2), description="event time by which a partition may run ahead of the slowest one"
    )

    # The Flink job
    parallelism: int = Field(2, ge=1, le=1024, description="parallel instances of each operator")
    job_group: str = Field("flink", description="consumer group that shows the job's progress")
    checkpoint_interval: Duration = Field(timedelta(seconds=10), description="wall time between checkpoints")
    sink_flush: Duration = Field(
        timedelta(milliseconds=200), description="wall time in which corrections of one aggregate are merged"
    )
    rest_ttl: Duration = Field(
        timedelta(days=10), description="wall time that the parts of a rest are kept; at least L + C for real sensors"
    )

    # The ingest bridge
    ingest_group: str = Field("ingest", description="consumer group of the bridge")
    batch: int = Field(5000, ge=1, le=100_000, description="most records written to Redis at once")
    settle: Duration = Field(
        timedelta(seconds=2), description="wall time that a withdrawal waits for the value that replaces it"
    )

    # The local stack
    kafka_controller_port: int = Field(9093, ge=1, le=65535, description="KRaft controller of the local stack")
    flink_rpc_port: int = Field(6123, ge=1, le=65535, description="JobManager RPC of the local stack")
    kafka_heap: str = Field("512m", pattern=r"^\d+[mg]$", description="Java heap of the local broker")
    jobmanager_memory: str = Field("1024m", pattern=r"^\d+[mg]$", description="memory of the local JobManager")
    taskmanager_memory: str = Field("1536m", pattern=r"^\d+[mg]$", description="memory of the local TaskManager")
    task_slots: int = Field(4, ge=1, le=64, description="task slots of the local TaskManager")

    @model_validator(mode="after")
    def _windows_fit(self) -> Settings:
        if self.sliding_window % self.window or self.sliding_window <= self.window:
            raise ValueError("sliding_window must be a multiple of window, at least twice as long")
        if self.window % timedelta(seconds=1):
            raise ValueError("window must be a whole number of seconds")
        if self.rest_ttl < timedelta(seconds=1):
            raise ValueError("rest_ttl must be at least a second")
        return self

    def environment(self) -> dict[str, str]:
        """These settings as environment variables, for a process that is to have the same."""
        return {f"IOT_{name.upper()}": str(value) for name, value in self.model_dump(mode="json").items()}

    @property
    def checkpoint_uri(self) -> str:
        """Where Flink keeps checkpoints and savepoints, as a URI without a trailing slash."""
        return (self.checkpoints or (self.data_dir / "data" / "flink").as_uri()).rstrip("/")

    @property
    def kafka_port(self) -> int:
        """Port of the first bootstrap server: the one that a local broker listens on."""
        return int(self.kafka.split(",")[0].rsplit(":", 1)[1])

    @property
    def redis_port(self) -> int:
        """Port in the Redis URL, 6379 where it names none."""
        return urlsplit(self.redis).port or 6379

    @property
    def flink_port(self) -> int:
        """Port in the Flink REST address, 8081 where it names none."""
        return urlsplit(self.flink).port or 8081


def load(**given: Any) -> Settings:
    """Read the settings; what is given and not None (a command's options) goes before the environment.

    Raises ``UserError`` that names each malformed setting.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        wrong = [f"{_variable(e['loc'])}: {e['msg']} (it is {e['input']!r})" for e in error.errors()]
        raise UserError("\n".join(wrong)) from error


def _variable(location: tuple[int | str, ...]) -> str:
    return f"IOT_{str(location[0]).upper()}" if location else "settings"
