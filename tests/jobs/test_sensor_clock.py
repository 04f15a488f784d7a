"""What a sensor has sent, as the job remembers it (jobs/java), against plain Python: in a JVM of its own."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from py4j.java_gateway import JavaGateway

from jobs.tools import flink_home, java_home, job_jar
from scripts.stack.supervision import Stack
from tests.lateness_model import DAY, B, C, L, verdicts

MEMORY = L + C + B
MINUTES_15 = 900_000


class Sensor:
    """The Java object, taking one reading after the other."""

    def __init__(self, java: Any, seen: Any = None) -> None:
        self.java = java
        self.serializer = java.iot.SeenSerializer()
        self.seen = self.serializer.createInstance() if seen is None else seen

    def takes(self, stream: Sequence[int]) -> list[bool]:
        """For each of them: is it a duplicate?"""
        found = []
        for ts in stream:
            self.seen.take(ts, DAY, MEMORY)
            found.append(bool(self.seen.duplicate()))
        return found

    def copied(self) -> Sensor:
        return Sensor(self.java, self.serializer.copy(self.seen))

    def written(self) -> bytes:
        out = self.java.org.apache.flink.core.memory.DataOutputSerializer(64)
        self.serializer.serialize(self.seen, out)
        return bytes(out.getCopyOfBuffer())

    def restored(self) -> Sensor:
        source = self.java.org.apache.flink.core.memory.DataInputDeserializer(self.written())
        return Sensor(self.java, self.serializer.deserialize(source))


@pytest.fixture(scope="module")
def java(stack: Stack) -> Iterator[Any]:  # the stack's start makes the jar
    dist = next((flink_home() / "lib").glob("flink-dist-*.jar"))
    api = next((flink_home() / "lib").glob("flink-table-api-java-uber-*.jar"))
    gateway = JavaGateway.launch_gateway(
        java_path=str(java_home() / "bin" / "java"), classpath=f"{job_jar()}:{dist}:{api}", die_on_exit=True
    )
    yield gateway.jvm
    gateway.shutdown()


def duplicates(stream: Sequence[int]) -> list[bool]:
    return [verdict == "duplicate" for verdict in verdicts(stream)]


@st.composite
def streams(draw: st.DrawFn) -> list[int]:
    """A sensor that goes on at a cadence, with holes and jitter, and sends older readings in between, new and known."""
    cadence = draw(st.sampled_from([1, 977, MINUTES_15, DAY // 2]))
    now, stream = 0, list[int]()
    for kind in draw(st.lists(st.sampled_from("nnnnnnhjok"), min_size=20, max_size=120)):
        if kind in "nhj":
            now += cadence * (1 if kind != "h" else draw(st.integers(2, 5))) + (
                draw(st.integers(0, cadence)) if kind == "j" else 0
            )
            stream.append(now)
        elif kind == "o":
            stream.append(max(0, now - cadence * draw(st.integers(0, 40)) - draw(st.integers(0, 1))))
        elif stream:
            stream.append(draw(st.sampled_from(stream)))
    return stream


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stream=streams(), cut=st.integers(0, 20))
def test_duplicates_are_those_of_the_definition(java: Any, stream: list[int], cut: int) -> None:
    wanted = duplicates(stream)
    sensor = Sensor(java)
    assert sensor.takes(stream[:cut]) == wanted[:cut]
    restored, copied = sensor.restored(), sensor.copied()
    before = sensor.written()
    assert copied.takes(stream[cut:]) == wanted[cut:]
    assert sensor.written() == before, "a checkpoint is written of what a copy goes on changing"
    before = copied.written()
    sensor.takes([ts + 1 for ts in stream[cut:]])
    assert copied.written() == before
    assert restored.takes(stream[cut:]) == wanted[cut:]


def test_a_day_is_forgotten_when_the_clock_is_so_far(java: Any) -> None:
    """By the millisecond, whatever of the day it is."""
    for ts in (0, 1, DAY - 1):
        assert Sensor(java).takes([ts, DAY + MEMORY - 1, ts]) == [False, False, True]
        assert Sensor(java).takes([ts, DAY + MEMORY, ts]) == [False, False, False]


@pytest.mark.parametrize("order", ["forwards", "backwards", "shuffled", "gaps last"])
def test_many_irregular_readings_in_any_order(java: Any, order: str) -> None:
    """Enough of them for chunks to fill up, to be split, and to be let go."""
    draw = random.Random(order)
    stream = sorted({draw.randrange(4 * DAY) for _ in range(1_000)})
    if order == "backwards":
        stream.reverse()
    elif order == "shuffled":
        draw.shuffle(stream)
    elif order == "gaps last":
        stream += [ts + 1 for ts in reversed(stream)]
    stream += stream
    assert Sensor(java).takes(stream) == duplicates(stream)


def test_a_regular_run_may_be_split_anywhere(java: Any) -> None:
    run = [n * MINUTES_15 for n in range(1, 10)]
    for split in (7, *(ts + 7 for ts in run[:-1])):
        sensor = Sensor(java)
        assert not any(sensor.takes([*run, split]))
        assert sensor.restored().takes([ts + 1 for ts in run[:-1]]) == [False] * 8
        assert all(sensor.takes([split, *run]))


def test_a_regular_sensor_takes_no_more_room_with_time(java: Any) -> None:
    sensor = Sensor(java)
    sensor.takes([n * MINUTES_15 for n in range(10)])
    short = len(sensor.written())
    sensor.takes([n * MINUTES_15 for n in range(10, 1_500)])
    assert len(sensor.written()) == short
    assert all(sensor.takes([n * MINUTES_15 for n in range(700, 900, 7)]))


def test_what_is_too_old_is_let_go(java: Any) -> None:
    """Half a year of readings at any instant; ten days of them are remembered."""
    draw = random.Random(7)
    sensor = Sensor(java)
    sizes = []
    for day in range(0, 180, 10):
        sensor.takes(sorted(draw.sample(range(day * DAY, (day + 10) * DAY), 100)))
        sizes.append(len(sensor.written()))
    assert max(sizes) < 3 * sizes[0]


def test_a_format_that_is_not_known_is_said(java: Any) -> None:
    source = java.org.apache.flink.core.memory.DataInputDeserializer(b"\x63" + bytes(12))
    with pytest.raises(Exception, match="state of format 99"):
        java.iot.SeenSerializer().deserialize(source)
