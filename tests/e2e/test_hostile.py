"""Bad input among good: hostile records in every partition change no series, stop nobody, and each is put aside once.

The catalogue of hostile records is tests/validity.py, whose accepted cases travel here too, each for a site of its own.
Some readings of the simulation come garbled as well, and are repaired in the end by `iot deadletter`.
"""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
from confluent_kafka import KafkaError, Message, Producer

from infrastructure.home import ROOT
from infrastructure.kafka.client import kafka_options
from infrastructure.settings import Settings
from operations import audit
from producer.encoder import Encoder
from producer.simulation import Simulation, ticks_of
from scripts import oracle
from scripts.stack.supervision import Stack
from tests import broker_clock
from tests.ingest.process import bridge_process
from tests.ingest.traffic import letters, origin
from tests.running import PATIENCE, submit_quickly, wait_for
from tests.validity import CASES, PLAIN, SENT, TS, Case
from topics import catalogue
from topics.names import AGGREGATES, READINGS, REJECTED
from topics.origin import Origin
from topics.partitions import first_partitions
from topics.reading import Reading
from topics.series import AGG_DAY, AGG_DAY_COUNT, AGG_DAY_REST, RAW, Series

START = 1_577_836_800_000
DAY = 86_400_000
DAYS = 6
SEED = 5
LARGEST = 900_000
"""Bytes of the largest hostile record that is sent as it is: the broker takes batches of a megabyte."""

PACKINGS = ("none", "gzip", "snappy", "lz4", "zstd")


Headers = list[tuple[str, bytes | None]] | None


class Hostile(NamedTuple):
    """A record, and the reason that its dead letter is to have; None when it holds a valid ``reading``, or none."""

    topic: str
    value: bytes | None
    reason: str | None
    key: bytes | None = b"TH1"
    sent: int = SENT
    headers: Headers = None
    reading: Reading | None = None


KEYS = (
    b"TH1",
    None,
    b"",
    b"\xff\x00\xfe",
    "schlüssel".encode(),
    b"*\r\nFLUSHALL\r\n",
    b"'; DROP TABLE readings; --",
    b"k" * 9000,
)
HEADERS: tuple[Headers, ...] = (
    None,
    [("reason", b"none"), ("topic", b"dailyAggr"), ("partition", b"0"), ("offset", b"0")],
    [("merged", b"\xff"), ("resent", b"nonsense"), ("resent", b"dailyAggr 0 0"), ("", None)],
    [("x" * 1000, b"\x00" * 1000)],
)
STAMPS = (0, 1, SENT, 2**62, 253_402_300_800_000)


def text(name: str) -> str:
    return json.dumps({"site": "home", "sensor": name, "ts": TS, "value": 1.0})


NAMES = (
    *(
        "KEYS *",
        "TH1\r\nFLUSHALL\r\n",
        "'; DROP TABLE readings; --",
        "{TH1}",
        "site=home",
        "../../etc/passwd",
        "%s%n%x",
    ),
    *(
        "${jndi:ldap://x/y}",
        "\x1b[2J\x1b[31m",
        "\u202eTH1",
        "TH1\x00",
        "TH1\u2028",
        "<script>",
        "`id`",
        "$(id)",
        "TH1:",
    ),
)


def hostile() -> Iterator[Hostile]:
    """A record for each case of the table that has one fate, and what is hostile around the value."""
    for number, case in enumerate(CASES):
        key, headers = KEYS[number % len(KEYS)], HEADERS[number % len(HEADERS)]
        if len(case.value or b"") > LARGEST:
            continue
        if isinstance(case.expected, str):
            yield Hostile(READINGS, case.value, case.expected, key, SENT, headers)
        elif not case.expected:
            yield Hostile(READINGS, case.value, None, key, SENT, headers)
        elif (own := of_its_own_site(case, f"case-{number:03}")) is not None:
            yield Hostile(READINGS, own[0], None, key, SENT, headers, own[1])
    for number, name in enumerate(NAMES):
        yield Hostile(READINGS, text(name).encode(), "unknown_sensor", name.encode())
        yield Hostile(
            READINGS, text("TH1").replace('"home"', json.dumps(name)).encode(), "malformed_site", b"%d" % number
        )
    for stamp in STAMPS:
        yield Hostile(READINGS, b"stamped with %d" % stamp, "not_json", sent=stamp)
        yield Hostile(READINGS, None, "not_json", sent=stamp)
    yield Hostile(READINGS, PLAIN, "future_ts", sent=0)
    yield Hostile(READINGS, random.Random(1).randbytes(1_000_000), "not_json")
    yield Hostile(READINGS, PLAIN[:-1] + b',"x":"' + b"\xff" * 900_000 + b'"}', "not_json")
    # By others than the job. There too the bridge has to go on.
    for topic in (AGGREGATES, REJECTED):
        # Each has a key of its own: of one key Kafka keeps the last record there, and may forget the others unread.
        for number, value in enumerate((b"", b"{", b"[]", b"\xff", b"null", b'{"value":NaN}', None)):
            yield Hostile(topic, value, "not_json", b"somebody else's %d" % number)


