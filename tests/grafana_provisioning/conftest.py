"""Redis alone, filled with what a simulation of two houses gives: what targets ask needs no Kafka and no Flink."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.stack.apart import free_ports
from scripts.stack.install import install
from tests.redis_alone import Filled, fill, serve


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks for this Redis needs the stack's parts to be installed."""
    for item in items:
        if "filled" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.stack)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """Fourteen days of two houses, and one series that a replay keeps beside the live ones."""
    for _ in install():
        pass
    [port] = free_ports(1)
    directory = tmp_path_factory.mktemp("redis")
    with serve(port, directory) as server:
        try:
            yield fill(port, directory)
        finally:
            server.terminate()
