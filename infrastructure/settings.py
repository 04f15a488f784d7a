"""Every setting of the system, in one place, in groups that the parts take by themselves.

A setting is read from the environment variable ``IOT_<NAME>``, else from the file ``.env`` at home
(infrastructure/home.py), else its default below is used. Relative paths are meant from home. Durations are ISO 8601
(``P2DT10S``) or a number of seconds. Addresses serve both sides: clients connect to them and the local stack listens
on them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from dotenv.parser import parse_stream
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from infrastructure import home
from infrastructure.wrong_settings import described, no_such, unknown
from topics.errors import UserError


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


def _none(value: Any) -> Any:
    return None if value == "" else value


Duration = Annotated[timedelta, BeforeValidator(_seconds), AfterValidator(_positive)]
LocalPath = Annotated[Path, AfterValidator(home.resolved)]
OptionalPath = Annotated[LocalPath | None, BeforeValidator(_none)]

PREFIX = r"[A-Za-z0-9_.-]{0,64}"
USER = r"^[A-Za-z0-9_.@-]{0,64}$"
MEMORY = r"^\d+[mg]$"
NAME = r"[A-Za-z0-9_.-]+"
"""A host's name or IPv4 address."""
SERVERS = r"^[^,\s]+:\d{1,5}(,[^,\s]+:\d{1,5})*$"
HTTP = r"^https?://[^@\s]+$"
LISTENING = r"^[A-Za-z0-9_.:-]+$"
BOARD = rf"^(http://{NAME}:\d{{1,5}})?$"
NAMES = rf"^({NAME}(,{NAME})*)?$"
HOST_PORT = r"^([A-Za-z0-9_.-]+:\d{1,5})?$"
PATTERNS = {
    f"^{PREFIX}$": "must be at most 64 letters, digits, and characters of _.-",
    USER: "must be at most 64 letters, digits, and characters of _.@-",
    MEMORY: "must be a size in MiB or GiB, as 512m or 1g",
    SERVERS: "must be HOST:PORT, or several of them with commas between, as 127.0.0.1:9092",
    HTTP: "must be an address as http://HOST:PORT, without user and password",
    LISTENING: "must be an address to listen on, as 127.0.0.1, without http:// and path",
    BOARD: "must be an address as http://127.0.0.1:8000, or empty",
    NAMES: "must be names of hosts with commas between",
    HOST_PORT: "must be HOST:PORT, or empty",
}
"""What a value must be that does not match."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""This machine's names for itself."""
ANY = "0.0.0.0"  # noqa: S104 - only who sets it listens there
"""Every address of this machine."""
NO_PASSWORD = SecretStr("")