def of_its_own_site(case: Case, site: str) -> tuple[bytes, Reading] | None:
    """The record of a case and its reading, for a site that no other record is of; None where that cannot be."""
    if len(case.expected) != 1 or not isinstance(reading := case.expected[0], Reading) or case.value is None:
        return None
    value = case.value
    for encoding in ("utf-8", "utf-16-le", "utf-32-le"):
        value = value.replace('"home"'.encode(encoding), f'"{site}"'.encode(encoding))
    if value != case.value:
        return value, reading._replace(site=site)
    return (value, reading) if reading.site != "home" else None


class Garbled(NamedTuple):
    """A reading of the simulation that arrives broken."""

    sensor: str
    tick: int
    in_time: bool
    """Whether it can still be counted when the simulation has ended."""
    broken: Callable[[bytes], bytes]

    @property
    def ts(self) -> int:
        return START + self.tick * 900_000


GARBLED = (
    Garbled("TH2", 96 + 10, False, lambda value: value[:-4]),
    Garbled("TH2", 4 * 96 + 40, True, lambda value: value.replace(b'"value":', b'"value":"n/a","was":')),
    Garbled("TH2", 5 * 96 + 41, True, lambda value: b"\xff\xfe\xfd" + value),
    Garbled("MiAC1", 5 * 96 + 95, True, lambda value: value.replace(b"MiAC1", b"MiAC 1")),
)


