"""What the bridge stores of valid records, on the real Kafka and Redis."""

from __future__ import annotations

import gc
import threading
from collections.abc import Sequence

import pytest
import redis
from confluent_kafka import Message

from infrastructure.settings import Settings
from ingest.bridge import Bridge
from tests.ingest.traffic import (
    DAY_MS,
    SENSORS,
    START,
    Record,
    aggregate,
    described,
    letters,
    points,
    reading,
    rejected,
    send,
    stored,
    wait_until_committed,
)
from tests.running import Bridging
from topics.encoding import encode_heartbeat
from topics.names import READINGS


def test_every_valid_reading_is_a_point_of_its_raw_series(
    settings: Settings, bridge: Bridging, store: redis.Redis
) -> None:
    values = [22.5, -0.0, 5e-324, 1.7976931348623157e308, 0.1 + 0.2, 1e22, -1e-7]
    wanted = {
        "TH1": [(START + n, value) for n, value in enumerate(values)],
        "Etot": [(0, 1.0), (START, 2.0)],
        "Mov1": [(START + 123, 1.0)],
        "site-0002:TH1": [(START, 4.0)],
        f"{'x' * 64}:W1": [(START, 5.0)],
        "a_b.C-9:TH1": [(START, 6.0)],
    }
    for name, series in wanted.items():
        site, _, sensor = name.rpartition(":")
        send(settings, *(reading(sensor, ts, value, site or "home") for ts, value in series))
    wait_until_committed(settings)
    found = stored(store, settings)
    assert found == wanted
    assert str(found["TH1"][1][1]) == "-0.0"
    expected = {"site": "home", "sensor": "TH1", "series": "raw", "unit": "°C", "prefix": settings.prefix}
    assert described(store, settings, "TH1") == (expected, "first")
    other = {"site": "a_b.C-9", "sensor": "TH1", "series": "raw", "unit": "°C", "prefix": settings.prefix}
    assert described(store, settings, "a_b.C-9:TH1") == (other, "first")
    assert letters(settings) == []


def test_of_a_reading_that_is_sent_twice_the_first_counts(
    settings: Settings, bridge: Bridging, store: redis.Redis
) -> None:
    send(settings, reading("TH1", START, 1.0), reading("TH1", START, 2.0), reading("TH1", START + 1, 3.0))
    wait_until_committed(settings)
    assert points(store, settings, "TH1") == [(START, 1.0), (START + 1, 3.0)]
    send(settings, reading("TH1", START + 1, 4.0), reading("TH1", START, 5.0))
    wait_until_committed(settings)
    assert points(store, settings, "TH1") == [(START, 1.0), (START + 1, 3.0)]


def test_aggregates_and_rejected_readings_are_series_of_their_own(
    settings: Settings, bridge: Bridging, store: redis.Redis
) -> None:
    send(
        settings,
        aggregate("AggDay", "TH1", 20.5),
        aggregate("AggDay", "TH1", 21.5, START + DAY_MS),
        aggregate("AggDayCount", "TH1", 96),
        aggregate("AggDayDiff", "Etot", 62_400),
        aggregate("AggDayRest", "Etot", -3.5),
        aggregate("AggDay", "TH1", 7.5, site="b"),
        rejected(START - 9 * DAY_MS, 0.5),
        rejected(START - 8 * DAY_MS, 0.25),
        rejected(START, 0.75, site="b"),
    )
    wait_until_committed(settings)
    assert stored(store, settings) == {
        "AggDayTH1": [(START, 20.5), (START + DAY_MS, 21.5)],
        "AggDayCountTH1": [(START, 96.0)],
        "AggDayDiffEtot": [(START, 62_400.0)],
        "AggDayRestEtot": [(START, -3.5)],
        "b:AggDayTH1": [(START, 7.5)],
        "LateRejW1": [(START - 9 * DAY_MS, 0.5), (START - 8 * DAY_MS, 0.25)],
        "b:LateRejW1": [(START, 0.75)],
    }
    for key, site, sensor, kind, unit in (
        ("AggDayTH1", "home", "TH1", "AggDay", "°C"),
        ("AggDayDiffEtot", "home", "Etot", "AggDayDiff", "Wh"),
        ("b:LateRejW1", "b", "W1", "LateRej", "L"),
    ):
        labels = {"site": site, "sensor": sensor, "series": kind, "unit": unit, "prefix": settings.prefix}
        assert described(store, settings, key) == (labels, "last")


def test_of_an_aggregate_the_last_correction_counts(settings: Settings, bridge: Bridging, store: redis.Redis) -> None:
    send(settings, aggregate("AggDay", "TH1", 1.0), aggregate("AggDay", "TH1", 2.0))
    wait_until_committed(settings)
    assert points(store, settings, "AggDayTH1") == [(START, 2.0)]
    send(settings, aggregate("AggDay", "TH1", 3.0))
    wait_until_committed(settings)
    assert points(store, settings, "AggDayTH1") == [(START, 3.0)]


def test_heartbeats_are_neither_stored_nor_put_aside(settings: Settings, bridge: Bridging, store: redis.Redis) -> None:
    send(settings, *(Record(READINGS, None, encode_heartbeat(START + n), n % 6) for n in range(60)))
    wait_until_committed(settings)
    assert bridge.bridge.counts.records == 60
    assert stored(store, settings) == {}
    assert letters(settings) == []


def test_a_series_that_somebody_deletes_is_made_again(settings: Settings, bridge: Bridging, store: redis.Redis) -> None:
    send(settings, reading("TH1", START, 1.0), aggregate("AggDay", "TH1", 1.0), reading("TH2", START, 1.0))
    wait_until_committed(settings)
    assert store.delete(settings.prefix + "TH1", settings.prefix + "AggDayTH1") == 2
    send(settings, reading("TH1", START + 1, 2.0), reading("TH2", START + 1, 2.0), aggregate("AggDay", "TH1", 2.0))
    wait_until_committed(settings)
    assert points(store, settings, "TH1") == [(START + 1, 2.0)]
    assert points(store, settings, "TH2") == [(START, 1.0), (START + 1, 2.0)]
    assert points(store, settings, "AggDayTH1") == [(START, 2.0)]
    assert described(store, settings, "TH1")[0]["series"] == "raw"
    assert [described(store, settings, key)[1] for key in ("TH1", "AggDayTH1")] == ["first", "last"]


@pytest.mark.usefixtures("store")
def test_processing_records_searches_no_garbage(settings: Settings) -> None:
    """No object of a record is part of a cycle; searched for some, they took a quarter of all time."""
    send(settings, *(reading("TH1", START + n, n) for n in range(5000)))
    threshold = gc.get_threshold()
    searches: list[int] = []
    bridge = Bridge(settings, SENSORS)
    carry = bridge._process

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and threading.current_thread().name == "bridge":
            searches.append(info["generation"])

    def watched(messages: Sequence[Message]) -> None:
        gc.callbacks.append(note)
        try:
            carry(messages)
        finally:
            gc.callbacks.remove(note)

    bridge._process = watched  # type: ignore[method-assign]
    with Bridging(bridge):
        wait_until_committed(settings)
    assert searches == []
    assert gc.get_threshold() == threshold
