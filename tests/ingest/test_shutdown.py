"""A bridge that is asked to stop does, whatever is away."""

from __future__ import annotations

import signal
from pathlib import Path

import msgspec
import pytest
import redis

from infrastructure.kafka.offsets import committed_offsets
from infrastructure.settings import Settings
from scripts.stack.supervision import Stack
from tests.ingest.outages import make_ready
from tests.ingest.process import bridge_process
from tests.ingest.traffic import (
    Points,
    assert_each_once,
    flood,
    offsets_of,
    send,
    stored,
    wait_for_writes,
    wait_until_committed,
)
from tests.running import PATIENCE, wait_for
from topics.names import READINGS


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_has_committed_what_it_has_stored(
    settings: Settings, store: redis.Redis, tmp_path: Path, number: signal.Signals
) -> None:
    settings = settings.replace(batch=300)
    records, wrong, _ = flood(sites=4, each=1000, wrong=30, seed=6)
    offsets = send(settings, *records)
    with bridge_process(settings, tmp_path / "log") as process:
        wait_for_writes(store, 10)
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0, (tmp_path / "log").read_text()
    committed = committed_offsets(settings.kafka, settings.prefix + settings.ingest.group)
    done = [
        r
        for r, o in zip(records, offsets, strict=True)
        if o < committed.get((settings.prefix + READINGS, r.partition), 0)
    ]
    assert 0 < len(done) < len(records), "it was stopped before it began, or after it had finished"
    wanted: dict[str, Points] = {}
    for record in done:
        if record in wrong:
            continue
        body = msgspec.json.decode(record.value or b"")
        key = body["sensor"] if body["site"] == "home" else f"{body['site']}:{body['sensor']}"
        wanted.setdefault(key, []).append((body["ts"], body["value"]))
    assert stored(store, settings) == wanted
    letters_done = [record for record in wrong if record in done]
    assert_each_once(settings, letters_done, offsets_of(letters_done, records, offsets))
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_asked_to_stop_while_redis_is_away_it_stops(settings: Settings, tmp_path: Path) -> None:
    log = tmp_path / "log"
    nowhere = settings.replace(redis="redis://127.0.0.1:1/0")
    with bridge_process(nowhere, log) as process:
        wait_for(lambda: "retrying" in log.read_text(), "it to miss Redis")
        process.terminate()
        assert process.wait(PATIENCE) == 0, log.read_text()
    assert "Traceback" not in log.read_text()


@pytest.mark.usefixtures("mended")
def test_while_kafka_is_away_it_says_so_and_can_be_stopped(
    stack: Stack, settings: Settings, store: redis.Redis, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    settings = settings.replace(batch=200)
    records, wrong, wanted = flood(sites=2, each=1000, wrong=20, seed=8)
    offsets = send(settings, *records)
    with bridge_process(settings, log) as process:
        wait_for_writes(store, 10)
        stack.stop("kafka")
        wait_for(lambda: "Kafka" in log.read_text(), "a word about Kafka", seconds=30)
        process.terminate()
        assert process.wait(30) == 0, log.read_text()
    assert "Traceback" not in log.read_text()
    with bridge_process(settings, log):
        make_ready(stack, "kafka")
        wait_until_committed(settings)
    assert stored(store, settings) == wanted
    assert_each_once(settings, wrong, offsets_of(wrong, records, offsets))
