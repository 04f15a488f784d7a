"""Repaired dead letters on the real broker: each is sent once, and only where it can still be counted."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Message, Producer
from typer.testing import CliRunner

from commands import backfill_session
from infrastructure.home import ROOT
from infrastructure.kafka import admin
from infrastructure.kafka.client import kafka_options
from infrastructure.kafka.publisher import Publisher
from infrastructure.kafka.reader import read_topic
from infrastructure.settings import Settings
from iot.__main__ import app
from operations import audit, clock
from operations.dead_letters import repair_file, resend
from operations.dead_letters.letters import letters, resent
from operations.dead_letters.repair_file import Repaired
from producer.resume import marks
from producer.run import run
from producer.simulation import Simulation
from tests import broker_clock
from topics import catalogue
from topics.encoding import encode_heartbeat
from topics.errors import UserError
from topics.names import DEAD_LETTERS, READINGS, sensor_key
from topics.origin import Origin
from topics.partitions import first_partitions

SENSORS = catalogue.read(ROOT / "sensors.toml")
START = 1_577_836_800_000
HOUR, DAY = 3_600_000, 86_400_000
NOW = START + 10 * DAY
"""Time of the stream: its newest reading."""
WALL = NOW + 1000 * DAY


def body(sensor: str, ts: int, value: object = 1.5, site: str = "home") -> bytes:
    return msgspec.json.encode({"site": site, "sensor": sensor, "ts": ts, "value": value})


class Stream:
    """dailyAggr and deadLetter, as producer and bridge would have written them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.topic = settings.prefix + READINGS
        self._producer = Producer({**kafka_options(settings.kafka), "enable.idempotence": True})
        self._producer.list_topics(timeout=30)
        self.place = first_partitions(SENSORS, settings.partitions)
        broker_clock.set_by_test(settings)

    def put(self, topic: str, value: bytes | None, place: int, sent: int, **more: object) -> int:
        offset = -1

        def arrived(_error: object, message: Message) -> None:
            nonlocal offset
            offset = message.offset()

        topic = self.settings.prefix + topic
        self._producer.produce(topic, value, partition=place, timestamp=sent, on_delivery=arrived, **more)
        assert self._producer.flush(30) == 0
        return offset

    def read(self, sensor: str, ts: int, *, site: str = "home", sent: int | None = None, **more: object) -> None:
        self.put(READINGS, body(sensor, ts, site=site), self.place(site, sensor), ts if sent is None else sent, **more)

    def dead(self, value: bytes | None, reason: str = "not_json", sent: int = NOW, place: int = 3) -> Origin:
        """A record that is none, and its dead letter."""
        origin = Origin(self.topic, place, self.put(READINGS, value, place, sent))
        headers = {"reason": reason, "detail": f"so much is {reason}", **origin.headers()}
        self.put(DEAD_LETTERS, value, 0, sent, key=b"a key", headers=headers)
        return origin

    def now(self, ts: int = NOW, besides: Iterable[int] = ()) -> None:
        """Time has come this far in every partition."""
        for place in set(range(self.settings.partitions)) - set(besides):
            self.put(READINGS, encode_heartbeat(ts), place, ts)

    def plan(self, *repaired: tuple[Origin, bytes | None], sensors: catalogue.Catalogue = SENSORS) -> resend.Plan:
        return resend.plan(self.settings, sensors, [Repaired(n, *each) for n, each in enumerate(repaired, 1)], WALL)

    def resend(self, *repaired: tuple[Origin, bytes | None]) -> resend.Plan:
        plan = self.plan(*repaired)
        resend.send(self.settings, SENSORS, plan.sending)
        return plan

    def resent(self) -> list[Message]:
        return [m for m in read_topic(self.settings.kafka, self.topic) if Origin.of_resent(m) is not None]


@pytest.fixture
def stream(settings: Settings) -> Stream:
    stream = Stream(settings)
    stream.now()
    return stream


def reasons(plan: resend.Plan) -> list[tuple[int, str]]:
    assert [*plan.sending, *plan.before, *plan.there, *plan.too_late] == []
    return [(line, reason) for line, _, reason, _ in plan.refused]


def test_a_repaired_record_goes_where_its_sensor_s_readings_go(stream: Stream) -> None:
    sites = {"TH1": "home", "Etot": "cabin", "Mov1": "a.b"}
    values = {stream.dead(b"x"): body(sensor, NOW - HOUR, site=site) + b" " for sensor, site in sites.items()}
    plan = stream.resend(*values.items())
    assert len(plan.sending) == 3
    found = stream.resent()
    assert {Origin.of_resent(message): message.value() for message in found} == values, "verbatim"
    for message in found:
        reading = json.loads(message.value())
        assert message.key().decode() == sensor_key(reading["site"], reading["sensor"])
        assert message.partition() == stream.place(reading["site"], reading["sensor"])
    assert resent(stream.settings) == values.keys()