class Traffic:
    """Sends a simulation, some of whose readings are garbled, with hostile records among it."""

    def __init__(self, settings: Settings, simulation: Simulation) -> None:
        self.settings = settings
        self.dead: dict[Origin, tuple[bytes | None, bytes | None, str, int]] = {}
        """By origin: key, value, reason and timestamp of each record that is to become a dead letter."""
        self.original: dict[Origin, bytes] = {}
        """What the garbled records should have been."""
        self.valid: list[Reading] = []
        self._simulation = simulation
        self._producers = {
            packing: Producer(
                {
                    **kafka_options(settings.kafka),
                    "enable.idempotence": True,
                    "compression.type": packing,
                    "message.max.bytes": 10_000_000,
                    "log_level": 0,
                }
            )
            for packing in PACKINGS
        }
        for producer in self._producers.values():
            producer.list_topics(timeout=30)  # before it knows the partitions, a message for one of them fails

    def send(self) -> None:
        encoder = Encoder(
            self._simulation,
            self.settings.partitions,
            first_partitions(self._simulation.catalogue, self.settings.partitions),
        )
        good = list(encoder.ticked(0, ticks_of(DAYS)))
        bad = list(hostile())
        every = len(good) // len(bad)
        assert every > 3, "spread over the whole simulation"
        for number, (sent, (partition, key, value, _)) in enumerate(good):
            broken = next((g for g in GARBLED if key == g.sensor.encode() and b'"ts":%d,' % g.ts in value), None)
            if broken is None:
                self._produce("lz4", READINGS, partition, key, value, sent)
            else:
                wrong = broken.broken(value)
                reason = {b"MiAC1": "unknown_sensor"}.get(key or b"", "wrong_type" if b"n/a" in wrong else "not_json")
                self._produce("lz4", READINGS, partition, key, wrong, sent, reason=reason, original=value)
            if number % every == 0 and bad:
                self._send_hostile(bad.pop(), number)
        assert not bad
        for producer in self._producers.values():
            assert producer.flush(PATIENCE) == 0

    def _send_hostile(self, record: Hostile, number: int) -> None:
        partition = number % self.settings.partitions if record.topic == READINGS else 0
        packing = PACKINGS[number // 7 % len(PACKINGS)]
        if record.reading is not None:
            self.valid.append(record.reading)
        topic, value, reason, key, sent, headers, _ = record
        self._produce(packing, topic, partition, key, value, sent, headers, reason=reason)

    def _produce(
        self,
        packing: str,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        sent: int,
        headers: Headers = None,
        *,
        reason: str | None = None,
        original: bytes | None = None,
    ) -> None:
        def arrived(error: KafkaError | None, message: Message) -> None:
            assert error is None, (error, value and value[:80])
            if reason is not None:
                self.dead[Origin.of(message)] = key, value, reason, sent
            if original is not None:
                self.original[Origin.of(message)] = original

        # Kafka's client takes a timestamp of 0 for now.
        self._producers[packing].produce(
            self.settings.prefix + topic, value, key, partition, arrived, None, max(1, sent), headers or []
        )
        self._producers[packing].poll(0)


def without(wanted: dict[str, oracle.Points], settings: Settings, sensors: catalogue.Catalogue, lost: Garbled) -> None:
    """Take one reading of the simulation out of the series that are expected."""

    def points(kind: str, sensor: str) -> oracle.Points:
        return wanted[Series(kind, "home", sensor).key(settings.prefix)]

    day = lost.ts - lost.ts % DAY
    value = points(RAW, lost.sensor).pop(lost.ts)
    aggregate, count = points(AGG_DAY, lost.sensor), points(AGG_DAY_COUNT, lost.sensor)
    if sensors[lost.sensor].aggregate == "mean":
        aggregate[day] = (aggregate[day] * count[day] - value) / (count[day] - 1)
    else:
        aggregate[day] -= value
        points(AGG_DAY_REST, sensors[lost.sensor].part_of or "")[day] += value
    count[day] -= 1


def add_valid(wanted: dict[str, oracle.Points], settings: Settings, sensors: catalogue.Catalogue, one: Reading) -> None:
    """Expect the series of a reading that is the only one of its site."""
    day = one.ts - one.ts % DAY
    series = {RAW: (one.ts, one.value), AGG_DAY_COUNT: (day, 1.0), AGG_DAY: (day, one.value)}
    if day != START:  # 1970: whether its windows are still there depends on when it came
        series = {RAW: (one.ts, one.value)}
    elif sensors[one.sensor].aggregate == "difference":
        del series[AGG_DAY]
    for kind, (ts, value) in series.items():
        assert (
            wanted.setdefault(Series(kind, one.site, one.sensor).key(settings.prefix), {}).setdefault(ts, value)
            == value
        )


def stored(settings: Settings) -> dict[str, oracle.Points]:
    """What is stored, less what is derived of 1970."""
    found = oracle.stored(settings)
    old = [
        key for key, points in found.items() if "AggDay" in key or "LateRej" in key if any(ts < DAY for ts in points)
    ]
    return {key: points for key, points in found.items() if key not in old}


def wait_until_equal(settings: Settings, wanted: dict[str, oracle.Points]) -> None:
    try:
        wait_for(lambda: not oracle.compare(stored(settings), wanted).differences, "every point", every=0.5)
    except AssertionError:
        differences = oracle.compare(stored(settings), wanted).differences
        pytest.fail(f"{len(differences)} points differ:\n" + "\n".join(differences[:20]))


def assert_letters(settings: Settings, traffic: Traffic) -> None:
    found = letters(settings)
    assert sorted(map(origin, found)) == sorted(traffic.dead)
    for letter in found:
        key, value, reason, sent = traffic.dead[Origin(*origin(letter))]
        headers = dict(letter.headers())
        assert (letter.key(), letter.value(), headers["reason"].decode()) == (key, value, reason)
        assert letter.timestamp()[1] == max(1, sent)


class Running:
    """Who runs, and since when: two of these have the same attributes when nothing was started again in between."""

    def __init__(self, stack: Stack, settings: Settings, job: str) -> None:
        def asked(path: str) -> Any:
            return requests.get(f"{settings.flink.url}/jobs/{job}{path}", timeout=10).json()

        self.processes = {state["name"]: (state["pid"], state["start"]) for state in stack.states()}
        self.state = asked("")["state"]
        self.attempts = {
            (vertex["id"], task["subtask"]): (task["attempt"], task["status"])
            for vertex in asked("")["vertices"]
            for task in asked(f"/vertices/{vertex['id']}")["subtasks"]
        }


def restarts(settings: Settings, job: str) -> str:
    """Flink's own count; it hears of new jobs every ten seconds."""
    address = f"{settings.flink.url}/jobs/{job}/metrics?get=numRestarts"
    (metric,) = wait_for(lambda: requests.get(address, timeout=10).json(), "the metric")
    return str(metric["value"])


def deadletter(settings: Settings, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "topics", "deadletter", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **settings.environment()},
        capture_output=True,
        text=True,
    )


