"""Bridges of one group: they share the partitions, join, leave and are given up."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from infrastructure.kafka import admin
from infrastructure.settings import Settings
from ingest.bridge import Bridge
from scripts.stack.supervision import Stack
from tests.ingest.outages import full, make_ready
from tests.ingest.process import IMPATIENT, bridge_process
from tests.ingest.traffic import (
    SENSORS,
    START,
    assert_each_once,
    behind,
    garbage,
    points,
    reading,
    send,
    stored,
    wait_until_committed,
)
from tests.running import PATIENCE, Bridging, wait_for


def test_two_bridges_share_the_work(settings: Settings, bridge: Bridging, store: redis.Redis) -> None:
    first = [reading(sensor, START + n, n) for n in range(500) for sensor in SENSORS]
    wrong = [garbage(n, n % 6) for n in range(30)]
    send(settings, *first)
    with Bridging(Bridge(settings, SENSORS)):
        offsets = send(settings, *wrong)
        send(settings, *(reading(sensor, START + n, n) for n in range(500, 1000) for sensor in SENSORS))
        wait_until_committed(settings)
    assert stored(store, settings) == {sensor: [(START + n, float(n)) for n in range(1000)] for sensor in SENSORS}
    assert_each_once(settings, wrong, offsets)


@pytest.mark.usefixtures("mended")
def test_it_goes_on_when_it_was_frozen_until_the_group_had_given_it_up(
    stack: Stack, settings: Settings, store: redis.Redis, tmp_path: Path
) -> None:
    """As by a laptop that sleeps, while a batch is under way whose dead letter the group will not take any more."""
    group, log = settings.prefix + settings.ingest.group, tmp_path / "log"

    def members() -> int:
        client = admin.client(settings.kafka)
        return len(client.describe_consumer_groups([group])[group].result().members)

    with bridge_process(settings, log, "-c", IMPATIENT + "app(args=[])") as process:
        send(settings, reading("TH1", START, 1.0))
        wait_until_committed(settings)
        stack.stop("redis")
        wrong = garbage(1)
        offsets = send(settings, wrong, reading("TH1", START + 1, 2.0))[:1]
        wait_for(lambda: "retrying" in log.read_text(), "the batch to be under way")
        process.send_signal(signal.SIGSTOP)
        wait_for(lambda: members() == 0, "the group to give it up")
        make_ready(stack, "redis")
        process.send_signal(signal.SIGCONT)
        wait_for(lambda: behind(settings) == 0, "it to go on", seconds=30)
        process.terminate()
        assert process.wait(PATIENCE) == 0, log.read_text()
    assert points(store, settings, "TH1") == [(START, 1.0), (START + 1, 2.0)]
    assert_each_once(settings, [wrong], offsets)


LINGERING = """
from ingest import bridge
from ingest.__main__ import app
from infrastructure.kafka import watchdog

watchdog.EVERY = 0  # whoever may ask a client does

class Lingering(bridge.Consumer):
    rebalances = 0

    def subscribe(self, topics, on_assign, on_revoke, on_lost):
        def revoked(*given):
            print("a rebalance", flush=True)
            on_revoke(*given)
            self.rebalances += 1

        super().subscribe(topics, on_assign=on_assign, on_revoke=revoked, on_lost=on_lost)

    def consume(self, number, seconds):
        before = self.rebalances
        while not (found := super().consume(number, seconds)) and self.rebalances == before < 2:
            pass
        return found

bridge.Consumer = Lingering
app(args=[])
"""
"""A bridge whose polls end with a record: its first two rebalances find the main thread inside of the client."""


def test_a_rebalance_while_redis_is_full_ends_when_there_is_memory(
    settings: Settings, store: redis.Redis, tmp_path: Path
) -> None:
    """In it the main thread, inside of its client, waits for the writer: who must not wait for that client."""
    settings = settings.replace(batch=1)
    log, other = tmp_path / "log", tmp_path / "other"

    def wait_for_rebalance(number: int) -> None:
        wait_for(
            lambda: "retrying" in "".join(log.read_text().split("a rebalance")[number:]),
            "the writer to go on trying in a rebalance",
            seconds=30,
        )

    with bridge_process(settings, log, "-c", LINGERING) as first, ExitStack() as joined:
        with full(store):
            send(settings, reading("TH1", START, 1.0))
            wait_for(lambda: "retrying" in log.read_text(), "a batch under way")
            second = joined.enter_context(bridge_process(settings, other))
            wait_for_rebalance(1)
        wait_until_committed(settings)
        with full(store):
            before = len(log.read_text())
            # The first partition and the last one are not of the same bridge.
            send(settings, *(reading("TH1", START + 1 + n, 1.0)._replace(partition=n) for n in (0, 5)))
            wait_for(
                lambda: "retrying" in log.read_text()[before:] and "retrying" in other.read_text(),
                "a batch under way in either bridge",
            )
            second.terminate()
            assert second.wait(PATIENCE) == 0, other.read_text()
            wait_for_rebalance(2)
        wait_until_committed(settings)
        first.terminate()
        assert first.wait(PATIENCE) == 0, log.read_text()
    assert points(store, settings, "TH1") == [(START + n, 1.0) for n in (0, 1, 6)]
