"""Readings as messages, going on where the topic ends, and the pace."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from operator import itemgetter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.settings import ROOT
from producer.delivery import DeliveryError
from producer.run import CHUNK, WAKE_SECONDS, Encoder, Message, Progress, first_tick, remaining, run
from producer.simulation import TICK_MS, Simulation, site_names
from tests.producer.fake_kafka import Clock, FakeDelivery, Record, by_partition, marks_in, record
from tests.validity import FUTURE_TOLERANCE_MS
from topics import catalogue
from topics.names import partition, sensor_key
from topics.reading import Reading, Rules, decode

SENSORS = catalogue.read(ROOT / "sensors.toml")
RULES = Rules(SENSORS, FUTURE_TOLERANCE_MS)
START = 1_577_836_800_000
PARTITIONS = (1, 2, 6, 9, 48)


def house(sites: int = 1, seed: int = 1) -> Simulation:
    return Simulation(SENSORS, seed, START, site_names(sites))


def encoded(sites: int, partitions: int, first: int, end: int) -> list[Message]:
    return [Message(*message) for message in Encoder(house(sites), partitions).messages(first, end)]


@cache
def stream(sites: int, partitions: int, ticks: int) -> list[Message]:
    """Everything that an uninterrupted run sends."""
    return encoded(sites, partitions, 0, ticks)


def ticks_in(messages: list[Message]) -> list[int]:
    """The ticks at which the messages are sent, each once, in order of appearance."""
    return list(dict.fromkeys((m.timestamp - START) // TICK_MS for m in messages))


# --- Messages


@pytest.mark.parametrize("partitions", PARTITIONS)
@pytest.mark.parametrize("sites", [1, 3])
def test_a_partition_without_a_reading_of_now_gets_a_heartbeat(sites: int, partitions: int) -> None:
    simulation, names = house(sites), list(SENSORS)
    first, end = 180, 300
    readings = zip(*(column.tolist() for column in simulation.readings(first, end)), strict=True)
    at = {k: list(group) for k, group in groupby(readings, key=itemgetter(0))}
    expected: list[tuple[int, bytes | None, dict[str, object], int, bool]] = []
    for k in range(first, end):
        spoken: set[int] = set()
        up_to_date: set[int] = set()
        for _, site_index, sensor_index, ts, tenths in at[k]:
            site, name = simulation.sites[site_index], names[sensor_index]
            key = sensor_key(site, name)
            place = partition(key, SENSORS[name].partition_class, SENSORS, partitions)
            fields = {"site": site, "sensor": name, "ts": ts, "value": tenths / 10}
            expected.append((place, key.encode(), fields, START + k * TICK_MS, place not in spoken))
            spoken.add(place)
            if ts == START + k * TICK_MS:
                up_to_date.add(place)
        now = START + k * TICK_MS
        beating = [place for place in range(partitions) if place not in up_to_date]
        expected += [
            (place, None, {"site": "home", "sensor": "heartbeat", "ts": now, "value": 1}, now, place not in spoken)
            for place in beating
        ]
    messages = encoded(sites, partitions, first, end)
    assert [(m.partition, m.key, json.loads(m.value), m.timestamp, m.marked) for m in messages] == expected


def test_every_message_is_a_valid_reading_or_a_heartbeat() -> None:
    for message in stream(2, 6, 300):
        items = decode(message.value, message.timestamp, RULES)
        if message.key is None:
            assert items == []
        else:
            (item,) = items
            assert isinstance(item, Reading)
            assert message.key.decode() == sensor_key(item.site, item.sensor)


def test_a_reading_is_written_as_in_the_contract_with_one_decimal() -> None:
    simulation = house()
    tenths = simulation.readings(0, 1).tenths[0]
    value = f"{tenths // 10}.{tenths % 10}"
    assert stream(1, 6, 1)[0].value == f'{{"site":"home","sensor":"TH1","ts":{START},"value":{value}}}'.encode()
    for message in stream(2, 6, 300):
        if message.key is not None:
            assert re.search(rb',"value":\d+\.\d}$', message.value)


def test_keys_name_the_sites_that_are_not_the_default_one() -> None:
    assert {m.key for m in stream(2, 6, 200)} == {
        None,
        *(name.encode() for name in SENSORS),
        *(f"site-0002/{name}".encode() for name in SENSORS),
    }


@pytest.mark.parametrize("partitions", PARTITIONS)
def test_every_partition_hears_of_every_tick_and_the_first_message_is_marked(partitions: int) -> None:
    logs = by_partition(stream(2, partitions, 300))
    assert set(logs) == set(range(partitions))
    for log in logs.values():
        assert ticks_in(log) == list(range(300))
        seen: set[int] = set()
        for message in log:
            assert message.marked == (message.timestamp not in seen)
            seen.add(message.timestamp)


def test_the_last_message_of_a_tick_in_a_partition_has_brought_its_time_to_the_tick() -> None:
    """Otherwise a last motion just after midnight would leave the day open (seed 67, 30 days)."""
    for log in by_partition(stream(1, 9, 300)).values():
        newest: dict[int, int] = {}
        for message in log:
            fields = json.loads(message.value)
            newest[message.timestamp] = max(newest.get(message.timestamp, 0), fields["ts"])
        assert all(ts == now for now, ts in newest.items())


@settings(max_examples=30)
@given(st.integers(0, 300), st.integers(0, 60), st.integers(0, 60), st.sampled_from(PARTITIONS))
def test_messages_can_be_computed_from_any_tick_on(first: int, some: int, more: int, partitions: int) -> None:
    middle, end = first + some, first + some + more
    halves = encoded(2, partitions, first, middle) + encoded(2, partitions, middle, end)
    assert halves == encoded(2, partitions, first, end)


# --- Going on where the topic ends

TICKS = 205

houses = st.sampled_from([(1, 1), (1, 2), (1, 6), (2, 9)])


@st.composite
def interrupted(draw: st.DrawFn) -> tuple[int, int, dict[int, list[Message]]]:
    """Sites, partitions, and what has arrived in each of them when a run is cut off: any beginning of its messages."""
    sites, partitions = draw(houses)
    logs = by_partition(stream(sites, partitions, TICKS))
    cuts = {number: draw(st.integers(0, len(log)) | st.just(len(log)) | st.just(0)) for number, log in logs.items()}
    return sites, partitions, {number: log[: cuts[number]] for number, log in logs.items()}


@st.composite
def interrupted_close_together(draw: st.DrawFn) -> tuple[int, int, dict[int, list[Message]]]:
    """The same, with all cuts within a few messages: what a crash looks like."""
    sites, partitions = draw(houses)
    whole = stream(sites, partitions, TICKS)
    around = draw(st.integers(0, len(whole)))
    arrived = by_partition(whole[:around])
    for number in range(partitions):
        log = arrived.setdefault(number, [])
        del log[max(0, len(log) - draw(st.integers(0, 12))) :]
    return sites, partitions, arrived


def in_topic(simulation: Simulation, logs: dict[int, list[Message]]) -> dict[int, list[Record]]:
    return {number: [record(message, simulation.identity) for message in log] for number, log in logs.items()}


def assert_nothing_is_missing_or_double(
    sites: int, partitions: int, before: dict[int, list[Message]], after: list[Message]
) -> None:
    later = by_partition(after)
    for number, log in by_partition(stream(sites, partitions, TICKS)).items():
        assert before[number] + later.get(number, []) == log


@settings(max_examples=60)
@given(interrupted() | interrupted_close_together())
def test_going_on_leaves_no_gap_and_sends_nothing_twice(cut: tuple[int, int, dict[int, list[Message]]]) -> None:
    sites, partitions, arrived = cut
    simulation = house(sites)
    marks = marks_in(in_topic(simulation, arrived))
    first = first_tick(simulation, partitions, marks)
    rest = remaining(iter(encoded(sites, partitions, first, TICKS)), marks)
    assert_nothing_is_missing_or_double(sites, partitions, arrived, list(rest))


def assert_a_run_goes_on(cut: tuple[int, int, dict[int, list[Message]]], ticks_per_second: float | None) -> None:
    sites, partitions, arrived = cut
    simulation, delivery = house(sites), FakeDelivery(partitions)
    marks = marks_in(in_topic(simulation, arrived))
    run(simulation, delivery, ticks=TICKS, ticks_per_second=ticks_per_second, marks=marks, clock=delivery.clock)
    assert_nothing_is_missing_or_double(sites, partitions, arrived, delivery.messages)
    assert delivery.finished


@settings(max_examples=40)
@given(interrupted() | interrupted_close_together())
def test_a_run_goes_on_where_the_topic_ends(cut: tuple[int, int, dict[int, list[Message]]]) -> None:
    assert_a_run_goes_on(cut, ticks_per_second=None)


@settings(max_examples=8)
@given(interrupted() | interrupted_close_together())
def test_a_paced_run_goes_on_where_the_topic_ends(cut: tuple[int, int, dict[int, list[Message]]]) -> None:
    assert_a_run_goes_on(cut, ticks_per_second=1.0)


@settings(max_examples=20)
@given(interrupted(), st.data())
def test_a_run_that_was_cut_off_while_it_went_on_goes_on_again(
    cut: tuple[int, int, dict[int, list[Message]]], data: st.DataObject
) -> None:
    sites, partitions, arrived = cut
    simulation = house(sites)
    for _ in range(2):
        delivery = FakeDelivery(partitions)
        marks = marks_in(in_topic(simulation, arrived))
        run(simulation, delivery, ticks=TICKS, ticks_per_second=None, marks=marks, clock=delivery.clock)
        for number, log in by_partition(delivery.messages).items():
            arrived[number] += log[: data.draw(st.integers(0, len(log)))]
    delivery = FakeDelivery(partitions)
    run(
        simulation,
        delivery,
        ticks=TICKS,
        ticks_per_second=None,
        marks=marks_in(in_topic(simulation, arrived)),
        clock=delivery.clock,
    )
    assert_nothing_is_missing_or_double(sites, partitions, arrived, delivery.messages)


@settings(max_examples=30)
@given(interrupted(), st.data())
def test_records_of_others_in_between_do_not_disturb_it(
    cut: tuple[int, int, dict[int, list[Message]]], data: st.DataObject
) -> None:
    sites, partitions, arrived = cut
    simulation = house(sites)
    logs = in_topic(simulation, arrived)
    for log in logs.values():
        for _ in range(data.draw(st.integers(0, 3))):
            stamp = data.draw(st.sampled_from([START - 1, START, START + 10 * TICK_MS, START + 10_000 * TICK_MS]))
            foreign = Record(b"TH1", b'{"site":"home","sensor":"TH1","ts":1,"value":1}', stamp)
            log.insert(data.draw(st.integers(0, len(log))), foreign)
    marks = marks_in(logs)
    rest = remaining(iter(encoded(sites, partitions, first_tick(simulation, partitions, marks), TICKS)), marks)
    assert_nothing_is_missing_or_double(sites, partitions, arrived, list(rest))


def test_the_first_tick_is_that_of_the_oldest_mark_and_0_when_a_partition_has_none() -> None:
    simulation = house()
    logs = by_partition(stream(1, 6, 50))
    ends = {number: [m for m in log if m.timestamp <= START + (10 + number) * TICK_MS] for number, log in logs.items()}
    assert first_tick(simulation, 6, marks_in(in_topic(simulation, ends))) == 10
    ends[3] = []
    assert first_tick(simulation, 6, marks_in(in_topic(simulation, ends))) == 0
    assert first_tick(simulation, 6, {}) == 0


def test_a_run_that_is_complete_sends_nothing_more() -> None:
    simulation, delivery = house(), FakeDelivery(6)
    marks = marks_in(in_topic(simulation, by_partition(stream(1, 6, 50))))
    run(simulation, delivery, ticks=50, ticks_per_second=1.0, marks=marks, clock=delivery.clock)
    assert (delivery.messages, delivery.waits) == ([], [])
    assert delivery.finished


def test_a_longer_run_goes_on_behind_a_complete_one() -> None:
    simulation, delivery = house(), FakeDelivery(6)
    marks = marks_in(in_topic(simulation, by_partition(stream(1, 6, 50))))
    run(simulation, delivery, ticks=60, ticks_per_second=None, marks=marks, clock=delivery.clock)
    assert delivery.messages == encoded(1, 6, 50, 60)


# --- The pace


def test_a_paced_run_sends_each_tick_when_it_is_due() -> None:
    delivery = FakeDelivery(6)
    run(house(), delivery, ticks=20, ticks_per_second=4.0, marks={}, clock=delivery.clock)
    assert [ticks_in(batch) for _, batch in delivery.calls] == [[k] for k in range(20)]
    assert [when for when, _ in delivery.calls] == pytest.approx([1000 + k / 4 for k in range(20)])
    assert delivery.messages == stream(1, 6, 20)


def test_by_default_a_simulated_day_lasts_96_seconds() -> None:
    delivery = FakeDelivery(6)
    run(house(), delivery, ticks=97, ticks_per_second=1.0, marks={}, clock=delivery.clock)
    assert delivery.clock.now == pytest.approx(1000 + 96)


def test_acknowledgements_are_served_while_a_run_waits() -> None:
    delivery = FakeDelivery(6)
    run(house(), delivery, ticks=3, ticks_per_second=0.1, marks={}, clock=delivery.clock)
    assert max(delivery.waits) <= 0.1
    assert sum(delivery.waits) == pytest.approx(20)


def test_a_run_that_was_held_up_catches_up_with_its_pace() -> None:
    delivery = FakeDelivery(6, slow={2: 3.5})
    run(house(), delivery, ticks=10, ticks_per_second=1.0, marks={}, clock=delivery.clock)
    assert [when - 1000 for when, _ in delivery.calls] == pytest.approx([0, 1, 2, 5.5, 5.5, 5.5, 6, 7, 8, 9])
    assert delivery.messages == stream(1, 6, 10)


def test_a_run_that_goes_on_keeps_its_pace_from_the_newest_mark_on() -> None:
    simulation, delivery = house(), FakeDelivery(6)
    logs = by_partition(stream(1, 6, 100))
    until = {number: START + (40 + 10 * number) * TICK_MS for number in logs}
    ends = {number: [m for m in log if m.timestamp <= until[number]] for number, log in logs.items()}
    newest = 40 + 10 * 5
    marks = marks_in(in_topic(simulation, ends))
    run(simulation, delivery, ticks=100, ticks_per_second=1.0, marks=marks, clock=delivery.clock)
    for when, batch in delivery.calls:
        for tick in ticks_in(batch):
            assert when - 1000 == pytest.approx(max(0, tick - newest))


def test_a_run_without_a_pace_waits_once_and_sends_many_ticks_at_once() -> None:
    delivery = FakeDelivery(6)
    run(house(), delivery, ticks=5000, ticks_per_second=None, marks={}, clock=delivery.clock)
    assert sum(delivery.waits) == pytest.approx(WAKE_SECONDS)
    begins = [now for now, _ in delivery.calls]
    assert [ticks_in(batch) for _, batch in delivery.calls[:2]] == [[0], [1]]
    assert begins[1] == begins[0]
    assert begins[2] - begins[1] == pytest.approx(WAKE_SECONDS)
    assert delivery.messages == encoded(1, 6, 0, 5000)
    assert 1 < len(delivery.calls) < 12
    assert max(len(batch) for _, batch in delivery.calls) < 2 * CHUNK
    assert delivery.finished


def test_of_very_many_sites_a_tick_is_still_sent_as_a_whole() -> None:
    delivery = FakeDelivery(6)
    run(house(sites=3000), delivery, ticks=2, ticks_per_second=None, marks={}, clock=delivery.clock)
    assert [ticks_in(batch) for _, batch in delivery.calls] == [[0], [1]]


def test_progress_is_reported_after_each_step_and_at_the_end() -> None:
    delivery = FakeDelivery(6)
    reports: list[Progress] = []
    run(house(), delivery, ticks=5, ticks_per_second=1.0, marks={}, report=reports.append, clock=delivery.clock)
    assert [progress.tick for progress in reports] == [1, 2, 3, 4, 5, 5]
    so_far = [sum(len(batch) for _, batch in delivery.calls[:count]) for count in range(1, 6)]
    assert [progress.sent for progress in reports] == [*so_far, so_far[-1]]
    assert reports[-1] == Progress(5, len(delivery.messages), delivery.heartbeats, len(delivery.messages))


@pytest.mark.parametrize("ticks_per_second", [None, 1.0])
def test_a_run_without_an_end_goes_on_until_it_is_stopped(ticks_per_second: float | None) -> None:
    delivery = FakeDelivery(6, stops_after=7)
    run(house(), delivery, ticks=None, ticks_per_second=ticks_per_second, marks={}, clock=delivery.clock)
    ticks = ticks_in(delivery.messages)
    assert ticks == list(range(len(ticks)))
    assert len(delivery.calls) == 7
    assert delivery.finished


def test_a_run_that_is_stopped_while_it_waits_sends_no_more() -> None:
    class StoppedInAWait(FakeDelivery):
        def poll(self, seconds: float = 0.0) -> None:
            super().poll(seconds)
            if self.clock.now > 1003.5:
                self.stop()

    delivery = StoppedInAWait(6)
    run(house(), delivery, ticks=None, ticks_per_second=1.0, marks={}, clock=delivery.clock)
    assert ticks_in(delivery.messages) == [0, 1, 2, 3]
    assert delivery.finished


def test_a_run_ends_when_a_reading_is_refused() -> None:
    delivery = FakeDelivery(6, fails_after=45)
    with pytest.raises(DeliveryError):
        run(house(), delivery, ticks=50, ticks_per_second=1.0, marks={}, clock=delivery.clock)
    assert 45 < delivery.sent < 60
    assert not delivery.finished


def test_the_clock_is_read_as_the_run_begins() -> None:
    delivery = FakeDelivery(6, clock=Clock(5.0))
    run(house(), delivery, ticks=2, ticks_per_second=0.5, marks={}, clock=delivery.clock)
    assert [when for when, _ in delivery.calls] == pytest.approx([5.0, 7.0])


def test_messages_are_only_computed_as_they_are_sent() -> None:
    def endless() -> Iterator[Message]:
        while True:
            yield stream(1, 6, 1)[0]

    assert next(remaining(endless(), {})) == stream(1, 6, 1)[0]