def test_what_was_resent_is_not_sent_again(stream: Stream) -> None:
    repaired = [(stream.dead(b"x"), body("TH1", NOW - n * HOUR)) for n in range(4)]
    # An earlier run was interrupted when it had sent two of them.
    assert len(stream.resend(*repaired[1:3]).sending) == 2
    plan = stream.resend(*repaired)
    assert [item.line for item in plan.before] == [3, 2]
    assert [item.line for item in plan.sending] == [4, 1], "the oldest one first"
    again = stream.resend(*repaired)
    assert (len(again.before), again.sending) == (4, [])
    assert len(stream.resent()) == 4


def test_a_reading_that_somebody_else_has_sent_is_there_already(stream: Stream) -> None:
    stream.read("TH1", NOW - HOUR)
    plan = stream.resend((stream.dead(b"x"), body("TH1", NOW - HOUR, 99)))
    assert [item.line for item in plan.there] == [1]
    assert stream.resent() == []


def test_a_record_that_was_resent_under_another_name_is_refused(stream: Stream) -> None:
    origin = stream.dead(b"x")
    stream.resend((origin, body("TH1", NOW - HOUR)))
    plan = stream.plan((origin, body("TH1", NOW - 2 * HOUR)))
    assert reasons(plan) == [(1, "resent")]
    assert (
        f"home/TH1 at {datetime.fromtimestamp((NOW - HOUR) / 1000, UTC):%Y-%m-%d %H:%M} UTC" in plan.refused[0].detail
    )


def test_a_record_of_several_readings_is_written_one_a_line(stream: Stream) -> None:
    one, other = body("TH1", NOW - HOUR), body("TH1", NOW - 2 * HOUR)
    origin = stream.dead(b"x")
    assert reasons(stream.plan((origin, b"[" + one + b"," + other + b"]"))) == [(1, "several")]
    stream.read("TH1", NOW - HOUR)  # as if the first one had been counted
    plan = stream.resend((origin, one), (origin, other))
    assert ([i.line for i in plan.there], [i.line for i in plan.sending]) == ([1], [2])
    assert [i.line for i in stream.plan((origin, one), (origin, other)).before] == [2]


def test_what_an_array_s_good_beginning_holds_is_there_already(stream: Stream) -> None:
    good = body("TH1", NOW - HOUR)
    origin = stream.dead(b"[" + good + b",5]")
    assert [i.line for i in stream.plan((origin, good)).there] == [1], "the job has counted it"


def test_each_line_that_is_no_valid_reading_is_refused_with_its_reason(stream: Stream) -> None:
    values = {
        b"still no JSON": "not_json",
        None: "not_json",
        b"{}": "missing_field",
        body("TH1", NOW, "22,5"): "wrong_type",
        body("TH9", NOW): "unknown_sensor",
        body("TH1", WALL + HOUR + 1): "future_ts",
        body("TH1", -1): "negative_ts",
        body("TH1", NOW, site="a b"): "malformed_site",
        encode_heartbeat(NOW): "heartbeat",
    }
    plan = stream.resend(*((stream.dead(b"x"), value) for value in values))
    assert reasons(plan) == list(enumerate(values.values(), 1))
    assert stream.resent() == []


def test_only_a_dead_letter_can_be_resent_and_a_name_only_once(stream: Stream) -> None:
    there = stream.dead(b"x")
    for origin in (there._replace(offset=99), there._replace(topic="other.dailyAggr")):
        assert reasons(stream.plan((origin, body("TH1", NOW)))) == [(1, "no_letter")]
    plan = stream.plan((there, body("TH1", NOW)), (stream.dead(b"y"), body("TH1", NOW, 2)))
    assert [(item.line, item.reason) for item in plan.refused] == [(2, "same_name")]


def test_too_late_is_judged_by_the_sensor_s_own_clock_to_the_millisecond(stream: Stream) -> None:
    limit = (
        START
        + DAY
        + (stream.settings.time.allowed_lateness + stream.settings.time.watermark_delay) // timedelta(milliseconds=1)
    )
    origin, late = stream.dead(b"x"), body("TH1", START + HOUR)
    stream.read("TH1", NOW, site="cabin")
    stream.read("TH2", NOW)
    stream.read("TH1", limit - 1)
    stream.put(READINGS, body("TH1", NOW), stream.place("home", "TH1"), START)  # invalid, and so moves no clock
    assert len(stream.plan((origin, late)).sending) == 1, "neither time nor other sensors matter"
    stream.read("TH1", limit)
    plan = stream.resend((origin, late))
    assert [item.line for item in plan.too_late] == [1]
    assert stream.resent() == []


