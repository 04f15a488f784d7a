"""A bridge that is killed, or that ends by itself, loses and repeats nothing."""

from __future__ import annotations

import random
import signal
from datetime import timedelta
from pathlib import Path

import redis

from infrastructure.settings import Settings
from tests.ingest.process import IMPATIENT, bridge_process
from tests.ingest.traffic import (
    START,
    aggregate,
    assert_each_once,
    behind,
    flood,
    offsets_of,
    points,
    reading,
    send,
    stored,
    wait_for_writes,
    wait_until_committed,
)
from tests.running import PATIENCE, wait_for


def test_killed_at_any_moment_it_loses_and_repeats_nothing(
    settings: Settings, store: redis.Redis, tmp_path: Path
) -> None:
    settings = settings.replace(batch=1000)
    records, wrong, wanted = flood(sites=20, each=1000, wrong=20, seed=4)
    offsets = send(settings, *records)
    rng = random.Random(5)
    for _ in range(2):
        with bridge_process(settings, tmp_path / "log", "-c", IMPATIENT + "app(args=[])") as process:
            wait_for_writes(store, rng.randrange(1, 30))
            process.send_signal(signal.SIGKILL)
            assert process.wait(PATIENCE) == -signal.SIGKILL
    assert behind(settings) > 0, "it had done all before it was killed"
    with bridge_process(settings, tmp_path / "log") as process:
        wait_until_committed(settings)
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert stored(store, settings) == wanted
    assert_each_once(settings, wrong, offsets_of(wrong, records, offsets))


def test_killed_between_a_tombstone_and_its_correction_it_leaves_no_gap(
    settings: Settings, store: redis.Redis, tmp_path: Path
) -> None:
    settings = settings.replace(settle=timedelta(hours=1))
    old, new = [(START, 1.0)], [(START, 2.0)]
    with bridge_process(settings, tmp_path / "log", "-c", IMPATIENT + "app(args=[])") as process:
        send(settings, aggregate("AggDay", "TH1", 1.0))
        wait_until_committed(settings)
        send(settings, aggregate("AggDay", "TH1", None), aggregate("AggDay", "TH2", 3.0))
        wait_for(lambda: points(store, settings, "AggDayTH2"), "what is behind the tombstone")
        process.kill()
        assert process.wait(PATIENCE) == -signal.SIGKILL
    assert points(store, settings, "AggDayTH1") == old
    send(settings, aggregate("AggDay", "TH1", 2.0))
    with bridge_process(settings, tmp_path / "log"):
        seen = old
        while seen != new:
            seen = points(store, settings, "AggDayTH1")
            assert seen in (old, new), "a gap"
        wait_until_committed(settings)


DYING = (
    IMPATIENT
    + """
import os

class Dying(dead_letters.Producer):
    def flush(self, *timeout):
        waiting = len(self)
        left = super().flush(*timeout)
        if waiting and not left:
            os.kill(os.getpid(), 9)
        return left

dead_letters.Producer = Dying
app(args=[])
"""
)
"""A bridge that is killed between the acknowledgement of its first dead letters and the commit behind them."""


def test_killed_between_a_dead_letter_and_its_commit_it_does_not_write_it_again(
    settings: Settings, store: redis.Redis, tmp_path: Path
) -> None:
    settings = settings.replace(batch=1000)
    records, wrong, wanted = flood(sites=4, each=1000, wrong=20, seed=9)
    offsets = send(settings, *records)
    with bridge_process(settings, tmp_path / "log", "-c", DYING) as process:
        assert process.wait(PATIENCE) == -signal.SIGKILL
    with bridge_process(settings, tmp_path / "log") as process:
        wait_until_committed(settings)
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert stored(store, settings) == wanted
    assert_each_once(settings, wrong, offsets_of(wrong, records, offsets))


BLIND = """
from commands import terminal
from ingest import bridge
from ingest.__main__ import app
from infrastructure.kafka import watchdog

watchdog.PATIENCE = watchdog.EVERY = 0

class Blind(bridge.Consumer):
    def list_topics(self, *_, **__):
        raise bridge.KafkaException(bridge.KafkaError(bridge.KafkaError._TRANSPORT, "no broker"))

bridge.Consumer = Blind
terminal.run(app, "iot ingest")
"""
"""A bridge whose consumer is stuck, which others see."""


def test_what_kafka_answers_no_more_ends_for_its_supervisor_to_start_it_again(
    settings: Settings, store: redis.Redis, tmp_path: Path
) -> None:
    send(settings, reading("TH1", START, 1.0))
    log = tmp_path / "log"
    with bridge_process(settings, log, "-c", BLIND) as process:
        assert process.wait(PATIENCE) == 1
    assert "librdkafka issue 5301" in log.read_text()
    assert "Traceback" not in log.read_text()
    with bridge_process(settings, log):
        wait_until_committed(settings)
    assert points(store, settings, "TH1") == [(START, 1.0)]
