"""How the clients connect to Kafka and Redis: the one place that turns the settings into addresses and logins."""

from __future__ import annotations

from typing import Any, Literal

from redis import Redis

from settings import Settings

RedisUser = Literal["admin", "ingest", "viewer"]
"""``ingest`` may only write series, ``viewer`` only read them; ``admin`` is the local stack's own, and its tests'."""


def kafka(settings: Settings) -> dict[str, Any]:
    """Options by which a client of Kafka (librdkafka's names) connects; the caller adds its own."""
    return {"bootstrap.servers": settings.kafka}


def redis(settings: Settings, user: RedisUser, **options: Any) -> Redis:
    """A client of Redis that connects as ``user`` when it is first used; ``options`` are those of ``redis.Redis``."""
    del user  # Redis has one user yet
    return Redis.from_url(settings.redis, **options)