def test_of_several_readings_of_a_sensor_the_newest_makes_none_too_late(stream: Stream) -> None:
    plan = stream.plan((stream.dead(b"x"), body("TH1", NOW)), (stream.dead(b"y"), body("TH1", NOW - 5 * DAY)))
    assert [item.reading.ts for item in plan.sending] == [NOW - 5 * DAY, NOW]


def test_a_reading_whose_window_is_gone_is_too_late(stream: Stream) -> None:
    s = stream.settings
    gone = (
        START
        + DAY
        - 1
        + (s.time.allowed_lateness + s.time.catch_up + s.time.watermark_delay) // timedelta(milliseconds=1)
    )
    origin = stream.dead(b"x")
    for ts, count in ((gone - 1, 0), (gone, 1)):
        stream.now(ts)
        assert len(stream.plan((origin, body("W1", START))).too_late) == count


def test_a_reading_is_judged_by_the_present_and_not_by_when_its_record_came(settings: Settings) -> None:
    stream = Stream(settings)
    now, later = body("TH1", WALL + HOUR), body("TH1", WALL + HOUR + 1)
    for _ in ("empty", "silent"):
        plan = stream.plan((stream.dead(b"x"), now), (stream.dead(b"y"), later))
        assert [item.reading.ts for item in plan.sending] == [WALL + HOUR]
        assert [item.reason for item in plan.refused] == ["future_ts"]
        stream.now()


def test_a_stamp_of_the_far_future_lets_nothing_through(stream: Stream) -> None:
    origin = stream.dead(b"x", sent=2**62)
    assert reasons(stream.plan((origin, body("TH1", WALL + 2 * DAY)))) == [(1, "future_ts")]
    assert len(stream.plan((origin, body("TH1", NOW))).sending) == 1
    ends = dict.fromkeys(range(stream.settings.partitions), 1000)
    assert clock.watermark(stream.settings, SENSORS, ends) == NOW - 10_000, "the others are not silent by that"


def test_a_sensor_that_has_been_added_since_needs_no_repair(stream: Stream, tmp_path: Path) -> None:
    value = body("TH9", NOW - HOUR)
    origin = stream.dead(value, "unknown_sensor")
    file = tmp_path / "sensors.toml"
    file.write_text(
        (ROOT / "sensors.toml").read_text()
        + '[TH9]\nunit = "°C"\ncadence = "15min"\naggregate = "mean"\nclass = "mean"\n'
    )
    sensors = catalogue.read(file)
    account = audit.audit(stream.settings, sensors)
    assert (account.unexplained, account.resendable, account.readings) == ([], 1, 0)
    plan = stream.plan((origin, value), sensors=sensors)
    assert [item.line for item in plan.sending] == [1], "its own record in dailyAggr was never counted"
    resend.send(stream.settings, sensors, plan.sending)
    assert [item.line for item in stream.plan((origin, value), sensors=sensors).before] == [1]
    account = audit.audit(stream.settings, sensors)
    assert (account.unexplained, account.resendable, account.readings) == ([], 0, 1)


