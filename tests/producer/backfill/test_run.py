"""From files to messages: all of them once, in order, with a heartbeat behind; and on from wherever it stopped."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from infrastructure.kafka.publisher import PublishError
from infrastructure.settings import Settings
from producer.backfill import csv_file
from producer.backfill.columns import parse_columns
from producer.backfill.files import identity, opened, unknown_columns
from producer.backfill.messages import Messages
from producer.backfill.run import Stopped, Tally, check_owner, closing, owner, run
from producer.backfill.verdicts import Judge
from producer.resume import Held, ResumeError
from tests.producer.backfill.reading_files import SENSORS, START
from tests.producer.fake_kafka import FakePublisher, Sent, by_partition
from topics import catalogue
from topics.decoding import decode
from topics.names import sensor_key
from topics.partitions import first_partitions
from topics.reading import LATEST_TS, Heartbeat, Reading, Rules

SETTINGS = Settings.of(env_file=None)
DAY = 86_400_000
HOUR = 3_600_000
NOW = START + 1000 * DAY
PARTITIONS = 6


def counted(held: dict[int, Held]) -> Messages:
    return Messages("files:a/b@1", first_partitions(SENSORS, PARTITIONS), PARTITIONS, held)


def sent(
    paths: Sequence[Path], held: dict[int, Held] | None = None, publisher: FakePublisher | None = None, **more: object
) -> tuple[list[Sent], Tally, Messages]:
    publisher = publisher or FakePublisher(PARTITIONS)
    tally, messages = Tally(), counted(held or {})
    run(opened(paths, {}), Judge(SENSORS, NOW, HOUR), messages, publisher, SETTINGS, tally=tally, **more)  # type: ignore[arg-type]
    assert publisher.finished
    return publisher.messages, tally, messages


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three days of two houses, read in some twenty blocks."""
    monkeypatch.setattr(csv_file.CsvFile.blocks, "__defaults__", (1000,))
    path = tmp_path / "days.csv"
    with path.open("w") as out:
        out.write("site,sensor,ts,value\n")
        for n in range(300):
            for site in ("home", "cabin"):
                for sensor in ("TH1", "W1", "Etot"):
                    out.write(f"{site},{sensor},{START + n * 900_000},{n / 7!r}\n")
            out.write("home,TH1,never,1\n")
    return path


def test_the_messages_are_those_of_the_contract(file: Path) -> None:
    expected: list[tuple[int, bytes | None, dict[str, object], bool]] = []
    first = set[int]()
    with file.open() as lines:
        for row in csv.DictReader(lines):
            if row["ts"] == "never":
                continue
            key = sensor_key(row["site"], row["sensor"])
            place = first_partitions(SENSORS, PARTITIONS)(row["site"], row["sensor"])
            ts, value = int(row["ts"]), float(row["value"])
            fields: dict[str, object] = {"site": row["site"], "sensor": row["sensor"], "ts": ts, "value": value}
            expected.append((place, key.encode(), fields, place not in first))
            first.add(place)
    # 300 quarters of an hour end on the fourth day.
    close = START + 4 * DAY + 11_000
    beat: dict[str, object] = {"site": "home", "sensor": "heartbeat", "ts": close, "value": 1}
    expected += [(place, None, beat, place not in first) for place in range(PARTITIONS)]
    messages, tally, _ = sent([file])
    assert [(m.partition, m.key, json.loads(m.value), m.marked) for m in messages] == expected
    assert tally.rejected == {"wrong_type": 300}
    assert tally.rows == 300 * 7
    assert tally.position == file.stat().st_size


def test_every_message_is_valid_when_it_is_sent_however_old_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"sensor,ts,value\nTH1,0,1\nTH1,{NOW + HOUR},1e308\nW1,5,-0.0\nW1,6,5e-324\n")
    rules = Rules(SENSORS, HOUR)
    messages, _, _ = sent([path])
    verdicts = [verdict for m in messages for verdict in decode(m.value, NOW, rules)]
    assert verdicts == [
        Reading("home", "TH1", 0, 1.0),
        Reading("home", "TH1", NOW + HOUR, 1e308),
        Reading("home", "W1", 5, 0.0),
        Reading("home", "W1", 6, 5e-324),
        *[Heartbeat(NOW)] * PARTITIONS,
    ]
    assert b'"value":-0.0}' in messages[2].value