def at(host: str, port: int) -> str:
    """The HTTP address where a process of this machine reaches what listens on ``host``; empty for port 0.

    What listens on every address is reached on loopback.
    """
    if not port:
        return ""
    host = {ANY: "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _check_port(url: str, form: str) -> None:
    """Raise ``ValueError`` when a URL has a port that is none."""
    try:
        _ = urlsplit(url).port
    except ValueError:
        raise ValueError(f"its port must be a number up to 65,535: {form}") from None


def _setting(variable: str, default: Any, description: str, **rules: Any) -> Any:
    """A setting that the environment variable ``variable`` gives."""
    return Field(default, validation_alias=variable, description=description, **rules)


def _port(variable: str, default: int, description: str) -> Any:
    return _setting(variable, default, description, ge=0, le=65535)


class _Group(BaseSettings):
    """Some settings; immutable."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)


class _Places(_Group):
    """Where this machine keeps what the system writes, and the passwords."""

    data_dir: LocalPath = _setting(
        "IOT_DATA_DIR", Path(".local"), "data, logs and checkpoints of the local stack, and by default the passwords"
    )
    secrets: OptionalPath = _setting(
        "IOT_SECRETS", None, "directory with a file for each password; empty: `secrets` in the data directory"
    )

    @property
    def secrets_dir(self) -> Path:
        """Where the passwords are that were not given themselves, one a file."""
        return self.secrets or self.data_dir / "secrets"


class SystemSettings(_Places):
    """What the topics and series are called, and which sensors there are."""

    prefix: str = _setting(
        "IOT_PREFIX", "", "put before the name of every topic, series and group", pattern=f"^{PREFIX}$"
    )
    partitions: int = _setting("IOT_PARTITIONS", 6, "partitions of dailyAggr", ge=1, le=10_000)
    sensors: Annotated[Path, AfterValidator(home.catalogue)] = _setting(
        "IOT_SENSORS", Path(home.CATALOGUE), "the sensor catalogue; that of the checkout where home has none"
    )


class KafkaSettings(_Places):
    """Where Kafka is, and who logs in to it."""

    servers: str = _setting(
        "IOT_KAFKA", "127.0.0.1:9092", "Kafka bootstrap servers, host:port[,host:port]", pattern=SERVERS
    )
    user: str = _setting("IOT_KAFKA_USER", "iot", "who logs in to Kafka, by SASL/SCRAM; empty: no login", pattern=USER)
    password: SecretStr = _setting(
        "IOT_KAFKA_PASSWORD", NO_PASSWORD, "empty: in the file `kafka_password` of IOT_SECRETS"
    )
    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256"] = _setting(
        "IOT_KAFKA_MECHANISM", "SCRAM-SHA-512", "the kind of SCRAM"
    )
    ca: OptionalPath = _setting(
        "IOT_KAFKA_CA", None, "PEM file of the authorities that Kafka's certificate may come from; empty: no TLS"
    )

    @property
    def host(self) -> str:
        """Host of the first bootstrap server."""
        return self.servers.split(",")[0].rsplit(":", 1)[0]

    @property
    def port(self) -> int:
        """Port of the first bootstrap server: the one that a local broker listens on."""
        return int(self.servers.split(",")[0].rsplit(":", 1)[1])

    @property
    def protocol(self) -> str:
        """Kafka's word for how a client connects: with or without login and TLS."""
        return ("SASL_" if self.user else "") + ("SSL" if self.ca else "PLAINTEXT")


class RedisSettings(_Places):
    """Where Redis with RedisTimeSeries is, and who logs in to it."""

    url: str = _setting("IOT_REDIS", "redis://127.0.0.1:6379/0", "Redis with RedisTimeSeries, as a URL")
    ingest_user: str = _setting(
        "IOT_REDIS_INGEST_USER", "ingest", "who writes series (bridge and rebuild); empty: no login", pattern=USER
    )
    ingest_password: SecretStr = _setting(
        "IOT_REDIS_INGEST_PASSWORD", NO_PASSWORD, "empty: in the file `redis_ingest_password` of IOT_SECRETS"
    )
    viewer_user: str = _setting(
        "IOT_REDIS_VIEWER_USER", "viewer", "who reads series (export, board); empty: no login", pattern=USER
    )
    viewer_password: SecretStr = _setting(
        "IOT_REDIS_VIEWER_PASSWORD", NO_PASSWORD, "empty: in the file `redis_viewer_password` of IOT_SECRETS"
    )
    ca: OptionalPath = _setting(
        "IOT_REDIS_CA",
        None,
        "with rediss://: PEM file of the authorities for Redis' certificate; empty: the system's",
    )
    certificate: OptionalPath = _setting(
        "IOT_REDIS_CERTIFICATE",
        None,
        "with rediss://: PEM file with certificate and key of the client, where Redis asks for them",
    )

    @field_validator("url")
    @classmethod
    def _address_alone(cls, url: str) -> str:
        if "@" in url:  # the address is shown and logged
            raise ValueError("users and passwords do not belong into the address: see IOT_REDIS_INGEST_USER")
        form = "give it as redis://HOST:PORT/0, or rediss://HOST:PORT/0 with TLS"
        if urlsplit(url).scheme not in ("redis", "rediss"):
            raise ValueError(form)
        _check_port(url, form)
        return url

    @property
    def port(self) -> int:
        """Port in the URL, 6379 where it names none."""
        return urlsplit(self.url).port or 6379


class FlinkSettings(_Group):
    """Where the Flink cluster is."""

    url: str = _setting("IOT_FLINK", "http://127.0.0.1:8081", "REST address of the Flink JobManager", pattern=HTTP)

    @field_validator("url")
    @classmethod
    def _port_is_one(cls, url: str) -> str:
        _check_port(url, "give it as http://HOST:PORT")
        return url

    @property
    def host(self) -> str:
        """Host in the REST address."""
        return urlsplit(self.url).hostname or "127.0.0.1"

    @property
    def port(self) -> int:
        """Port in the REST address, 8081 where it names none."""
        return urlsplit(self.url).port or 8081


class TimeSettings(_Group):
    """The rules of time (docs/explanation/time.md)."""

    watermark_delay: Duration = _setting(
        "IOT_WATERMARK_DELAY", timedelta(seconds=10), "B: the watermark follows event time by this"
    )
    allowed_lateness: Duration = _setting(
        "IOT_ALLOWED_LATENESS",
        timedelta(days=2, seconds=10),
        "L: a reading counts until its sensor's clock is L + B past its day",
    )
    catch_up: Duration = _setting(
        "IOT_CATCH_UP",
        timedelta(days=7),
        "C: windows stay open, and duplicates are known, for L + C; for sensors that were offline",
    )
    future_tolerance: Duration = _setting(
        "IOT_FUTURE_TOLERANCE",
        timedelta(hours=1),
        "a reading measured later than this after Kafka received it is invalid",
    )
    watermark_idleness: Duration = _setting(
        "IOT_WATERMARK_IDLENESS",
        timedelta(seconds=60),
        "wall time after which a partition without heartbeats stops holding windows open",
    )
    watermark_drift: Duration = _setting(
        "IOT_WATERMARK_DRIFT", timedelta(days=2), "event time by which a partition may run ahead of the slowest one"
    )


class JobSettings(_Places):
    """The Flink job."""

    parallelism: int = _setting("IOT_PARALLELISM", 2, "parallel instances of each operator", ge=1, le=1024)
    group: str = _setting("IOT_JOB_GROUP", "flink", "consumer group that shows the job's progress")
    checkpoints: str = _setting(
        "IOT_CHECKPOINTS",
        "",
        "where Flink keeps checkpoints and savepoints, as a URI; empty: below the data directory",
    )
    checkpoint_interval: Duration = _setting(
        "IOT_CHECKPOINT_INTERVAL", timedelta(seconds=10), "wall time between checkpoints"
    )
    sink_flush: Duration = _setting(
        "IOT_SINK_FLUSH", timedelta(milliseconds=200), "wall time in which corrections of one aggregate are merged"
    )
    rest_ttl: Duration = _setting(
        "IOT_REST_TTL",
        timedelta(days=10),
        "wall time that the parts of a rest are kept; at least L + C for real sensors",
    )

    @field_validator("rest_ttl")
    @classmethod
    def _a_second_at_least(cls, duration: timedelta) -> timedelta:
        if duration < timedelta(seconds=1):
            raise ValueError("must be at least a second")
        return duration

    @property
    def checkpoint_uri(self) -> str:
        """Where Flink keeps checkpoints and savepoints, as a URI without a trailing slash."""
        return (self.checkpoints or (self.data_dir / "data" / "flink").as_uri()).rstrip("/")


class IngestSettings(_Group):
    """The ingest bridge."""

    group: str = _setting("IOT_INGEST_GROUP", "ingest", "consumer group of the bridge")
    batch: int = _setting("IOT_BATCH", 5000, "most records written to Redis at once", ge=1, le=100_000)
    settle: Duration = _setting(
        "IOT_SETTLE", timedelta(seconds=2), "wall time that a tombstone waits for the value that replaces it"
    )


class MonitoringSettings(_Group):
    """What can be seen of the processes from outside."""

    host: str = _setting(
        "IOT_METRICS_HOST",
        "127.0.0.1",
        "address on which /metrics and /health are served; 0.0.0.0: on every one",
        pattern=LISTENING,
    )
    producer_port: int = _port("IOT_PRODUCER_METRICS", 9251, "port of the producer's /metrics and /health; 0: none")
    ingest_port: int = _port("IOT_INGEST_METRICS", 9252, "port of the bridge's /metrics and /health; 0: none")
    job_port: int = _port(
        "IOT_JOB_METRICS", 9250, "port of the Flink job's /metrics and /health; 0: none, and no exporter"
    )
    log_format: Literal["text", "json"] = _setting(
        "IOT_LOG_FORMAT", "text", "log lines as text, or as json: one object a line; of the local Kafka and Flink too"
    )

    @property
    def producer_url(self) -> str:
        """Where this machine reaches the producer's /metrics and /health; empty: nowhere, as in the next ones."""
        return at(self.host, self.producer_port)

    @property
    def ingest_url(self) -> str:
        """The same of the bridge."""
        return at(self.host, self.ingest_port)

    @property
    def job_url(self) -> str:
        """The same of the Flink job."""
        return at(self.host, self.job_port)


class BoardSettings(_Group):
    """The board."""

    url: str = _setting(
        "IOT_BOARD",
        "http://127.0.0.1:8000",
        "address on which the board listens; http://0.0.0.0:PORT: on every one; empty: no board",
        pattern=BOARD,
    )
    hosts: str = _setting(
        "IOT_BOARD_HOSTS",
        "",
        "names under which the board answers, comma separated, besides 127.0.0.1, localhost and the one in IOT_BOARD",
        pattern=NAMES,
    )

    @property
    def host(self) -> str:
        """Host in the address; 0.0.0.0 is every address of this machine."""
        return urlsplit(self.url).hostname or "127.0.0.1"

    @property
    def port(self) -> int:
        """Port of the board, 0 where there is none."""
        return urlsplit(self.url).port or 0

    @property
    def local_url(self) -> str:
        """Where a browser on this machine finds it; empty where there is none."""
        return at(self.host, self.port)

    @property
    def names(self) -> list[str]:
        """Under which it answers: a page elsewhere that gives its own name the board's address must get nothing."""
        given = [self.host, *filter(None, self.hosts.split(","))]
        return list(dict.fromkeys(["127.0.0.1", "localhost", *(name for name in given if name != ANY)]))


class GrafanaSettings(_Group):
    """A Grafana that the dashboards are pushed into."""

    url: str = _setting("IOT_GRAFANA", "http://127.0.0.1:3000", "where Grafana is", pattern=HTTP)
    token: SecretStr = _setting(
        "IOT_GRAFANA_TOKEN", NO_PASSWORD, "token of a service account of Grafana, with the role Admin"
    )
    redis: str = _setting(
        "IOT_GRAFANA_REDIS",
        "",
        "Redis as Grafana reaches it, host:port; empty: as in IOT_REDIS",
        pattern=HOST_PORT,
    )


class StackSettings(_Group):
    """The servers of the local stack."""

    kafka_controller_port: int = _port("IOT_KAFKA_CONTROLLER_PORT", 9093, "KRaft controller of the local stack")
    certificate: OptionalPath = _setting(
        "IOT_STACK_CERTIFICATE",
        None,
        "PEM file with certificate and key of the local Kafka and Redis; empty: no TLS there",
    )
    flink_rpc_port: int = _port("IOT_FLINK_RPC_PORT", 6123, "JobManager RPC of the local stack")
    zookeeper_port: int = _port("IOT_ZOOKEEPER_PORT", 2181, "ZooKeeper of the local stack")
    kafka_heap: str = _setting("IOT_KAFKA_HEAP", "512m", "Java heap of the local broker", pattern=MEMORY)
    redis_memory: str = _setting(
        "IOT_REDIS_MEMORY", "1g", "memory of the local Redis; when it is full the bridge waits for more", pattern=MEMORY
    )
    jobmanager_memory: str = _setting(
        "IOT_JOBMANAGER_MEMORY", "1024m", "memory of the local JobManager", pattern=MEMORY
    )
    taskmanager_memory: str = _setting(
        "IOT_TASKMANAGER_MEMORY", "1536m", "memory of the local TaskManager", pattern=MEMORY
    )
    task_slots: int = _setting("IOT_TASK_SLOTS", 4, "task slots of the local TaskManager", ge=1, le=64)


@dataclass(frozen=True)
class Settings:
    """All of them. Immutable: ``replace`` gives a variant."""

    system: SystemSettings
    kafka: KafkaSettings
    redis: RedisSettings
    flink: FlinkSettings
    time: TimeSettings
    job: JobSettings
    ingest: IngestSettings
    monitoring: MonitoringSettings
    board: BoardSettings
    grafana: GrafanaSettings
    stack: StackSettings

    @classmethod
    def of(cls, *, env_file: str | None = home.SETTINGS, **given: Any) -> Self:
        """The settings; those that are given go before the environment, and that before the file, if any.

        A setting is named like its variable, in lower case without ``IOT_``. Raises ``UserError`` that names each
        malformed one, ``TypeError`` when there is none of that name.
        """
        if unknown := sorted(given.keys() - {variable.name for variable in variables()}):
            raise TypeError(f"there is no setting {unknown[0]}")
        values = {f"IOT_{name.upper()}": value for name, value in given.items()}
        file = None if env_file is None else home.resolved(Path(env_file))
        groups: dict[str, Any] = {}
        wrong: dict[str, None] = dict.fromkeys(_unknown_in_file(file) if file else ())
        for name, group in GROUPS.items():
            own = {alias for field in group.model_fields.values() if (alias := str(field.validation_alias)) in values}
            try:
                groups[name] = group(_env_file=file, **{alias: values[alias] for alias in own})
            except ValidationError as error:
                wrong |= dict.fromkeys(described(error, HIDDEN, PATTERNS))
        if wrong:
            raise UserError("\n".join(wrong))
        return cls(**groups)

    def replace(self, **changes: Any) -> Self:
        """These settings with some others, which are named as for ``of`` and not validated."""
        groups: dict[str, Any] = {}
        for variable in variables():
            if variable.name in changes:
                update = {variable.field: changes[variable.name]}
                group = groups.get(variable.group) or getattr(self, variable.group)
                groups[variable.group] = group.model_copy(update=update)
        if unknown := sorted(changes.keys() - {variable.name for variable in variables()}):
            raise TypeError(f"there is no setting {unknown[0]}")
        return replace(self, **groups)

    def flat(self) -> dict[str, Any]:
        """Every setting by its name, as for ``of``."""
        return {variable.name: getattr(getattr(self, variable.group), variable.field) for variable in variables()}

    def environment(self, *, only_redis_as_viewer: bool = False) -> dict[str, str]:
        """These settings as environment variables, for a process that is to have the same.

        Without Grafana's token. With ``only_redis_as_viewer`` without passwords but the viewer's; those that are in
        files stay where they are.
        """
        found = {}
        for variable in variables():
            group: _Group = getattr(self, variable.group)
            value = getattr(group, variable.field)
            if isinstance(value, SecretStr):
                hidden = only_redis_as_viewer and variable.name != "redis_viewer_password"
                value = "" if hidden else value.get_secret_value()
            elif value is not None:
                value = group.model_dump(mode="json", include={variable.field})[variable.field]
            found[f"IOT_{variable.name.upper()}"] = "" if value is None else str(value)
        del found["IOT_GRAFANA_TOKEN"]
        return {**found, home.VARIABLE: str(home.find().directory)}

    @property
    def prefix(self) -> str:
        """Stands before the name of every topic, series and group."""
        return self.system.prefix

    @property
    def partitions(self) -> int:
        """Partitions of dailyAggr."""
        return self.system.partitions

    @property
    def sensors(self) -> Path:
        """The file of the sensor catalogue."""
        return self.system.sensors

    @property
    def data_dir(self) -> Path:
        """Where this machine keeps what the system writes."""
        return self.system.data_dir

    @property
    def secrets_dir(self) -> Path:
        """Where the passwords are that were not given themselves, one a file."""
        return self.system.secrets_dir


GROUPS: dict[str, type[_Group]] = {
    "system": SystemSettings,
    "kafka": KafkaSettings,
    "redis": RedisSettings,
    "flink": FlinkSettings,
    "time": TimeSettings,
    "job": JobSettings,
    "ingest": IngestSettings,
    "monitoring": MonitoringSettings,
    "board": BoardSettings,
    "grafana": GrafanaSettings,
    "stack": StackSettings,
}
"""The groups by their names in ``Settings``."""
assert list(GROUPS) == [field.name for field in fields(Settings)]


class Variable(NamedTuple):
    """A setting: the name of its variable in lower case without ``IOT_``, its group, its field there."""

    name: str
    group: str
    field: str
    info: FieldInfo


def variables() -> Iterator[Variable]:
    """Every setting, in the order of the groups; one that several groups have, several times."""
    for name, group in GROUPS.items():
        for field, info in group.model_fields.items():
            yield Variable(str(info.validation_alias).removeprefix("IOT_").lower(), name, field, info)


def load_settings(**given: Any) -> Settings:
    """Read the settings; what is given and not None (a command's options) goes before the environment.

    A variable of the environment that is called like a setting and is none gets a warning on standard error.
    Raises ``UserError`` that names each malformed setting.
    """
    settings = Settings.of(**{name: value for name, value in given.items() if value is not None})
    for name, near in unknown(os.environ, KNOWN).items():
        if name not in _warned:
            _warned.add(name)
            _warn(settings, no_such(name, near))
    return settings


_warned = set[str]()


def _warn(settings: Settings, message: str) -> None:
    if settings.monitoring.log_format == "json":
        from infrastructure import logs  # with text nobody waits for it

        logs.configure("json")
        logs.get(__name__).warning(message)
    else:
        print(f"warning: {message}", file=sys.stderr)


def _unknown_in_file(file: Path) -> Iterator[str]:
    """A line for each setting of the file that there is not. Raises ``UserError`` for a line that is none."""
    try:
        with file.open(encoding="utf-8") as lines:
            bindings = list(parse_stream(lines))
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read as UTF-8: {error}") from error
    if wrong := [binding.original for binding in bindings if binding.error]:
        raise UserError("\n".join(f"{file}, line {each.line}: give a setting as IOT_NAME=value" for each in wrong))
    for name, near in unknown([binding.key for binding in bindings if binding.key], KNOWN).items():
        yield f"{file}: {no_such(name.upper(), near)}"


KNOWN = frozenset(f"IOT_{v.name.upper()}" for v in variables())
"""The variables of the settings."""

HIDDEN = {f"IOT_{v.name.upper()}" for v in variables() if v.info.annotation is SecretStr} | {"IOT_REDIS"}
"""Settings that are not repeated when they are malformed. A URL may have got a password."""
