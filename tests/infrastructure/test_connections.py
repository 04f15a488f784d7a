"""Logins and TLS come from the settings, and a password is shown nowhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from infrastructure.kafka.client import kafka_options
from infrastructure.redis.client import redis_client
from infrastructure.settings import Settings, load_settings
from jobs import connector
from topics.errors import UserError

SECRET = "Tr0ub4dor&3"


@pytest.fixture(autouse=True)
def _nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("IOT_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    for name in ("kafka_password", "redis_ingest_password", "redis_viewer_password"):
        (tmp_path / name).write_text(f"{name}-of-a-file")
    return tmp_path


def of(**given: Any) -> Settings:
    return Settings.of(env_file=None, **given)


def kafka(**given: Any) -> dict[str, Any]:
    return kafka_options(of(kafka="broker:9092", **given).kafka)


def test_without_a_user_and_authorities_there_is_neither_login_nor_tls() -> None:
    assert kafka(kafka_user="") == {"bootstrap.servers": "broker:9092", "security.protocol": "PLAINTEXT"}
    client = redis_client(of(redis="redis://there:1/0", redis_viewer_user="").redis, "viewer")
    assert {"username", "password"}.isdisjoint(client.connection_pool.connection_kwargs)


def test_a_password_that_is_not_given_is_in_its_file(secrets: Path) -> None:
    assert kafka(secrets=secrets, kafka_mechanism="SCRAM-SHA-256") == {
        "bootstrap.servers": "broker:9092",
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-256",
        "sasl.username": "iot",
        "sasl.password": "kafka_password-of-a-file",
    }
    assert kafka(secrets=secrets, kafka_password=SECRET)["sasl.password"] == SECRET


def test_the_data_directory_has_the_secrets_of_the_local_stack(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "kafka_password").write_text(SECRET)
    assert kafka(data_dir=tmp_path)["sasl.password"] == SECRET


def test_each_redis_user_has_a_password_of_its_own(secrets: Path) -> None:
    settings = of(redis="redis://there:1/0", secrets=secrets, redis_ingest_user="writer")
    logins = [redis_client(settings.redis, user).connection_pool.connection_kwargs for user in ("ingest", "viewer")]
    assert [(login["username"], login["password"]) for login in logins] == [
        ("writer", "redis_ingest_password-of-a-file"),
        ("viewer", "redis_viewer_password-of-a-file"),
    ]


def test_with_authorities_there_is_tls_and_names_are_verified(secrets: Path) -> None:
    authority = secrets / "kafka_password"  # a file; nobody looks into it here
    tls = kafka(secrets=secrets, kafka_ca=authority)
    assert (tls["security.protocol"], tls["ssl.ca.location"]) == ("SASL_SSL", str(authority))
    assert "ssl.endpoint.identification.algorithm" not in tls, "librdkafka verifies names unless it is told not to"
    settings = of(
        redis="rediss://there:1/0", secrets=secrets, redis_ca=authority, redis_certificate=secrets / "kafka_password"
    )
    options = redis_client(settings.redis, "viewer").connection_pool.connection_kwargs
    assert options["ssl_check_hostname"] is True
    assert options["ssl_ca_certs"] == options["ssl_certfile"] == options["ssl_keyfile"] == str(authority)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, r"there is no password in .*kafka_password.*put it there, .*IOT_KAFKA_PASSWORD.*empty IOT_KAFKA_USER"),
        ({"kafka_password": "two words"}, "IOT_KAFKA_PASSWORD must hold the password alone"),
        ({"kafka_password": f"{SECRET}\n"}, "without a line break"),
        ({"kafka_password": SECRET, "kafka_ca": "no/such/file"}, "IOT_KAFKA_CA: .* cannot be read"),
    ],
)
def test_what_is_missing_is_named_with_its_setting(tmp_path: Path, given: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        kafka(data_dir=tmp_path, **given)
    assert SECRET not in str(error.value)


def test_flink_gets_the_place_of_a_password_and_not_the_password(secrets: Path) -> None:
    in_file = connector.properties(of(secrets=secrets, kafka_ca="/etc/ca.pem").kafka)
    assert "kafka_password-of-a-file" not in str(in_file)
    assert f'username="iot" password="${{secret:{secrets}:kafka_password}}"' in in_file["sasl.jaas.config"]
    assert in_file["security.protocol"] == "SASL_SSL"
    assert in_file["ssl.truststore.location"] == "/etc/ca.pem"
    given = connector.properties(of(kafka_password=SECRET).kafka)
    assert SECRET not in str(given)
    assert 'password="${secret:IOT_KAFKA_PASSWORD}"' in given["sasl.jaas.config"]


def test_passwords_are_handed_on_and_not_shown() -> None:
    settings = of(kafka_password=SECRET, redis_viewer_password=SECRET)
    for shown in (repr(settings), str(settings), str(settings.flat())):
        assert SECRET not in shown
    environment = settings.environment()
    assert environment["IOT_KAFKA_PASSWORD"] == environment["IOT_REDIS_VIEWER_PASSWORD"] == SECRET
    assert environment["IOT_REDIS_INGEST_PASSWORD"] == environment["IOT_KAFKA_CA"] == ""


def test_settings_pass_through_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = of(kafka_password=SECRET, redis_ca=tmp_path / "ca.pem", kafka_user="", redis="rediss://there:1/0")
    for name, value in before.environment().items():
        monkeypatch.setenv(name, value)
    assert of() == before
    assert of().kafka.password == SecretStr(SECRET)


@pytest.mark.parametrize(
    "wrong",
    [
        {"IOT_REDIS": f"redis://viewer:{SECRET}@there:6379/0"},
        {"IOT_REDIS": f"viewer:{SECRET}@there:6379"},
        {"IOT_KAFKA_PASSWORD": SECRET, "IOT_PARTITIONS": "none"},
        {"IOT_KAFKA_PASSWORD": SECRET, "IOT_KAFKA_MECHANISM": "PLAIN", "IOT_BATCH": "0"},  # two groups
    ],
)
def test_what_is_said_of_wrong_settings_holds_no_password(
    monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str]
) -> None:
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError) as error:
        load_settings()
    assert SECRET not in str(error.value)


@pytest.mark.parametrize("address", ["there:6379", "there", "http://there:6379", "unix:///run/redis.sock"])
def test_an_address_of_redis_is_a_url(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("IOT_REDIS", address)
    with pytest.raises(UserError, match=r"IOT_REDIS: .*give it as redis://HOST:PORT/0"):
        load_settings()