def test_the_producer_goes_on_where_it_was(stream: Stream) -> None:
    simulation = Simulation(SENSORS, 1, START, ("home",))
    run(
        simulation,
        Publisher(stream.settings, simulation.catalogue),
        ticks=50,
        ticks_per_second=None,
        marks={},
    )
    before = marks(stream.settings, stream.topic, simulation.identity)
    repaired = [(stream.dead(b"x"), body(sensor, START + 49 * HOUR // 4 - 1)) for sensor in SENSORS]
    assert len(stream.resend(*repaired).sending) == len(SENSORS)
    after = marks(stream.settings, stream.topic, simulation.identity)
    assert {place: mark.tick for place, mark in after.items()} == {place: mark.tick for place, mark in before.items()}
    assert all(before[place].seen <= after[place].seen for place in before)


# The command


@pytest.fixture
def command(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    for name, value in stream.settings.environment().items():
        monkeypatch.setenv(name, value)
    return CliRunner()


def said(command: CliRunner, *words: object, code: int = 0) -> str:
    done = command.invoke(app, ["deadletter", *map(str, words)])
    assert done.exit_code == code, (done.output, done.exception)
    return str(done.exception) if isinstance(done.exception, UserError) else done.output


def test_the_list_counts_by_reason_and_shows_the_newest(stream: Stream, command: CliRunner) -> None:
    for number in range(30):
        stream.dead(b"\x1b[31m%d" % number)
    stream.dead(b"{}", "missing_field")
    stream.put(DEAD_LETTERS, b"by hand", 0, NOW, headers={"topic": b"\xff", "reason": b"[red]\x1b"})
    shown = said(command)
    lines = [line.split() for line in shown.splitlines()]
    for line in (["32", "dead", "letters"], ["30", "not_json"], ["1", "missing_field"], ["1", "[red]\\x1b"]):
        assert line in lines
    assert "so much is missing_field" in shown
    assert "\x1b" not in shown
    assert r"\x1b[31m29" in shown
    assert r"\x1b[31m11" not in shown, "the newest 20"
    assert r"\x1b[31m11" in said(command, "--last", 100)


def test_the_list_can_be_of_a_reason_and_of_a_topic(stream: Stream, command: CliRunner) -> None:
    stream.dead(b"a")
    stream.dead(b"b", "wrong_type")
    stream.put(
        DEAD_LETTERS,
        b"c",
        0,
        NOW,
        headers={"reason": "not_json", "topic": stream.settings.prefix + "flinkAggr", "partition": "0", "offset": "0"},
    )
    assert "2  dead letters" in said(command, "--reason", "not_json")
    assert "3  dead letters" in said(command, "--reason", "not_json", "--reason", "wrong_type")
    assert "2  dead letters" in said(command, "--topic", "dailyAggr")
    assert "1  dead letters" in said(command, "--topic", "flinkAggr")
    assert "there are not_json, missing_field" in said(command, "--reason", "nonsense", code=1)
    assert "there are dailyAggr, history" in said(command, "--topic", "nonsense", code=1)


def test_from_the_list_to_the_readings(stream: Stream, command: CliRunner, tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    stream.read("TH1", NOW)
    for value in (body("TH1", NOW - HOUR, "22,5"), body("TH1", START + HOUR, "1e"), b"\xff"):
        stream.dead(value, "wrong_type")
    assert f"iot deadletter resend {file}" in said(command, "--output", file)
    assert f"{file} is there: --force replaces it" in said(command, "--output", file, code=1)
    mended = [json.loads(line) for line in file.read_text().splitlines()]
    mended[0]["value"]["value"] = 22.5
    mended[1]["value"]["value"] = 0.1
    file.write_text("\n".join(map(json.dumps, mended)))

    tried = said(command, "resend", file, "--dry-run", code=1)
    assert "1    would be sent" in tried
    assert stream.resent() == []
    assert [path.name for path in tmp_path.iterdir()] == ["bad.jsonl"]

    first = said(command, "resend", file, code=1)
    assert "1    sent, all acknowledged" in first
    assert f"1    are too late by now: in {file}.history.csv" in first
    assert [line.split()[0] for line in first.splitlines() if "not_json" in line] == ["3"], "no reading yet"
    assert [json.loads(m.value())["value"] for m in stream.resent()] == [22.5]
    history = Path(f"{file}.history.csv")
    assert history.read_text() == f"site,sensor,ts,value\nhome,TH1,{START + HOUR},0.1\n"
    prefix = stream.settings.prefix
    for line in (
        f"iot backfill {history} --into {prefix}repaired.",
        f"iot replay --source {prefix}repaired.",
        f"iot merge {prefix}repaired.",
    ):
        assert line in first

    assert "1    were resent before" in said(command, "resend", file, code=1)
    assert "3  dead letters" in said(command)
    assert "2  dead letters" in said(command, "--pending")
    assert len(list(letters(stream.settings))) == 3

    file.write_text(json.dumps(mended[0]))
    assert "1    were resent before" in said(command, "resend", file), "nothing is wrong with it"
    assert not history.exists(), "nothing is too late any more"


def test_a_backfill_takes_what_is_too_late(stream: Stream, command: CliRunner, tmp_path: Path) -> None:
    file, into = tmp_path / "bad.jsonl", f"{stream.settings.prefix}repaired."
    values = [0.1, 1e-300, -0.0, 123456789.123456789, 1.7976931348623157e308]
    stream.read("TH1", NOW)
    for number, value in enumerate(values):
        stream.dead(body("TH1", START + number, value), "unknown_sensor")
    repair_file.write(file, letters(stream.settings), force=False)
    said(command, "resend", file)
    backfill_session.send([Path(f"{file}.history.csv")], into=into, columns=None, sensors=None)
    theirs = stream.settings.replace(prefix=into)
    found = [json.loads(m.value()) for m in read_topic(theirs.kafka, into + READINGS) if m.key() is not None]
    admin.delete(theirs)
    assert [(r["site"], r["sensor"], r["ts"], repr(r["value"])) for r in found] == [
        ("home", "TH1", START + n, repr(value)) for n, value in enumerate(values)
    ]


def test_options_that_do_nothing_are_refused(command: CliRunner) -> None:
    assert "--output is for readings" in said(command, "--output", "x", "--topic", "lateRej", code=1)


def test_a_topic_that_is_not_there_is_named(
    stream: Stream, command: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad").write_text("")
    monkeypatch.setenv("IOT_PREFIX", "nowhere.")
    for words in ((), ("resend", tmp_path / "bad")):
        assert "`iot topics create` makes it" in said(command, *words, code=1)
