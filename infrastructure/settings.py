"""Every setting of the system, in one place.

A setting is read from the environment variable ``IOT_<NAME>``, else from a file ``.env`` in the working
directory, else its default below is used. Durations are ISO 8601 (``P2DT10S``) or a number of seconds.
Addresses serve both sides: clients connect to them and the local stack listens on them.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from topics.errors import UserError

ROOT = Path(__file__).resolve().parent.parent


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


def _none(value: Any) -> Any:
    return None if value == "" else value


Duration = Annotated[timedelta, BeforeValidator(_seconds), AfterValidator(_positive)]
LocalPath = Annotated[Path, AfterValidator(_absolute)]
OptionalPath = Annotated[LocalPath | None, BeforeValidator(_none)]

PREFIX = r"[A-Za-z0-9_.-]{0,64}"
USER = r"^[A-Za-z0-9_.@-]{0,64}$"
NO_PASSWORD = SecretStr("")


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

    # Who may do what (README, Access)
    kafka_user: str = Field("iot", pattern=USER, description="who logs in to Kafka, by SASL/SCRAM; empty: no login")
    kafka_password: SecretStr = Field(NO_PASSWORD, description="empty: in the file `kafka_password` of IOT_SECRETS")
    kafka_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256"] = Field("SCRAM-SHA-512", description="the kind of SCRAM")
    kafka_ca: OptionalPath = Field(
        None, description="PEM file of the authorities that Kafka's certificate may come from; empty: no TLS"
    )
    redis_ingest_user: str = Field(
        "ingest", pattern=USER, description="who writes series (bridge and rebuild); empty: no login"
    )
    redis_ingest_password: SecretStr = Field(
        NO_PASSWORD, description="empty: in the file `redis_ingest_password` of IOT_SECRETS"
    )
    redis_viewer_user: str = Field(
        "viewer", pattern=USER, description="who reads series (export, board); empty: no login"
    )
    redis_viewer_password: SecretStr = Field(
        NO_PASSWORD, description="empty: in the file `redis_viewer_password` of IOT_SECRETS"
    )
    redis_ca: OptionalPath = Field(
        None, description="with rediss://: PEM file of the authorities for Redis' certificate; empty: the system's"
    )
    redis_certificate: OptionalPath = Field(
        None, description="with rediss://: PEM file with certificate and key of the client, where Redis asks for them"
    )
    secrets: OptionalPath = Field(
        None, description="directory with a file for each password; empty: `secrets` in the data directory"
    )

    # What the topics and series are called
    prefix: str = Field("", pattern=f"^{PREFIX}$", description="put before the name of every topic, series and group")
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

    # What can be seen
    producer_metrics: int = Field(
        9251, ge=0, le=65535, description="port of the producer's /metrics on 127.0.0.1; 0: none"
    )
    ingest_metrics: int = Field(9252, ge=0, le=65535, description="port of the bridge's /metrics on 127.0.0.1; 0: none")
    job_metrics: int = Field(
        9250, ge=0, le=65535, description="port of the Flink job's /metrics on 127.0.0.1; 0: none, and no exporter"
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="log lines as text, or as json: one object a line; of the local Kafka and Flink too"
    )

    board: str = Field(
        "http://127.0.0.1:8000",
        pattern=r"^(http://(127\.0\.0\.1|0\.0\.0\.0):\d{1,5})?$",
        description="address of the board on this machine; http://0.0.0.0:PORT in a container; empty: none",
    )

    # Grafana
    grafana: str = Field("http://127.0.0.1:3000", pattern=r"^https?://[^@]+$", description="where Grafana is")
    grafana_token: SecretStr = Field(
        SecretStr(""), exclude=True, description="token of a service account of Grafana, with the role Admin"
    )
    grafana_redis: str = Field(
        "",
        pattern=r"^([A-Za-z0-9_.-]+:\d{1,5})?$",
        description="Redis as Grafana reaches it, host:port; empty: as in IOT_REDIS",
    )

    # The local stack
    kafka_controller_port: int = Field(9093, ge=1, le=65535, description="KRaft controller of the local stack")
    stack_certificate: OptionalPath = Field(
        None, description="PEM file with certificate and key of the local Kafka and Redis; empty: no TLS there"
    )
    flink_rpc_port: int = Field(6123, ge=1, le=65535, description="JobManager RPC of the local stack")
    zookeeper_port: int = Field(2181, ge=1, le=65535, description="ZooKeeper of the local stack")
    kafka_heap: str = Field("512m", pattern=r"^\d+[mg]$", description="Java heap of the local broker")
    redis_memory: str = Field(
        "1g", pattern=r"^\d+[mg]$", description="memory of the local Redis; when it is full the bridge waits for more"
    )
    jobmanager_memory: str = Field("1024m", pattern=r"^\d+[mg]$", description="memory of the local JobManager")
    taskmanager_memory: str = Field("1536m", pattern=r"^\d+[mg]$", description="memory of the local TaskManager")
    task_slots: int = Field(4, ge=1, le=64, description="task slots of the local TaskManager")

    @field_validator("redis")
    @classmethod
    def _address_alone(cls, url: str) -> str:
        if "@" in url:  # the address is shown and logged
            raise ValueError("users and passwords do not belong into the address: see IOT_REDIS_INGEST_USER")
        if urlsplit(url).scheme not in ("redis", "rediss"):
            raise ValueError("give it as redis://HOST:PORT/0, or rediss://HOST:PORT/0 with TLS")
        return url

    @model_validator(mode="after")
    def _windows_fit(self) -> Settings:
        if self.sliding_window % self.window or self.sliding_window <= self.window:
            raise ValueError("sliding_window must be a multiple of window, at least twice as long")
        if self.window % timedelta(seconds=1):
            raise ValueError("window must be a whole number of seconds")
        if self.rest_ttl < timedelta(seconds=1):
            raise ValueError("rest_ttl must be at least a second")
        return self

    def environment(self, *, only_redis_as_viewer: bool = False) -> dict[str, str]:
        """These settings as environment variables, for a process that is to have the same.

        With ``only_redis_as_viewer`` without passwords but the viewer's; those that are in files stay where they are.
        """
        passwords = {
            name: NO_PASSWORD if only_redis_as_viewer and name != "redis_viewer_password" else value
            for name, value in self
            if isinstance(value, SecretStr)
        }
        return {
            f"IOT_{name.upper()}": passwords[name].get_secret_value()
            if name in passwords
            else ""
            if value is None
            else str(value)
            for name, value in self.model_dump(mode="json").items()
        }

    @property
    def secrets_dir(self) -> Path:
        """Where the passwords are that were not given themselves, one a file."""
        return self.secrets or self.data_dir / "secrets"

    @property
    def checkpoint_uri(self) -> str:
        """Where Flink keeps checkpoints and savepoints, as a URI without a trailing slash."""
        return (self.checkpoints or (self.data_dir / "data" / "flink").as_uri()).rstrip("/")

    @property
    def kafka_host(self) -> str:
        """Host of the first bootstrap server."""
        return self.kafka.split(",")[0].rsplit(":", 1)[0]

    @property
    def kafka_port(self) -> int:
        """Port of the first bootstrap server: the one that a local broker listens on."""
        return int(self.kafka.split(",")[0].rsplit(":", 1)[1])

    @property
    def kafka_protocol(self) -> str:
        """Kafka's word for how a client connects: with or without login and TLS."""
        return ("SASL_" if self.kafka_user else "") + ("SSL" if self.kafka_ca else "PLAINTEXT")

    @property
    def redis_port(self) -> int:
        """Port in the Redis URL, 6379 where it names none."""
        return urlsplit(self.redis).port or 6379

    @property
    def flink_host(self) -> str:
        """Host in the Flink REST address."""
        return urlsplit(self.flink).hostname or "127.0.0.1"

    @property
    def board_port(self) -> int:
        """Port of the board, 0 where there is none."""
        return urlsplit(self.board).port or 0

    @property
    def flink_port(self) -> int:
        """Port in the Flink REST address, 8081 where it names none."""
        return urlsplit(self.flink).port or 8081


def load_settings(**given: Any) -> Settings:
    """Read the settings; what is given and not None (a command's options) goes before the environment.

    Raises ``UserError`` that names each malformed setting.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        wrong = [f"{_variable(e['loc'])}: {e['msg']}{_shown(e['loc'], e['input'])}" for e in error.errors()]
        raise UserError("\n".join(wrong)) from error


def _shown(location: tuple[int | str, ...], value: object) -> str:
    """What was given, unless it is, or holds, a password."""
    return f" (it is {value!r})" if location and location[0] in Settings.model_fields.keys() - HIDDEN else ""


HIDDEN = {name for name, field in Settings.model_fields.items() if field.annotation is SecretStr} | {"redis"}
"""Settings that are not repeated when they are malformed. A URL may have got a password."""


def _variable(location: tuple[int | str, ...]) -> str:
    return f"IOT_{str(location[0]).upper()}" if location else "settings"
