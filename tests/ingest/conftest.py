"""That Redis and Kafka run again after the tests that take them away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infrastructure.settings import Settings
from scripts.stack.supervision import Stack
from tests.ingest.outages import make_ready


@pytest.fixture
def mended(stack: Stack, settings: Settings) -> Iterator[None]:
    """In the end Redis and Kafka run again, before the test's topics are deleted."""
    yield
    make_ready(stack, "redis", "kafka")
