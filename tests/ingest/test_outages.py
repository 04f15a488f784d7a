"""Redis or Kafka is stopped, killed, frozen or full in the middle of the work, and comes back."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence

import psutil
import pytest
import redis

from infrastructure.settings import Settings
from ingest.bridge import Bridge
from ingest.records import Point
from ingest.series_writer import SeriesWriter
from scripts.stack.supervision import Stack
from tests.ingest.outages import full, make_ready
from tests.ingest.traffic import (
    SENSORS,
    START,
    aggregate,
    assert_each_once,
    behind,
    flood,
    garbage,
    letters,
    offsets_of,
    reading,
    send,
    stored,
    wait_until_committed,
)
from tests.running import PATIENCE, Bridging, wait_for


class Held:
    """Has a bridge wait before a write, when it has written so many points, until it is released."""

    def __init__(self, bridge: Bridge, points: int) -> None:
        self._write, self._left = bridge._writer.write, points
        self._reached, self._released = threading.Event(), threading.Event()
        bridge._writer.write = self._wait  # type: ignore[method-assign]

    def reached(self) -> None:
        """Wait for that."""
        assert self._reached.wait(PATIENCE), "too few points were written"

    def release(self) -> None:
        """Let it write."""
        self._released.set()

    def _wait(self, points: Sequence[Point]) -> None:
        self._left -= len(points)
        if self._left < 0:
            self._reached.set()
            self._released.wait(PATIENCE)
        self._write(points)


def carry_through(
    settings: Settings, store: redis.Redis, away: Callable[[], None], back: Callable[[], None], *, kafka: bool
) -> None:
    """Take Redis or Kafka away in the middle of the work, and bring it back."""
    settings = settings.replace(batch=200)
    records, wrong, wanted = flood(sites=2, each=1000, wrong=20, seed=7)
    bridge = Bridge(settings, SENSORS)
    bridge._writer = SeriesWriter(settings, SENSORS, durable_ms=100)  # gives a frozen Redis up after 5.1 s
    half = len(records) // 2
    offsets = send(settings, *records[:half])
    held = Held(bridge, 1000)
    with Bridging(bridge):
        held.reached()
        away()
        held.release()
        if not kafka:
            offsets += send(settings, *records[half:])
        back()
        if kafka:
            offsets += send(settings, *records[half:])
        wait_until_committed(settings)
    assert stored(store, settings) == wanted
    assert_each_once(settings, wrong, offsets_of(wrong, records, offsets))


@pytest.mark.usefixtures("mended")
@pytest.mark.parametrize("name", ["redis", "kafka"])
def test_it_goes_on_when_what_was_stopped_is_started(
    stack: Stack, settings: Settings, store: redis.Redis, name: str
) -> None:
    carry_through(settings, store, lambda: stack.stop(name), lambda: make_ready(stack, name), kafka=name == "kafka")


@pytest.mark.usefixtures("mended")
def test_it_goes_on_when_redis_was_killed(stack: Stack, settings: Settings, store: redis.Redis) -> None:
    pid = stack.pid("redis")

    def restarted() -> None:
        wait_for(lambda: stack.pid("redis") not in (0, pid), "the supervisor to restart Redis")
        make_ready(stack, "redis")

    carry_through(settings, store, lambda: os.kill(pid, signal.SIGKILL), restarted, kafka=False)


def test_it_goes_on_when_redis_was_frozen(
    stack: Stack, settings: Settings, store: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    frozen = psutil.Process(stack.pid("redis"))

    def thaw() -> None:
        wait_for(
            lambda: any(getattr(r, "service", "") == "Redis" for r in caplog.records),
            "the bridge to give the frozen Redis up",
        )
        frozen.resume()

    try:
        carry_through(settings, store, frozen.suspend, thaw, kafka=False)
    finally:
        frozen.resume()


def test_a_full_redis_is_told_and_waited_for(
    settings: Settings, store: redis.Redis, bridge: Bridging, caplog: pytest.LogCaptureFixture
) -> None:
    first = [reading("TH1", START + n * 1000, n / 10) for n in range(1000)]
    send(settings, *first)
    wait_until_committed(settings)
    before = stored(store, settings)
    series = store.dbsize()
    with full(store):
        send(
            settings,
            *(reading("TH1", START + n * 1000, n / 10) for n in range(1000, 2000)),
            aggregate("AggDay", "TH1", 2.0),
        )
        send(settings, aggregate("AggDay", "TH2", None), garbage(1))
        wait_for(
            lambda: any("IOT_REDIS_MEMORY" in getattr(r, "error", "") for r in caplog.records),
            "the bridge to say that Redis is full",
        )
        assert store.dbsize() == series, "a series was evicted"
        assert stored(store, settings) == before
        assert behind(settings) > 0
    wait_until_committed(settings)
    assert stored(store, settings) == {
        "TH1": [(START + n * 1000, n / 10) for n in range(2000)],
        "AggDayTH1": [(START, 2.0)],
    }
    assert len(letters(settings)) == 1