def lines_of(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [" ".join(line.split()) for line in done.stdout.splitlines()]


def repair(path: Path, traffic: Traffic) -> None:
    """As a person would: each garbled record as it should have been, the hostile ones deleted, but for one."""
    lines = [json.loads(line) for line in path.read_text().split("\n") if line]
    kept = [line for line in lines if Origin.parse(line["origin"]) in traffic.original]
    assert len(kept) == len(GARBLED)
    for line in kept:
        line.pop("base64", None)
        line["value"] = json.loads(traffic.original[Origin.parse(line["origin"])])  # type: ignore[index]
    other = next(line for line in lines if line["reason"] == "negative_ts")
    path.write_text("\n".join(map(json.dumps, [other, *kept])))


@pytest.mark.timeout(400)
def test_hostile_records_change_nothing_and_are_put_aside_once(
    stack: Stack, settings: Settings, tmp_path: Path
) -> None:
    sensors = catalogue.read(settings.sensors)
    simulation = Simulation(sensors, SEED, START, ("home",))
    broker_clock.set_by_test(settings)
    traffic = Traffic(settings, simulation)
    job = submit_quickly(settings)
    log = tmp_path / "bridge.log"
    with bridge_process(settings, log) as bridge:
        before = Running(stack, settings, job)
        traffic.send()
        assert len(traffic.dead) > 150
        assert len(traffic.valid) > 80

        wanted = oracle.expected(simulation, ticks_of(DAYS), settings)
        for lost in GARBLED:
            without(wanted, settings, sensors, lost)
        for reading in traffic.valid:
            add_valid(wanted, settings, sensors, reading)
        wait_until_equal(settings, wanted)
        wait_for(lambda: len(letters(settings)) >= len(traffic.dead), "the dead letters")
        assert_letters(settings, traffic)
        assert audit.audit(settings, sensors).unexplained == []

        resend(settings, traffic, tmp_path / "bad.jsonl")
        wanted = oracle.expected(simulation, ticks_of(DAYS), settings)
        for lost in GARBLED:
            if not lost.in_time:
                without(wanted, settings, sensors, lost)
        for reading in traffic.valid:
            add_valid(wanted, settings, sensors, reading)
        wait_until_equal(settings, wanted)
        assert_letters(settings, traffic)
        assert audit.audit(settings, sensors).unexplained == []

        assert vars(Running(stack, settings, job)) == vars(before)
        assert restarts(settings, job) == "0"
        assert bridge.poll() is None, "the same process as in the beginning"
    assert "Traceback" not in log.read_text()


def resend(settings: Settings, traffic: Traffic, file: Path) -> None:
    """List, write, repair and resend by the command, twice."""
    listed = deadletter(settings, "--output", file)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert f"{len(traffic.dead):,} dead letters" in lines_of(listed)
    assert "\x1b" not in listed.stdout, "nothing that steers a terminal"
    repair(file, traffic)
    for sent, again in ((3, 0), (0, 3)):
        done = deadletter(settings, "resend", file)
        assert done.returncode == 1, "one is not repaired"
        said = lines_of(done)
        assert f"{sent} sent, all acknowledged" in said
        assert f"{again} were resent before" in said
        assert f"1 are too late by now: in {file}.history.csv" in said
        assert "1 are no valid readings yet, or cannot be sent" in said
    late = GARBLED[0]
    with Path(f"{file}.history.csv").open() as history:
        (row,) = csv.DictReader(history)
    original = json.loads(next(value for value in traffic.original.values() if b'"ts":%d,' % late.ts in value))
    assert row == {"site": "home", "sensor": "TH2", "ts": str(late.ts), "value": str(original["value"])}
