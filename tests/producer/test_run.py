"""Readings as messages, going on where the topic ends, and the pace."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby
from operator import itemgetter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.home import ROOT
from infrastructure.kafka.publisher import PublishError
from producer.encoder import Encoder, Ticked
from producer.run import CHUNK, WAKE_SECONDS, Progress, first_tick, remaining, run
from producer.simulation import TICK_MS, Simulation, site_names
from tests.producer.fake_kafka import (
    RECEIVED,
    Clock,
    FakePublisher,
    Record,
    Sent,
    by_partition,
    marks_in,
    record,
    sent_of,
)
from tests.validity import FUTURE_TOLERANCE_MS
from topics import catalogue
from topics.decoding import decode
from topics.encoding import Message
from topics.names import sensor_key
from topics.partitions import first_partitions
from topics.reading import Heartbeat, Reading, Rules

SENSORS = catalogue.read(ROOT / "sensors.toml")
RULES = Rules(SENSORS, FUTURE_TOLERANCE_MS)
START = 1_577_836_800_000
PARTITIONS = (1, 2, 6, 9, 48)


def house(sites: int = 1, seed: int = 1) -> Simulation:
    return Simulation(SENSORS, seed, START, site_names(sites))


def ticked(sites: int, partitions: int, first: int, end: int) -> Iterator[Ticked]:
    return Encoder(house(sites), partitions, first_partitions(SENSORS, partitions)).ticked(first, end)


def encoded(sites: int, partitions: int, first: int, end: int) -> list[Sent]:
    return list(map(sent_of, ticked(sites, partitions, first, end)))


@cache
def stream(sites: int, partitions: int, ticks: int) -> list[Sent]:
    """Everything that an uninterrupted run sends."""
    return encoded(sites, partitions, 0, ticks)


def ticks_in(messages: list[Sent]) -> list[int]:
    """The ticks at which the messages are sent, each once, in order of appearance."""
    return list(dict.fromkeys((m.tick - START) // TICK_MS for m in messages))


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
            place = first_partitions(SENSORS, partitions)(site, name)
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
    assert [(m.partition, m.key, json.loads(m.value), m.tick, m.marked) for m in messages] == expected


def test_every_message_is_a_valid_reading_or_a_heartbeat() -> None:
    for message in stream(2, 6, 300):
        (item,) = decode(message.value, message.tick, RULES)
        if message.key is None:
            assert item == Heartbeat(message.tick)
        else:
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
            assert message.marked == (message.tick not in seen)
            seen.add(message.tick)


def test_the_last_message_of_a_tick_in_a_partition_has_brought_its_time_to_the_tick() -> None:
    """Otherwise a last motion just after midnight would leave the day open (seed 67, 30 days)."""
    for log in by_partition(stream(1, 9, 300)).values():
        newest: dict[int, int] = {}
        for message in log:
            fields = json.loads(message.value)
            newest[message.tick] = max(newest.get(message.tick, 0), fields["ts"])
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
def interrupted(draw: st.DrawFn) -> tuple[int, int, dict[int, list[Sent]]]:
    """Sites, partitions, and what has arrived in each of them when a run is cut off: any beginning of its messages."""
    sites, partitions = draw(houses)
    logs = by_partition(stream(sites, partitions, TICKS))
    cuts = {number: draw(st.integers(0, len(log)) | st.just(len(log)) | st.just(0)) for number, log in logs.items()}
    return sites, partitions, {number: log[: cuts[number]] for number, log in logs.items()}


@st.composite
def interrupted_close_together(draw: st.DrawFn) -> tuple[int, int, dict[int, list[Sent]]]:
    """The same, with all cuts within a few messages: what a crash looks like."""
    sites, partitions = draw(houses)
    whole = stream(sites, partitions, TICKS)
    around = draw(st.integers(0, len(whole)))
    arrived = by_partition(whole[:around])
    for number in range(partitions):
        log = arrived.setdefault(number, [])
        del log[max(0, len(log) - draw(st.integers(0, 12))) :]
    return sites, partitions, arrived


def in_topic(logs: dict[int, list[Sent]]) -> dict[int, list[Record]]:
    return {number: [record(message) for message in log] for number, log in logs.items()}


def assert_nothing_is_missing_or_double(
    sites: int, partitions: int, before: dict[int, list[Sent]], after: Sequence[Message | Sent]
) -> None:
    later: dict[int, list[tuple[object, ...]]] = defaultdict(list)
    for message in after:
        later[message[0]].append(message[:4])
    for number, log in by_partition(stream(sites, partitions, TICKS)).items():
        assert [m[:4] for m in before[number]] + later[number] == [m[:4] for m in log]


@settings(max_examples=60)
@given(interrupted() | interrupted_close_together())
def test_going_on_leaves_no_gap_and_sends_nothing_twice(cut: tuple[int, int, dict[int, list[Sent]]]) -> None:
    sites, partitions, arrived = cut
    simulation = house(sites)
    marks = marks_in(in_topic(arrived))
    first = first_tick(simulation, partitions, marks)
    rest = remaining(ticked(sites, partitions, first, TICKS), marks)
    assert_nothing_is_missing_or_double(sites, partitions, arrived, list(rest))


def assert_a_run_goes_on(cut: tuple[int, int, dict[int, list[Sent]]], ticks_per_second: float | None) -> None:
    sites, partitions, arrived = cut
    simulation, publisher = house(sites), FakePublisher(partitions)
    marks = marks_in(in_topic(arrived))
    run(simulation, publisher, ticks=TICKS, ticks_per_second=ticks_per_second, marks=marks, clock=publisher.clock)
    assert_nothing_is_missing_or_double(sites, partitions, arrived, publisher.messages)
    assert publisher.finished


@settings(max_examples=40)
@given(interrupted() | interrupted_close_together())
def test_a_run_goes_on_where_the_topic_ends(cut: tuple[int, int, dict[int, list[Sent]]]) -> None:
    assert_a_run_goes_on(cut, ticks_per_second=None)


@settings(max_examples=8)
@given(interrupted() | interrupted_close_together())
def test_a_paced_run_goes_on_where_the_topic_ends(cut: tuple[int, int, dict[int, list[Sent]]]) -> None:
    assert_a_run_goes_on(cut, ticks_per_second=1.0)


@settings(max_examples=20)
@given(interrupted(), st.data())
def test_a_run_that_was_cut_off_while_it_went_on_goes_on_again(
    cut: tuple[int, int, dict[int, list[Sent]]], data: st.DataObject
) -> None:
    sites, partitions, arrived = cut
    simulation = house(sites)
    for _ in range(2):
        publisher = FakePublisher(partitions)
        marks = marks_in(in_topic(arrived))
        run(simulation, publisher, ticks=TICKS, ticks_per_second=None, marks=marks, clock=publisher.clock)
        for number, log in by_partition(publisher.messages).items():
            arrived[number] += log[: data.draw(st.integers(0, len(log)))]
    publisher = FakePublisher(partitions)
    run(
        simulation,
        publisher,
        ticks=TICKS,
        ticks_per_second=None,
        marks=marks_in(in_topic(arrived)),
        clock=publisher.clock,
    )
    assert_nothing_is_missing_or_double(sites, partitions, arrived, publisher.messages)


@settings(max_examples=30)
@given(interrupted(), st.data())
def test_records_of_others_in_between_do_not_disturb_it(
    cut: tuple[int, int, dict[int, list[Sent]]], data: st.DataObject
) -> None:
    sites, partitions, arrived = cut
    simulation = house(sites)
    logs = in_topic(arrived)
    for log in logs.values():
        for _ in range(data.draw(st.integers(0, 3))):
            foreign = Record(b"TH1", b'{"site":"home","sensor":"TH1","ts":1,"value":1}', RECEIVED)
            log.insert(data.draw(st.integers(0, len(log))), foreign)
    marks = marks_in(logs)
    rest = remaining(ticked(sites, partitions, first_tick(simulation, partitions, marks), TICKS), marks)
    assert_nothing_is_missing_or_double(sites, partitions, arrived, list(rest))


def test_the_first_tick_is_that_of_the_oldest_mark_and_0_when_a_partition_has_none() -> None:
    simulation = house()
    logs = by_partition(stream(1, 6, 50))
    ends = {number: [m for m in log if m.tick <= START + (10 + number) * TICK_MS] for number, log in logs.items()}
    assert first_tick(simulation, 6, marks_in(in_topic(ends))) == 10
    ends[3] = []
    assert first_tick(simulation, 6, marks_in(in_topic(ends))) == 0
    assert first_tick(simulation, 6, {}) == 0


def test_a_run_that_is_complete_sends_nothing_more() -> None:
    simulation, publisher = house(), FakePublisher(6)
    marks = marks_in(in_topic(by_partition(stream(1, 6, 50))))
    run(simulation, publisher, ticks=50, ticks_per_second=1.0, marks=marks, clock=publisher.clock)
    assert (publisher.messages, publisher.waits) == ([], [])
    assert publisher.finished


def test_a_longer_run_goes_on_behind_a_complete_one() -> None:
    simulation, publisher = house(), FakePublisher(6)
    marks = marks_in(in_topic(by_partition(stream(1, 6, 50))))
    run(simulation, publisher, ticks=60, ticks_per_second=None, marks=marks, clock=publisher.clock)
    assert publisher.messages == encoded(1, 6, 50, 60)


# --- The pace


def test_a_paced_run_sends_each_tick_when_it_is_due() -> None:
    publisher = FakePublisher(6)
    run(house(), publisher, ticks=20, ticks_per_second=4.0, marks={}, clock=publisher.clock)
    assert [ticks_in(batch) for _, batch in publisher.calls] == [[k] for k in range(20)]
    assert [when for when, _ in publisher.calls] == pytest.approx([1000 + k / 4 for k in range(20)])
    assert publisher.messages == stream(1, 6, 20)


def test_by_default_a_simulated_day_lasts_96_seconds() -> None:
    publisher = FakePublisher(6)
    run(house(), publisher, ticks=97, ticks_per_second=1.0, marks={}, clock=publisher.clock)
    assert publisher.clock.now == pytest.approx(1000 + 96)


def test_acknowledgements_are_served_while_a_run_waits() -> None:
    publisher = FakePublisher(6)
    run(house(), publisher, ticks=3, ticks_per_second=0.1, marks={}, clock=publisher.clock)
    assert max(publisher.waits) <= 0.1
    assert sum(publisher.waits) == pytest.approx(20)


def test_a_run_that_was_held_up_catches_up_with_its_pace() -> None:
    publisher = FakePublisher(6, slow={2: 3.5})
    run(house(), publisher, ticks=10, ticks_per_second=1.0, marks={}, clock=publisher.clock)
    assert [when - 1000 for when, _ in publisher.calls] == pytest.approx([0, 1, 2, 5.5, 5.5, 5.5, 6, 7, 8, 9])
    assert publisher.messages == stream(1, 6, 10)


def test_a_run_that_goes_on_keeps_its_pace_from_the_newest_mark_on() -> None:
    simulation, publisher = house(), FakePublisher(6)
    logs = by_partition(stream(1, 6, 100))
    until = {number: START + (40 + 10 * number) * TICK_MS for number in logs}
    ends = {number: [m for m in log if m.tick <= until[number]] for number, log in logs.items()}
    newest = 40 + 10 * 5
    marks = marks_in(in_topic(ends))
    run(simulation, publisher, ticks=100, ticks_per_second=1.0, marks=marks, clock=publisher.clock)
    for when, batch in publisher.calls:
        for tick in ticks_in(batch):
            assert when - 1000 == pytest.approx(max(0, tick - newest))


def test_a_run_without_a_pace_waits_once_and_sends_many_ticks_at_once() -> None:
    publisher = FakePublisher(6)
    run(house(), publisher, ticks=5000, ticks_per_second=None, marks={}, clock=publisher.clock)
    assert sum(publisher.waits) == pytest.approx(WAKE_SECONDS)
    begins = [now for now, _ in publisher.calls]
    assert [ticks_in(batch) for _, batch in publisher.calls[:2]] == [[0], [1]]
    assert begins[1] == begins[0]
    assert begins[2] - begins[1] == pytest.approx(WAKE_SECONDS)
    assert publisher.messages == encoded(1, 6, 0, 5000)
    assert 1 < len(publisher.calls) < 12
    assert max(len(batch) for _, batch in publisher.calls) < 2 * CHUNK
    assert publisher.finished


def test_of_very_many_sites_a_tick_is_still_sent_as_a_whole() -> None:
    publisher = FakePublisher(6)
    run(house(sites=3000), publisher, ticks=2, ticks_per_second=None, marks={}, clock=publisher.clock)
    assert [ticks_in(batch) for _, batch in publisher.calls] == [[0], [1]]


def test_progress_is_reported_after_each_step_and_at_the_end() -> None:
    publisher = FakePublisher(6)
    reports: list[Progress] = []
    run(house(), publisher, ticks=5, ticks_per_second=1.0, marks={}, report=reports.append, clock=publisher.clock)
    assert [progress.tick for progress in reports] == [1, 2, 3, 4, 5, 5]
    so_far = [sum(len(batch) for _, batch in publisher.calls[:count]) for count in range(1, 6)]
    assert [progress.sent for progress in reports] == [*so_far, so_far[-1]]
    assert reports[-1] == Progress(5, len(publisher.messages), publisher.heartbeats, len(publisher.messages))


@pytest.mark.parametrize("ticks_per_second", [None, 1.0])
def test_a_run_without_an_end_goes_on_until_it_is_stopped(ticks_per_second: float | None) -> None:
    publisher = FakePublisher(6, stops_after=7)
    run(house(), publisher, ticks=None, ticks_per_second=ticks_per_second, marks={}, clock=publisher.clock)
    ticks = ticks_in(publisher.messages)
    assert ticks == list(range(len(ticks)))
    assert len(publisher.calls) == 7
    assert publisher.finished


def test_a_run_that_is_stopped_while_it_waits_sends_no_more() -> None:
    class StoppedInAWait(FakePublisher):
        def poll(self, seconds: float = 0.0) -> None:
            super().poll(seconds)
            if self.clock.now > 1003.5:
                self.stop()

    publisher = StoppedInAWait(6)
    run(house(), publisher, ticks=None, ticks_per_second=1.0, marks={}, clock=publisher.clock)
    assert ticks_in(publisher.messages) == [0, 1, 2, 3]
    assert publisher.finished


def test_a_run_ends_when_a_reading_is_refused() -> None:
    publisher = FakePublisher(6, fails_after=45)
    with pytest.raises(PublishError):
        run(house(), publisher, ticks=50, ticks_per_second=1.0, marks={}, clock=publisher.clock)
    assert 45 < publisher.sent < 60
    assert not publisher.finished


def test_the_clock_is_read_as_the_run_begins() -> None:
    publisher = FakePublisher(6, clock=Clock(5.0))
    run(house(), publisher, ticks=2, ticks_per_second=0.5, marks={}, clock=publisher.clock)
    assert [when for when, _ in publisher.calls] == pytest.approx([5.0, 7.0])


def test_messages_are_only_computed_as_they_are_sent() -> None:
    def endless() -> Iterator[Ticked]:
        while True:
            yield next(ticked(1, 6, 0, 1))

    assert next(remaining(endless(), {})) == stream(1, 6, 1)[0][:4]


# --- The present


@pytest.mark.parametrize("ticks_per_second", [None, 4.0])
def test_a_simulation_that_reaches_the_present_waits_for_it(ticks_per_second: float | None) -> None:
    """Its readings would be of the future: Kafka would receive them before they were measured."""
    publisher = FakePublisher(6)
    began = publisher.clock.now

    def wall() -> float:
        """Ten ticks have passed when it begins; a tick lasts a minute."""
        return START / 1000 + 10 * TICK_MS / 1000 + (publisher.clock.now - began) * TICK_MS / 60_000

    run(house(), publisher, ticks=15, ticks_per_second=ticks_per_second, marks={}, clock=publisher.clock, wall=wall)
    assert ticks_in(publisher.messages) == list(range(15))
    sent = {tick: when for when, batch in publisher.calls for tick in ticks_in(batch)}
    assert all(sent[tick] - began > (tick - 10) * 60 - 0.01 for tick in range(11, 15))
    assert sent[14] - began == pytest.approx(4 * 60, abs=1)
