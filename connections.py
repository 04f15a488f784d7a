"""How the clients connect to Kafka and Redis: the one place that turns the settings into addresses, logins and TLS."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr
from redis import Redis

from command_line import UserError
from settings import Settings

RedisUser = Literal["admin", "ingest", "viewer"]
"""``ingest`` may only write series, ``viewer`` only read them; ``admin`` is the local stack's own, and its tests'."""

ADMIN = "admin"
"""Name of the local stack's own user, in Kafka and in Redis."""

PREFETCHING = {"fetch.queue.backoff.ms": 20}
"""Options of a consumer that reads as fast as it can work. One whose queue was full would fetch again after a second,
when it has long been empty: the bridge stood still for a third of the time."""

USABLE = re.compile(r"[!#-\[\]-~]+")
"""Passwords that pass through all formats alike: printable ASCII without spaces, quotes and backslashes."""


def kafka(settings: Settings) -> dict[str, Any]:
    """Options by which a client of Kafka (librdkafka's names) connects; the caller adds its own.

    Raises ``UserError`` when the password is not there.
    """
    options: dict[str, Any] = {"bootstrap.servers": settings.kafka, "security.protocol": settings.kafka_protocol}
    if settings.kafka_user:
        options |= {
            "sasl.mechanism": settings.kafka_mechanism,
            "sasl.username": settings.kafka_user,
            "sasl.password": password(settings, "kafka_password"),
        }
    if settings.kafka_ca:
        options["ssl.ca.location"] = str(_readable(settings.kafka_ca, "IOT_KAFKA_CA"))
    return options


def redis(settings: Settings, user: RedisUser, **options: Any) -> Redis:
    """A client of Redis that connects as ``user`` when it is first used; ``options`` are those of ``redis.Redis``.

    Raises ``UserError`` when the password is not there.
    """
    name = {"admin": ADMIN, "ingest": settings.redis_ingest_user, "viewer": settings.redis_viewer_user}[user]
    if name:
        options |= {"username": name, "password": password(settings, f"redis_{user}_password")}
    if settings.redis.startswith("rediss:"):
        options["ssl_check_hostname"] = True
        if settings.redis_ca:
            options["ssl_ca_certs"] = str(_readable(settings.redis_ca, "IOT_REDIS_CA"))
        if settings.redis_certificate:
            file = str(_readable(settings.redis_certificate, "IOT_REDIS_CERTIFICATE"))
            options |= {"ssl_certfile": file, "ssl_keyfile": file}
    # The client would introduce itself by a command that neither user may use.
    return Redis.from_url(settings.redis, lib_name=None, lib_version=None, **options)


def password(settings: Settings, name: str) -> str:
    """The password ``name``: as it was given, or else what its file holds.

    Raises ``UserError`` when it is not there, or cannot be one.
    """
    given = getattr(settings, name, None)
    if isinstance(given, SecretStr) and given.get_secret_value():
        where, found = f"IOT_{name.upper()}", given.get_secret_value()
    else:
        file = settings.secrets_dir / name
        try:
            where, found = str(file), file.read_text(errors="replace")
        except FileNotFoundError:
            raise UserError(
                f"there is no password in {file}: `make up` makes those of the local stack. "
                f"For servers elsewhere put theirs there, or set IOT_{name.upper()}; "
                f"without logins empty IOT_{name.upper().replace('PASSWORD', 'USER')}."
            ) from None
        except OSError as error:
            raise UserError(f"{file} cannot be read: {error.strerror}") from error
    if not USABLE.fullmatch(found):
        raise UserError(
            f"{where} must hold the password alone, without a line break: "
            "printable ASCII without spaces, quotes and backslashes"
        )
    return found


def _readable(file: Path, setting: str) -> Path:
    try:
        with file.open("rb"):
            return file
    except OSError as error:
        raise UserError(f"{setting}: {file} cannot be read: {error.strerror}") from error
