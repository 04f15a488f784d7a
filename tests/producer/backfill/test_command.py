"""The command on the real broker: everything once, whatever happens to it on the way."""

from __future__ import annotations

import csv
import gzip
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Consumer, TopicPartition

from commands import backfill_session
from commands.backfill_session import send
from infrastructure.home import ROOT
from infrastructure.kafka import admin, offsets
from infrastructure.kafka.client import kafka_options
from infrastructure.kafka.publisher import Publisher
from infrastructure.settings import Settings
from producer.backfill.run import run
from producer.encoder import SIMULATION
from producer.resume import ResumeError, marks
from producer.run import run as simulate
from producer.simulation import Simulation
from tests.producer.backfill.reading_files import SENSORS, START
from tests.running import wait_for
from topics import produced_at
from topics.errors import UserError
from topics.names import READINGS, sensor_key
from topics.partitions import first_partitions

PARTITIONS = 6
QUARTER, DAY = 900_000, 86_400_000

Record = tuple[bytes | None, dict[str, object]]


def start(settings: Settings, path: Path) -> subprocess.Popen[str]:
    """The command as a user gives it."""
    command = [sys.executable, "-m", "producer", "backfill", str(path), "--into", settings.prefix]
    environment = {**os.environ, **settings.replace(prefix="live.").environment()}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


class Ended(NamedTuple):
    """How a run has ended: its exit code, its error or how far it came, and its summary line by line."""

    code: int
    error: str
    said: list[str]