def test_a_reading_of_the_future_is_not_sent(tmp_path: Path) -> None:
    """By the present of the first run: one that goes on later must not count another row."""
    path = tmp_path / "a.csv"
    path.write_text(f"sensor,ts,value\nTH1,{NOW + HOUR + 1},1\nTH1,{NOW},2\nTH1,{LATEST_TS},3\n")
    messages, tally, _ = sent([path])
    assert [json.loads(m.value)["value"] for m in messages if m.key] == [2]
    assert tally.rejected == {"future_ts": 2}
    began = {0: Held(1, "files:a/b@123", (b"", b""))}
    assert owner("files:a/b", began, NOW) == ("files:a/b@123", 123)
    assert owner("files:a/b", {}, NOW) == (f"files:a/b@{NOW}", NOW)


@pytest.mark.parametrize(
    ("newest", "expected"),
    [
        (START, START + DAY + 11_000),
        (START + DAY - 1, START + DAY + 11_000),
        (START + DAY, START + 2 * DAY + 11_000),
        (0, DAY + 11_000),
        (NOW, NOW),  # it is not over
    ],
)
def test_the_heartbeats_close_the_last_day(newest: int, expected: int) -> None:
    assert closing(newest, SETTINGS, NOW) == expected


@examples(max_examples=80)
@given(st.data())
def test_from_wherever_the_partitions_end_it_goes_on(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "on.csv"
    rows = data.draw(
        st.lists(st.tuples(st.sampled_from(["TH1", "W1", "Mov1"]), st.integers(0, 60), st.just(1.5)), max_size=40)
    )
    path.write_text("".join(["sensor,ts,value\n", *(f"{s},{ts},{v}\n" for s, ts, v in rows)]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_file.CsvFile.blocks, "__defaults__", (data.draw(st.integers(1, 200)),))
        whole = by_partition(sent([path])[0])
        cuts = {p: data.draw(st.integers(0, len(log))) for p, log in whole.items()}
        held = {p: Held(cut, "x", (whole[p][cut - 1].key, whole[p][cut - 1].value)) for p, cut in cuts.items() if cut}
        messages, _, counts = sent([path], held)
    assert by_partition(messages) == {p: log[cuts[p] :] for p, log in whole.items() if log[cuts[p] :]}
    readings = sum(message.key is not None for log in whole.values() for message in log)
    assert counts.there + sum(message.key is not None for message in messages) == readings
    assert counts.total.tolist() == [len(whole.get(p, [])) for p in range(PARTITIONS)] or not rows


def last_of(messages: list[Sent], place: int, count: int) -> Held:
    log = by_partition(messages)[place]
    return Held(count, "x", (log[count - 1].key, log[count - 1].value))


def test_another_message_in_the_place_of_the_last_one_is_refused(file: Path) -> None:
    messages, _, _ = sent([file])
    right = last_of(messages, 0, 7)
    for last in ((right.last[0], b"{}"), (b"other", right.last[1]), last_of(messages, 0, 6).last):
        publisher = FakePublisher(PARTITIONS)
        with pytest.raises(ResumeError, match="partition 0 holds other messages"):
            run(
                opened([file], {}),
                Judge(SENSORS, NOW, HOUR),
                counted({0: Held(7, "x", last)}),
                publisher,
                SETTINGS,
                tally=Tally(),
            )
        assert publisher.messages == []


def test_more_messages_than_the_files_give_are_refused(file: Path) -> None:
    count = len(by_partition(sent([file])[0])[0])
    for more, key in ((1, None), (0, b"TH1")):
        with pytest.raises(ResumeError, match="partition 0 holds other messages"):
            sent([file], {0: Held(count + more, "x", (key, b""))})


def test_several_files_are_one_sequence_and_a_duplicate_is_one_across_them(tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text("sensor,ts,value\nTH1,1,1\nTH1,5,5\n")
    second.write_text("ts,TH1\n5,6\n3,3\n")
    messages, tally, _ = sent([first, second])
    assert [json.loads(m.value)["ts"] for m in messages if m.key] == [1, 5, 3]
    assert tally.rejected == {"duplicate": 1}
    assert tally.rejected_files == {tmp_path / "b.csv.rejected.csv": 1}


def test_without_a_reading_there_is_no_heartbeat(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("sensor,ts,value\nTH1,x,1\n")
    assert sent([path])[0] == []


def test_stopped_it_waits_for_what_it_has_sent_and_leaves_no_half_of_a_rejected_file(
    file: Path, tmp_path: Path
) -> None:
    publisher = FakePublisher(PARTITIONS)
    with pytest.raises(Stopped):
        sent([file], publisher=publisher, stopped=lambda: len(publisher.calls) == 3)
    assert publisher.finished
    assert len(publisher.calls) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["days.csv"]


def test_a_refused_message_ends_it(file: Path) -> None:
    publisher = FakePublisher(PARTITIONS, fails_after=100)
    with pytest.raises(PublishError):
        sent([file], publisher=publisher)
    assert len(publisher.calls) < 10


# --- The file of rejected rows


def test_rejected_rows_stand_in_a_file_with_line_reason_detail_and_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'sensor,ts,value\nTH1,1,1\n"TH1","2","a ""b"""\nTH1,3\nTH1,1,9\n')
    sent([path])
    with (tmp_path / "a.csv.rejected.csv").open(newline="") as rejected:
        assert list(csv.reader(rejected)) == [
            ["line", "reason", "detail", "row"],
            ["3", "wrong_type", "value is 'a \"b\"'", '"TH1","2","a ""b"""'],
            ["4", "cut_off", "2 fields, the header has 3", "TH1,3"],
            ["5", "duplicate", "a reading of home, TH1 at 1970-01-01 00:00:00.001 UTC was there before", "TH1,1,9"],
        ]
    path.write_bytes(b"sensor,ts,value\nTH1,1,1\n")
    sent([path])
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


# --- Whose topics these are


def test_only_the_same_files_go_on(tmp_path: Path) -> None:
    path, columns = tmp_path / "a.csv", parse_columns("ts=time", SENSORS)
    path.write_text("sensor,time,value\n" + "TH1,1,1\n" * 50_000)
    name = identity(opened([path], columns), columns, SENSORS)
    check_owner({}, name, "x.")
    check_owner({0: Held(5, name, (b"", b"")), 3: Held(1, name, (b"", b""))}, name, "x.")

    def refused(other: str | None) -> str:
        with pytest.raises(ResumeError, match=r"iot topics delete --prefix x\.") as error:
            check_owner({0: Held(5, name, (b"", b"")), 1: Held(5, other, (b"", b""))}, name, "x.")
        return str(error.value)

    assert "a simulation" in refused("1@1577836800000*1")
    assert "readings that no backfill has sent" in refused(None)
    text = path.read_text()
    for change in (text[:-2] + "7\n", text + "\n", text.replace("value\nTH1", "value\nTH2")):
        path.write_text(change)
        assert identity(opened([path], columns), columns, SENSORS) != name
        assert "hold other files" in refused(identity(opened([path], columns), columns, SENSORS))
    path.write_text(text)
    other = path.rename(tmp_path / "b.csv")
    assert identity(opened([other], columns), columns, SENSORS) != name
    path = other.rename(path)
    assert identity(opened([path], columns), columns, SENSORS) == name
    more = catalogue.Catalogue(
        {
            **SENSORS,
            "New1": SENSORS["TH1"].__class__(
                name="New1", unit="?", cadence="15min", aggregate="mean", partition_class="mean"
            ),
        }
    )
    assert "another sensor catalogue" in refused(identity(opened([path], columns), columns, more))


def test_unknown_columns_of_a_wide_file_are_found_before_anything_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("ts,TH1,New1,W1,New2\n1,1,2,,\n900001,1,3,,\n")
    unknown = unknown_columns(opened([path], {}), SENSORS)
    assert unknown.counts == {"New1": 2, "New2": 0}
    path.write_text("ts,TH1,New1\n")
    assert unknown_columns(opened([path], {}), SENSORS).counts == {"New1": 0}
    packed = gzip.compress(b"ts,TH1,New1\n" + b"1,1,2\n" * 9, mtime=0)
    path.write_bytes(packed[:-9])
    assert list(unknown_columns(opened([path], {}), SENSORS).counts) == ["New1"]
