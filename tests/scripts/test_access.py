"""Who may do what on the local stack: what is not allowed is refused, and no password is seen anywhere."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
import requests
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from pydantic import SecretStr

from infrastructure.kafka import admin
from infrastructure.kafka.client import kafka_options
from infrastructure.passwords import password_of
from infrastructure.redis.client import RedisUser, redis_client
from infrastructure.settings import Settings
from ingest.bridge import Bridge
from jobs.daily_aggregates import SPEC
from scripts.stack import access, redis_cli
from scripts.stack.supervision import Stack
from tests.running import Bridging, submit_quickly, wait_for
from topics import catalogue
from topics.errors import UserError
from topics.names import AGGREGATES, READINGS

WRITES = {"ping", "waitaof", "unlink", "ts.create", "ts.add", "ts.madd", "ts.del", "ts.queryindex"}
READS = {"ping", "ts.get", "ts.info", "ts.mget", "ts.mrange", "ts.queryindex", "ts.range"}
UNAUTHENTICATED = {"auth", "hello", "quit", "reset"}
"""Redis takes these from everybody: they do nothing but log in and out."""


# Redis


@pytest.fixture
def clients(settings: Settings) -> Iterator[dict[str, redis.Redis]]:
    """A client of each user, and one that does not log in; there is a series to work on."""
    users: dict[str, RedisUser] = {"admin": "admin", "ingest": "ingest", "viewer": "viewer"}
    found = {name: redis_client(settings.redis, user) for name, user in users.items()}
    found["nobody"] = redis_client(settings.replace(redis_viewer_user="").redis, "viewer")
    key = settings.prefix + "TH1"
    found["admin"].execute_command("TS.CREATE", key, "LABELS", "site", "home")
    yield found
    found["admin"].delete(key)
    for client in found.values():
        client.close()


@pytest.mark.parametrize(
    ("command", "allowed"),
    [
        ("PING", {"ingest", "viewer"}),
        ("TS.ADD {key} 1 1.0", {"ingest"}),
        ("TS.MADD {key} 2 1.0", {"ingest"}),
        ("TS.DEL {key} 1 1", {"ingest"}),
        ("TS.CREATE {key}.more LABELS site home", {"ingest"}),
        ("UNLINK {key}.more", {"ingest"}),
        ("WAITAOF 1 0 1000", {"ingest"}),
        ("TS.RANGE {key} - +", {"viewer"}),
        ("TS.MRANGE - + FILTER site=home", {"viewer"}),
        ("TS.GET {key}", {"viewer"}),
        ("TS.MGET FILTER site=home", {"viewer"}),
        ("TS.INFO {key}", {"viewer"}),
        ("TS.QUERYINDEX site=home", {"ingest", "viewer"}),
        ("SET {key}.text value", set()),
        ("HSET {key}.hash field value", set()),
        ("GET {key}", set()),
        ("DEL {key}", set()),
        ("RENAME {key} {key}.other", set()),
        ("COPY {key} {key}.other", set()),
        ("EXPIRE {key} 1", set()),
        ("DUMP {key}", set()),
        ("TS.ALTER {key} RETENTION 1", set()),
        ("TS.INCRBY {key} 1", set()),
        ("TS.CREATERULE {key} {key}.rule AGGREGATION avg 1000", set()),
        ("KEYS *", set()),
        ("SCAN 0", set()),
        ("FLUSHALL", set()),
        ("FLUSHDB", set()),
        ("CONFIG GET *", set()),
        ("CONFIG SET appendonly no", set()),
        ("ACL LIST", set()),
        ("ACL SETUSER viewer +@all", set()),
        ("CLIENT LIST", set()),
        ("MODULE LIST", set()),
        ("EVAL return(1) 0", set()),
        ("SAVE", set()),
        ("BGREWRITEAOF", set()),
        ("REPLICAOF NO ONE", set()),
        ("MONITOR", set()),
        ("SUBSCRIBE channel", set()),
        ("PUBLISH channel message", set()),
        ("SELECT 1", set()),
        ("INFO", set()),
        ("SHUTDOWN NOSAVE", set()),
    ],
)
def test_each_user_of_redis_may_do_its_work_and_nothing_else(
    clients: dict[str, redis.Redis], settings: Settings, command: str, allowed: set[str]
) -> None:
    words = command.format(key=settings.prefix + "TH1").split()
    for name in ("ingest", "viewer"):
        if name in allowed:
            clients[name].execute_command(*words)
        else:
            with pytest.raises(redis.exceptions.NoPermissionError):
                clients[name].execute_command(*words)
    with pytest.raises(redis.exceptions.AuthenticationError, match="Authentication required"):
        clients["nobody"].execute_command(*words)


def test_no_command_was_forgotten(clients: dict[str, redis.Redis]) -> None:
    """Redis is asked of every command it has what it would do, with as many arguments as it wants."""
    everything = clients["admin"].execute_command("COMMAND").values()
    commands = [each for info in everything for each in (info.get("subcommands") or [info])]
    assert len(commands) > 300
    may: dict[str, set[str]] = {"ingest": set(), "viewer": set()}
    for user, allowed in may.items():
        for info in commands:
            name, arity = (
                (info["name"], info["arity"]) if isinstance(info, dict) else (info[0].decode().lower(), info[1])
            )
            words = [*name.split("|"), *["1"] * (abs(arity) - 1 - name.count("|"))]
            answer = clients["admin"].execute_command("ACL DRYRUN", user, *words)
            assert answer == b"OK" or b"has no permissions" in answer, (name, answer)
            if answer == b"OK":
                allowed.add(name)
    assert may == {"ingest": WRITES | UNAUTHENTICATED, "viewer": READS | UNAUTHENTICATED}


@pytest.mark.parametrize(
    ("update", "said"),
    [
        ({"redis_viewer_password": SecretStr("guessed")}, "IOT_REDIS_VIEWER_USER, and the user's password"),
        ({"redis_viewer_user": "default", "redis_viewer_password": SecretStr("guessed")}, "invalid username-password"),
        ({"redis_viewer_user": ""}, "Authentication required"),
    ],
)
def test_export_says_why_redis_refuses(settings: Settings, update: dict[str, Any], said: str) -> None:
    from operations import export

    with pytest.raises(UserError, match=said):
        export.export(settings.replace(**update), ["*"], export.span(None, None), export.Target("csv", None))


def test_redis_own_client_reads_series_and_changes_nothing(stack: Stack, clients: dict[str, redis.Redis]) -> None:
    clients["admin"].ping()

    def said(*words: str, code: int = 0) -> str:
        line, environment = redis_cli.command(stack.settings.redis, words)
        done = subprocess.run(line, env={**os.environ, **environment}, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    assert "TH1" in said("TS.QUERYINDEX", "site=home")
    assert "NOPERM" in said("FLUSHALL", code=1)


# Kafka


@pytest.mark.parametrize(
    ("update", "said"),
    [
        ({"kafka_password": SecretStr("guessed")}, "refuses.*invalid credentials.*IOT_KAFKA_USER.*kafka_password"),
        ({"kafka_user": "somebody", "kafka_password": SecretStr("guessed")}, "refuses.*invalid credentials"),
        ({"kafka_user": "admin", "kafka_password": SecretStr("guessed")}, "refuses.*invalid credentials"),
        ({"kafka_mechanism": "SCRAM-SHA-256"}, "refuses.*IOT_KAFKA_MECHANISM"),
        ({"kafka_user": ""}, r"hangs up.*a login \(IOT_KAFKA_USER\)"),
    ],
)
def test_who_kafka_does_not_know_gets_nothing_and_hears_why(
    settings: Settings, update: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        admin.create(settings.replace(**update))


def test_the_bridge_says_why_kafka_refuses(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    other = settings.replace(kafka_password=SecretStr("guessed"))
    with Bridging(Bridge(other, catalogue.read(settings.sensors))):
        wait_for(
            lambda: any("see IOT_KAFKA_USER" in getattr(r, "error", "") for r in caplog.records),
            "a word about the login",
        )
    assert "guessed" not in caplog.text


def test_the_admin_does_not_log_in_with_the_applications_password(settings: Settings) -> None:
    options = access.kafka_admin(settings) | {"sasl.password": password_of(settings, "kafka_password")}
    with pytest.raises(KafkaException):
        AdminClient({**options, "log_level": 0}).list_topics(timeout=2)


def _result(futures: dict[Any, Any]) -> Any:
    (future,) = futures.values()
    return future.result()


RULE = AclBinding(
    ResourceType.TOPIC, "*", ResourcePatternType.LITERAL, "User:iot", "*", AclOperation.ALL, AclPermissionType.ALLOW
)
ANY = AclBindingFilter(
    ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
)


def _changed(kind: Any, name: str) -> ConfigResource:
    entry = ConfigEntry("retention.ms", "1", incremental_operation=AlterConfigOpType.SET)
    return ConfigResource(kind, name, incremental_configs=[entry])


@pytest.mark.parametrize(
    "act",
    [
        lambda client, _: _result(client.create_acls([RULE])),
        lambda client, _: _result(client.delete_acls([ANY])),
        lambda client, _: _result(
            client.alter_user_scram_credentials(
                [UserScramCredentialUpsertion("iot", ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), b"mine")]
            )
        ),
        lambda client, _: _result(client.incremental_alter_configs([_changed(ConfigResource.Type.BROKER, "1")])),
        lambda client, _: _result(client.describe_configs([ConfigResource(ConfigResource.Type.BROKER, "1")])),
        lambda client, topic: _result(client.create_partitions([NewPartitions(topic, 20)])),
    ],
)
def test_the_application_is_no_administrator_of_kafka(
    settings: Settings, act: Callable[[AdminClient, str], Any]
) -> None:
    client = AdminClient({**kafka_options(settings.kafka), "log_level": 0})
    assert client.describe_acls(ANY).result() == [], "it sees who may do what"
    with pytest.raises(KafkaException) as error:
        act(client, settings.prefix + READINGS)
    assert error.value.args[0].code() in (
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
    )


def test_a_user_without_rights_may_log_in_and_nothing_more(settings: Settings) -> None:
    credential = UserScramCredentialUpsertion(
        "guest", ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), b"guest"
    )
    administrator = AdminClient(access.kafka_admin(settings))
    _result(administrator.alter_user_scram_credentials([credential]))
    guest = settings.replace(kafka_user="guest", kafka_password=SecretStr("guest"))
    assert admin.partitions(guest.kafka) == {}, "it sees topics"
    failed = []
    producer = Producer({**kafka_options(guest.kafka), "log_level": 0, "message.timeout.ms": 10_000})
    topic = settings.prefix + READINGS
    producer.produce(topic, b"{}", on_delivery=lambda error, _: failed.append(error.code()))
    producer.flush()
    assert failed == [KafkaError.TOPIC_AUTHORIZATION_FAILED]
    consumer = Consumer({**kafka_options(guest.kafka), "group.id": "guest", "log_level": 0})
    consumer.assign([TopicPartition(topic, 0, 0)])
    heard = wait_for(lambda: consumer.poll(1), "an answer")
    assert heard.error().code() in (
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
    )
    consumer.close()
    with pytest.raises(admin.TopicError, match="IOT_KAFKA_USER may not do that"):
        admin.create(guest)


# Passwords


def passwords(settings: Settings) -> list[str]:
    return [(settings.secrets_dir / name).read_text() for name in access.PASSWORDS]


def test_nobody_else_can_read_what_holds_a_password(stack: Stack) -> None:
    secrets = stack.settings.secrets_dir
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert {file.name for file in secrets.iterdir()} == set(access.PASSWORDS)
    private = [*secrets.iterdir(), *(each for each in stack.paths.run.rglob("*.*") if each.suffix in SECRETIVE)]
    assert len(private) > len(access.PASSWORDS) + 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in private} == {0o600}
    for directory in (stack.paths.data, stack.paths.run, stack.paths.logs):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    held = {file for file in stack.paths.run.rglob("*") if file.is_file() and _holds(file, passwords(stack.settings))}
    assert {file.name for file in held} == {"server.properties"}, "Kafka's admin has no other place"


SECRETIVE = {".conf", ".properties", ".acl", ".yaml"}


def _holds(file: Path, secrets: list[str]) -> bool:
    content = file.read_bytes()
    return any(secret.encode() in content for secret in secrets)


def test_no_password_is_seen_in_logs_process_lists_or_flinks_pages(stack: Stack, settings: Settings) -> None:
    job = submit_quickly(settings)
    secrets = passwords(settings)
    family = [psutil.Process(), *psutil.Process(stack.pid("kafka")).parents()[:1]]
    family += [child for each in family for child in each.children(recursive=True)]
    shown = "\n".join(" ".join(process.cmdline()) for process in family if process.is_running())
    assert "kafka.Kafka" in shown
    flink = settings.flink.url
    pages = [
        *(f"/jobs/{job}{page}" for page in ("", "/config", "/plan", "/exceptions", "/checkpoints/config")),
        *("/jobmanager/config", "/jobmanager/environment", "/jobmanager/log", "/jobs/overview"),
        *(
            f"/taskmanagers/{each['id']}/log"
            for each in requests.get(f"{flink}/taskmanagers", timeout=10).json()["taskmanagers"]
        ),
    ]
    shown += "\n".join(requests.get(flink + page, timeout=10).text for page in pages)
    assert SPEC.named(settings) in shown
    assert not [secret for secret in secrets if secret in shown]
    logs = list(stack.paths.logs.iterdir())
    assert (stack.paths.logs / "kafka.log").stat().st_size > 1000
    assert [log for log in logs if _holds(log, secrets)] == []
    in_flink = [file for file in (stack.paths.data / "flink", stack.paths.run / "flink") for file in file.rglob("*")]
    assert [file for file in in_flink if file.is_file() and _holds(file, secrets)] == []


def test_a_password_that_is_exchanged_counts_from_the_next_start_on(stack: Stack, settings: Settings) -> None:
    """Without a restart for Kafka; for Redis a start writes its file of users anew."""
    file = settings.secrets_dir / "kafka_password"
    before = file.read_text()
    try:
        file.unlink()
        access.make_secrets(settings)
        assert file.read_text() != before
        with pytest.raises(UserError, match="invalid credentials"):
            admin.partitions(settings.kafka)
        stack.up()
        assert settings.prefix + AGGREGATES in admin.partitions(settings.kafka)
    finally:
        access.write_private(file, before)
        access.grant(settings)


def test_flink_takes_no_programs_from_a_browser(settings: Settings) -> None:
    for method, page in (("POST", "/jars/upload"), ("GET", "/jars"), ("POST", "/jars/x/run")):
        files = {"jarfile": ("x.jar", b"PK")} if page == "/jars/upload" else None
        answer = requests.request(method, settings.flink.url + page, files=files, timeout=10)
        assert answer.status_code == 404 or "POST request not allowed" in answer.text
    assert requests.get(f"{settings.flink.url}/config", timeout=10).json()["features"]["web-submit"] is False