class Backfill:
    """The command inside this process, with ``live.`` as the prefix of the live stream."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, output: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._output = monkeypatch, output

    def __call__(
        self, settings: Settings, *paths: Path, into: str = "", columns: str | None = None, sensors: Path | None = None
    ) -> Ended:
        for name, value in settings.replace(prefix="live.").environment().items():
            self._monkeypatch.setenv(name, value)
        code, error = 0, ""
        try:
            send(paths, into=into or settings.prefix, columns=columns, sensors=sensors)
        except UserError as mistake:
            code, error = 1, str(mistake)
        return Ended(code, error, [" ".join(line.split()) for line in self._output.readouterr().out.splitlines()])


@pytest.fixture
def backfill(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Backfill:
    return Backfill(monkeypatch, capsys)


def ends(settings: Settings) -> dict[int, int]:
    return offsets.end_offsets(settings.kafka, settings.prefix + READINGS)


def arrived(settings: Settings) -> int:
    return sum(ends(settings).values())


def records(settings: Settings) -> dict[int, list[Record]]:
    """Everything in dailyAggr; only the first record of each partition has the header."""
    consumer = Consumer({**kafka_options(settings.kafka), "group.id": "test", "fetch.wait.max.ms": 10})
    found: dict[int, list[Record]] = {}
    try:
        for partition, count in ends(settings).items():
            log = found[partition] = []
            consumer.assign([TopicPartition(settings.prefix + READINGS, partition, 0)])
            while len(log) < count:
                for message in consumer.consume(min(count - len(log), 10_000), 5):
                    assert message.error() is None
                    assert [name for name, _ in message.headers() or ()] == (
                        [SIMULATION, produced_at.HEADER] if not log else []
                    )
                    log.append((message.key(), json.loads(message.value())))
    finally:
        consumer.close()
    return found


def wanted(rows: list[tuple[str, str, int, float]], close: int) -> dict[int, list[Record]]:
    """What readings become: each in its partition in order, and behind them a heartbeat."""
    logs: dict[int, list[Record]] = {partition: [] for partition in range(PARTITIONS)}
    for site, sensor, ts, value in rows:
        log = logs[first_partitions(SENSORS, PARTITIONS)(site, sensor)]
        log.append((sensor_key(site, sensor).encode(), {"site": site, "sensor": sensor, "ts": ts, "value": value}))
    for log in logs.values():
        log.append((None, {"site": "home", "sensor": "heartbeat", "ts": close, "value": 1}))
    return logs


@pytest.fixture
def many(tmp_path: Path) -> tuple[Path, list[tuple[str, str, int, float]]]:
    """A file that takes a while, and what is in it."""
    draw = random.Random(1)
    rows = [
        (f"house-{house}", sensor, START + tick * QUARTER, draw.uniform(-50, 50))
        for tick in range(600)
        for house in range(80)
        for sensor in ("TH1", "HVAC1", "MiAC2", "W1", "Etot", "Mov1")
    ]
    path = tmp_path / "many.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("site", "sensor", "ts", "value"))
        writer.writerows(rows)
    return path, rows


def test_everything_in_the_files_is_in_the_topics_once(settings: Settings, tmp_path: Path, backfill: Backfill) -> None:
    long, wide = tmp_path / "long.csv", tmp_path / "wide.csv"
    long.write_text(
        "name,time,reading\n"
        "TH1,2020-01-01T00:00Z,21.5\n"
        "TH1,2020-01-01T00:30Z,0.1\n"
        "TH1,2020-01-01T00:15Z,22\n"
        "TH1,2020-01-01T00:30Z,7\n"
        "name,time,reading\n"
        "W1,2020-01-03T23:45Z,1e-3\n"
        "W1,2020-01-03T23:45Z\n"
    )
    wide.write_text(f"time,TH2,W1\n{START},,0.25\n{START + QUARTER},20,nan\n")
    assert admin.delete(settings)
    wait_for(lambda: not admin.existing(settings), "the topics to go")
    columns = "ts=time,sensor=name,value=reading"
    ended = backfill(settings, long, columns=columns)
    assert ended.code == 0, ended.error
    expected = [
        ("home", "TH1", START, 21.5),
        ("home", "TH1", START + 2 * QUARTER, 0.1),
        ("home", "TH1", START + QUARTER, 22.0),
        ("home", "W1", START + 3 * DAY - QUARTER, 0.001),
    ]
    assert records(settings) == wanted(expected, START + 3 * DAY + 11_000)
    assert ended.said[0].startswith("7 rows read, in ")
    for line in (
        "4 readings sent, all acknowledged",
        "6 heartbeats, which close the last day",
        "1 out of order, kept",
        "3 rejected, of which",
        "1 repeated_header",
        "1 duplicate",
        "1 cut_off",
        f"3 with line and reason in {long}.rejected.csv",
        f"iot replay --source {settings.prefix}",
        f"iot merge {settings.prefix}",
    ):
        assert line in ended.said
    with Path(f"{long}.rejected.csv").open(newline="") as file:
        assert [row[:2] for row in csv.reader(file)][1:] == [
            ["5", "duplicate"],
            ["6", "repeated_header"],
            ["8", "cut_off"],
        ]

    before = ends(settings)
    ended = backfill(settings, long, columns=columns)
    assert (ended.code, ends(settings)) == (0, before), ended.error
    assert "0 readings sent, all acknowledged" in ended.said
    assert "4 readings that were there already, from an earlier run" in ended.said
    other = tmp_path / "other.csv"
    other.write_text("sensor,ts,value\nTH1,1,1\n")
    for ended in (
        backfill(settings, wide, columns="ts=time"),
        backfill(settings, other),
        backfill(settings, long, columns=columns + ",site=name"),
    ):
        assert (ended.code, ends(settings)) == (1, before)
    assert f"iot topics delete --prefix {settings.prefix}" in backfill(settings, other).error

    second = settings.replace(prefix="wide-" + settings.prefix)
    ended = backfill(second, wide, columns="ts=time")
    assert ended.code == 0, ended.error
    expected = [("home", "W1", START, 0.25), ("home", "TH2", START + QUARTER, 20.0)]
    assert records(second) == wanted(expected, START + DAY + 11_000)
    admin.delete(second)


def test_killed_at_any_moment_and_started_again_it_leaves_neither_gap_nor_double(
    settings: Settings, many: tuple[Path, list[tuple[str, str, int, float]]]
) -> None:
    path, rows = many
    total = len(rows) + PARTITIONS
    draw = random.Random(3)
    for share in (0.0001, 0.2, 0.4, 0.6):
        process = start(settings, path)
        wait_for(lambda share=share: arrived(settings) >= share * total, "the backfill to send", every=0.005)  # type: ignore[misc]
        for _ in range(draw.randrange(4)):  # not always right behind a look at the offsets
            arrived(settings)
        process.kill()
        process.communicate()
    last = start(settings, path)
    _, said = last.communicate()
    assert last.returncode == 0, said
    assert "going on behind them" in said
    assert records(settings) == wanted(rows, START + 7 * DAY + 11_000)
    assert not list(path.parent.glob("*.rejected*"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_by_a_signal_it_says_how_to_go_on(
    settings: Settings,
    many: tuple[Path, list[tuple[str, str, int, float]]],
    number: signal.Signals,
    code: int,
    backfill: Backfill,
) -> None:
    path, rows = many
    process = start(settings, path)
    wait_for(lambda: list(path.parent.glob("*.part")), "the backfill to begin", every=0.005)
    process.send_signal(number)
    _, said = process.communicate()
    assert process.returncode == code, said
    there = arrived(settings)
    assert f"stopped: {there:,} readings sent, all acknowledged. The same command goes on from there." in said
    assert there < len(rows)
    assert backfill(settings, path).code == 0
    assert ends(settings) == {partition: len(log) for partition, log in wanted(rows, 0).items()}


def test_unknown_sensors_are_shown_as_lines_for_the_catalogue(
    settings: Settings, tmp_path: Path, backfill: Backfill
) -> None:
    wide, long = tmp_path / "wide.csv", tmp_path / "long.csv"
    wide.write_text("".join(["ts,TH1,Attic,temp_1\n", *(f"{START + n * QUARTER},1,2,3\n" for n in range(9))]))
    error = backfill(settings, wide).error
    assert "columns that are no sensors of the catalogue: Attic, temp_1. Nothing was sent." in error
    assert '[Attic]\nunit = "?"' in error
    assert 'cadence = "15min"' in error
    assert "temp_1: names of sensors are 1 to 64 ASCII letters and digits" in error
    assert arrived(settings) == 0

    long.write_text(f"sensor,ts,value\nAttic,{START},1\nTH1,{START},2\nAttic,{START + 1},3\n")
    ended = backfill(settings, long)
    assert ended.code == 1
    assert "sensors that the catalogue does not know: Attic (2)" in ended.error
    assert '[Attic]\nunit = "?"' in ended.error
    assert f"iot topics delete --prefix {settings.prefix}" in ended.error
    assert "2 unknown_sensor" in ended.said
    assert records(settings) == wanted([("home", "TH1", START, 2.0)], START + DAY + 11_000)

    lines = ended.error[ended.error.index("[Attic]") : ended.error.index("and then")]
    known = tmp_path / "sensors.toml"
    known.write_text((ROOT / "sensors.toml").read_text() + lines)
    assert "another sensor catalogue" in backfill(settings, long, sensors=known).error


def test_a_simulation_in_the_topics_is_refused_and_so_is_a_simulation_behind_a_backfill(
    settings: Settings, tmp_path: Path, backfill: Backfill
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("sensor,ts,value\nTH1,1,1\n")
    simulation = Simulation(SENSORS, 1, START, ("home",))
    publisher = Publisher(settings, simulation.catalogue)
    simulate(simulation, publisher, ticks=2, ticks_per_second=1000, marks={})
    before = ends(settings)
    assert "hold a simulation" in backfill(settings, path).error
    assert ends(settings) == before
    other = settings.replace(prefix="files-" + settings.prefix)
    assert backfill(other, path).code == 0
    with pytest.raises(ResumeError, match="holds readings from files"):
        marks(other, other.prefix + READINGS, simulation.identity)
    admin.delete(other)


def test_somebody_else_who_sends_meanwhile_is_noticed(
    settings: Settings, tmp_path: Path, backfill: Backfill, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("sensor,ts,value\nTH1,1,1\n")

    def run_and_be_disturbed(*arguments: Any, **more: Any) -> None:
        run(*arguments, **more)
        with Publisher(settings, SENSORS) as other:
            other.send([(3, b"W1", b"{}", None)])

    monkeypatch.setattr(backfill_session, "run", run_and_be_disturbed)
    assert "holds 2 messages in partition 3, where these files give 1" in backfill(settings, path).error


def test_a_broken_off_file_is_sent_up_to_there_and_said_to_be_broken(
    settings: Settings, tmp_path: Path, backfill: Backfill
) -> None:
    path = tmp_path / "a.csv.gz"
    packed = gzip.compress(b"sensor,ts,value\n" + b"".join(b"TH1,%d,%d\n" % (ts, ts) for ts in range(50_000)))
    path.write_bytes(packed[: len(packed) // 2])
    ended = backfill(settings, path)
    assert ended.code == 1
    assert f"{path} broke off: its gzip data break off. What stands before counts." in ended.error
    readings = [record for record in records(settings)[0] if record[0]]
    assert [fields["ts"] for _, fields in readings] == list(range(len(readings)))
    assert 10_000 < len(readings) < 50_000


def test_mistakes_are_messages(settings: Settings, tmp_path: Path, backfill: Backfill) -> None:
    path = tmp_path / "a.csv"
    path.write_text("sensor,ts,value\nTH1,1577836800,1\n")
    assert "--into live. is the live stream's prefix (IOT_PREFIX)" in backfill(settings, path, into="live.").error
    assert "a prefix is 1 to 64 letters" in backfill(settings, path, into="a b").error
    assert "there is no file" in backfill(settings, tmp_path / "none.csv").error
    assert "is a directory: give its files" in backfill(settings, tmp_path).error
    assert "is given twice" in backfill(settings, path, tmp_path / "." / "a.csv").error
    assert "rename what you have mended" in backfill(settings, tmp_path / "a.csv.rejected.csv").error
    assert "give pairs NAME=COLUMN" in backfill(settings, path, columns="time").error
    assert arrived(settings) == 0
    ended = backfill(settings, path, tmp_path / "x.rejected.csv")
    assert ended.code == 0
    assert "every reading is of 1970: are the times in seconds? Milliseconds are expected." in ended.said


def test_nothing_to_send_is_an_error(settings: Settings, tmp_path: Path, backfill: Backfill) -> None:
    path = tmp_path / "a.csv"
    path.write_text("sensor,ts,value\nTH1,never,1\n")
    assert "there was no reading to send" in backfill(settings, path).error
    assert arrived(settings) == 0


def test_the_options_of_the_simulation_do_not_go_with_a_backfill() -> None:
    command = [sys.executable, "-m", "producer", "--days", "3", "backfill", "a.csv", "--into", "x."]
    ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert ended.returncode == 2
    assert "No such option: --into" in ended.stderr
