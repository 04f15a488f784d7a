"""Redis, for the tests of what stands in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from infrastructure.redis.client import redis_client
from infrastructure.settings import Settings


@pytest.fixture
def store(settings: Settings) -> Iterator[redis.Redis]:
    """Redis, emptied of this test's series in the end."""
    client = redis_client(settings.redis, "admin")
    yield client
    if found := list(client.scan_iter(match=f"{settings.prefix}*", count=10_000)):
        client.delete(*found)
    client.close()
