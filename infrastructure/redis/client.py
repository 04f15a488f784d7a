"""How a client of Redis connects: the one place that turns the settings into an address, a login and TLS."""

from __future__ import annotations

from typing import Any, Literal

from redis import Redis

from infrastructure.passwords import ADMIN, check_readable, read_password
from infrastructure.settings import Settings

RedisUser = Literal["admin", "ingest", "viewer"]
"""``ingest`` may only write series, ``viewer`` only read them; ``admin`` is the local stack's own, and its tests'."""


def redis_client(settings: Settings, user: RedisUser, **options: Any) -> Redis:
    """A client of Redis that connects as ``user`` when it is first used; ``options`` are those of ``redis.Redis``.

    Raises ``UserError`` when the password is not there.
    """
    name = {"admin": ADMIN, "ingest": settings.redis_ingest_user, "viewer": settings.redis_viewer_user}[user]
    if name:
        options |= {"username": name, "password": read_password(settings, f"redis_{user}_password")}
    if settings.redis.startswith("rediss:"):
        options["ssl_check_hostname"] = True
        if settings.redis_ca:
            options["ssl_ca_certs"] = str(check_readable(settings.redis_ca, "IOT_REDIS_CA"))
        if settings.redis_certificate:
            file = str(check_readable(settings.redis_certificate, "IOT_REDIS_CERTIFICATE"))
            options |= {"ssl_certfile": file, "ssl_keyfile": file}
    # The client would introduce itself by a command that neither user may use.
    return Redis.from_url(settings.redis, lib_name=None, lib_version=None, **options)
