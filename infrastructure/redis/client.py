"""How a client of Redis connects: the one place that turns the settings into an address, a login and TLS."""

from __future__ import annotations

from typing import Any, Literal

from redis import Redis

from infrastructure.passwords import ADMIN, check_readable, read_password
from infrastructure.settings import NO_PASSWORD, RedisSettings

RedisUser = Literal["admin", "ingest", "viewer"]
"""``ingest`` may only write series, ``viewer`` only read them; ``admin`` is the local stack's own, and its tests'."""


def redis_client(redis: RedisSettings, user: RedisUser, **options: Any) -> Redis:
    """A client of Redis that connects as ``user`` when it is first used; ``options`` are those of ``redis.Redis``.

    Raises ``UserError`` when the password is not there.
    """
    name, given = {
        "admin": (ADMIN, NO_PASSWORD),
        "ingest": (redis.ingest_user, redis.ingest_password),
        "viewer": (redis.viewer_user, redis.viewer_password),
    }[user]
    if name:
        password = read_password(f"redis_{user}_password", redis.secrets_dir, given)
        options |= {"username": name, "password": password}
    if redis.url.startswith("rediss:"):
        options["ssl_check_hostname"] = True
        if redis.ca:
            options["ssl_ca_certs"] = str(check_readable(redis.ca, "IOT_REDIS_CA"))
        if redis.certificate:
            file = str(check_readable(redis.certificate, "IOT_REDIS_CERTIFICATE"))
            options |= {"ssl_certfile": file, "ssl_keyfile": file}
    # The client would introduce itself by a command that neither user may use.
    return Redis.from_url(redis.url, lib_name=None, lib_version=None, **options)
