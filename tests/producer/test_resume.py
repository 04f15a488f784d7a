"""How far an earlier run came, read from the ends of the topic's partitions."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from infrastructure.home import ROOT
from infrastructure.kafka import reader
from infrastructure.kafka.reader import TopicReadError
from infrastructure.settings import Settings
from producer import resume
from producer.encoder import SIMULATION, TICK, Encoder
from producer.resume import Mark, ResumeError
from producer.simulation import Simulation, site_names
from tests.producer.fake_kafka import FakeConsumer, Log, Record, by_partition, marks_in, record, sent_of
from topics import catalogue
from topics.partitions import first_partitions

SENSORS = catalogue.read(ROOT / "sensors.toml")
START = 1_577_836_800_000
HOUSES = Simulation(SENSORS, 1, START, site_names(2))
IDENTITY = HOUSES.identity
FOREIGN = Record(b"TH1", b"{}", START)


def topic(ticks: int) -> dict[int, list[Record]]:
    """What a run of so many ticks leaves in six partitions."""
    messages = map(sent_of, Encoder(HOUSES, 6, first_partitions(SENSORS, 6)).ticked(0, ticks))
    return {n: [record(m) for m in log] for n, log in sorted(by_partition(messages).items())}


def marks(monkeypatch: pytest.MonkeyPatch, consumer: FakeConsumer) -> dict[int, Mark]:
    monkeypatch.setattr(reader, "consumer", lambda _settings: consumer)
    return resume.marks(Settings.of(env_file=None), "dailyAggr", IDENTITY)


def found(logs: Mapping[int, Log], first: int = 0) -> dict[int, Mark]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return marks(monkeypatch, FakeConsumer(logs, first))


def test_an_empty_topic_has_no_marks() -> None:
    assert found({0: [], 1: []}) == {}


def test_a_mark_is_the_last_tick_of_a_partition_and_what_is_there_of_it() -> None:
    logs = topic(40)
    last = START + 39 * 15 * 60_000
    assert found(logs) == {
        number: Mark(last, frozenset((r.key, r.value) for r in log[begin:]))
        for number, log in logs.items()
        for begin in (max(offset for offset, entry in enumerate(log) if entry.headers),)
    }


def test_a_topic_of_before_there_was_a_header_has_the_tick_as_its_timestamp() -> None:
    old = {
        number: [Record(r.key, r.value, int(dict(r.headers).get(TICK, 0)), r.headers[:1]) for r in log]
        for number, log in topic(40).items()
    }
    assert found(old) == found(topic(40))


@examples(max_examples=60)
@given(st.data(), st.integers(0, 1000))
def test_marks_are_found_wherever_a_partition_ends_and_begins(data: st.DataObject, first: int) -> None:
    logs = {number: log[: data.draw(st.integers(0, len(log)))] for number, log in topic(40).items()}
    assert found(logs, first) == marks_in(logs)


@pytest.mark.parametrize("foreign", [1, 98, 99, 100, 101, 499, 500, 501, 2100, 5000])
def test_a_mark_is_found_behind_any_number_of_records_of_others(foreign: int) -> None:
    logs = {number: [*log, *[FOREIGN] * foreign] for number, log in topic(3).items()}
    assert found(logs) == marks_in(logs)
    assert set(found(logs)) == set(range(6))


@pytest.mark.parametrize("foreign", [1, 100, 1000])
def test_a_partition_with_records_of_others_alone_has_no_mark(foreign: int) -> None:
    assert found({0: [FOREIGN] * foreign}) == {}


def test_headers_of_others_are_no_marks() -> None:
    other = FOREIGN._replace(headers=(("trace", b"1"),))
    logs = {0: [*topic(3)[0], other]}
    assert found(logs) == marks_in({0: [*topic(3)[0], FOREIGN]})


def test_the_simulations_header_is_found_among_others() -> None:
    log = [r._replace(headers=(("trace", b"1"), *r.headers)) if r.headers else r for r in topic(3)[0]]
    assert found({0: log}) == found({0: topic(3)[0]})


def test_a_long_topic_is_read_at_its_end_alone() -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        consumer = FakeConsumer({0: topic(500)[0]})
        marks(monkeypatch, consumer)
    assert consumer.read <= 100 < len(consumer.logs[0])


@pytest.mark.parametrize(
    ("identity", "told"),
    [
        ("2@1577836800000*2", "--seed 2 --start 2020-01-01 --sites 2"),
        ("1@0*2", "--seed 1 --start 1970-01-01 --sites 2"),
        ("1@1577836800000*3", "--seed 1 --start 2020-01-01 --sites 3"),
        ("", "header sim: ''"),
        ("another", "header sim: 'another'"),
    ],
)
def test_the_readings_of_another_simulation_are_an_error_that_says_what_to_do(identity: str, told: str) -> None:
    logs: dict[int, list[Record]] = {0: [], 1: [Record(b"TH1", b"{}", START, ((SIMULATION, identity.encode()),))]}
    with pytest.raises(ResumeError, match="another simulation") as error:
        found(logs)
    assert "iot reset" in str(error.value)
    assert f"another simulation ({told})" in str(error.value)


def test_only_the_newest_simulation_of_a_partition_counts() -> None:
    old = Record(b"TH1", b"{}", START, ((SIMULATION, b"another"),))
    log = topic(3)[0]
    assert found({0: [old, *log]}) == marks_in({0: log})


@pytest.mark.parametrize("logs", [{0: []}, topic(3), {0: [FOREIGN._replace(headers=((SIMULATION, b"another"),))]}])
def test_the_consumer_is_closed_whatever_is_found(
    monkeypatch: pytest.MonkeyPatch, logs: dict[int, list[Record]]
) -> None:
    consumer = FakeConsumer(logs)
    try:
        marks(monkeypatch, consumer)
    except ResumeError:
        assert logs[0][0].headers
    assert consumer.closed


def test_a_kafka_that_stops_answering_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = FakeConsumer(topic(3), silent=True)
    with pytest.raises(TopicReadError, match="stopped answering"):
        marks(monkeypatch, consumer)
    assert consumer.closed
