"""Export on the real Redis, read back with pandas; what can be told without Redis is told without."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
import redis
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from commands import export as export_command
from infrastructure.home import ROOT
from infrastructure.redis.client import redis_client
from infrastructure.settings import Settings
from ingest.records import Point
from ingest.series_writer import SeriesWriter
from iot.__main__ import app
from operations import series_reader
from operations.export import Span, Target, export, format_of, span
from scripts.stack.supervision import Stack
from tests.ingest.traffic import DAY_MS, SENSORS, START
from topics.errors import UserError
from topics.reading import LATEST_TS
from topics.series import Series

EXACT = [22.5, -0.0, 5e-324, 1.7976931348623157e308, 0.1 + 0.2, 1e22, -1e-7, 1 / 3, 123456789.12345679]
HELD = {
    Series("raw", "home", "TH1"): [(START + n * 900_000, value) for n, value in enumerate(EXACT)],
    Series("raw", "cabin", "TH1"): [(START, 4.0)],
    Series("raw", "home", "W1"): [(START + 900_000, 0.5), (START + DAY_MS - 1, 0.75), (START + DAY_MS, 0.25)],
    Series("AggDay", "home", "TH1"): [(START, 20.5), (START + DAY_MS, 21.5)],
    Series("AggDay", "home", "W1"): [(START, 48.25)],
    Series("LateRej", "home", "W1"): [(0, 0.125), (LATEST_TS, 0.25)],
}
UNITS = {"TH1": "°C", "W1": "L"}
COLUMNS = ["series", "site", "sensor", "kind", "unit", "time", "value"]


@pytest.fixture(scope="module")
def held(stack: Stack) -> Iterator[Settings]:
    """Redis holds HELD, for two prefixes, of which the other one has a series and a point more."""
    own = stack.settings.replace(prefix="export.")
    other = own.replace(prefix="export.other.")
    for settings, more in ((own, []), (other, [Point(Series("raw", "home", "TH2"), START, 9.0)])):
        store = SeriesWriter(settings, SENSORS)
        store.write([Point(series, ts, value) for series, there in HELD.items() for ts, value in there] + more)
        store.close()
    yield own
    client = redis_client(own.redis, "admin")
    client.delete(*client.scan_iter(match="export.*"))
    client.close()


def rows(*series: tuple[str, str, str], first: int = 0, last: int = LATEST_TS) -> list[tuple[object, ...]]:
    """The rows that these series have, by the key; time as ISO 8601."""
    return [
        (Series(*s).key(), s[1], s[2], s[0], UNITS[s[2]], iso(ts), value)
        for s in sorted(series, key=lambda each: Series(*each).key())
        for ts, value in HELD[Series(*s)]
        if first <= ts <= last
    ]


def iso(ts: int) -> str:
    """To the millisecond, which datetime cannot do with floats."""
    return f"{datetime.fromtimestamp(ts // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{ts % 1000:03}Z"


def run(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["export", *arguments], env=settings.environment())


def exported(settings: Settings, *arguments: str) -> list[tuple[object, ...]]:
    """The rows of the CSV on standard output."""
    result = run(settings, *arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    frame = pd.read_csv(io.StringIO(result.stdout), float_precision="round_trip")
    assert list(frame.columns) == COLUMNS
    return list(frame.itertuples(index=False, name=None))


def same(found: Sequence[object], wanted: Sequence[object]) -> None:
    """Equal to the last bit, the sign of zero included."""
    assert [repr(each) for each in found] == [repr(each) for each in wanted]


EVERY = tuple(HELD)

# What is exported


@pytest.mark.parametrize(
    ("wanted", "series"),
    [
        (["*"], EVERY),
        (["TH1"], [("raw", "home", "TH1")]),
        (["AggDay*"], [("AggDay", "home", "TH1"), ("AggDay", "home", "W1")]),
        (["cabin:*"], [("raw", "cabin", "TH1")]),
        (["*TH1"], [("raw", "home", "TH1"), ("raw", "cabin", "TH1"), ("AggDay", "home", "TH1")]),
        (["?H1", "LateRejW[0-9]"], [("raw", "home", "TH1"), ("LateRej", "home", "W1")]),
        (["TH1", "TH*"], [("raw", "home", "TH1")]),
        (["series=AggDay"], [("AggDay", "home", "TH1"), ("AggDay", "home", "W1")]),
        (["site=home", "sensor=TH1"], [("raw", "home", "TH1"), ("AggDay", "home", "TH1")]),
        (["site!=home"], [("raw", "cabin", "TH1")]),
        (["sensor=(TH1,TH2)", "series=raw"], [("raw", "home", "TH1"), ("raw", "cabin", "TH1")]),
        (["unit=L", "series!=raw"], [("AggDay", "home", "W1"), ("LateRej", "home", "W1")]),
        (["*W1", "Late*", "series!=raw"], [("AggDay", "home", "W1"), ("LateRej", "home", "W1")]),
    ],
)
def test_globs_are_alternatives_and_filters_are_conditions(
    held: Settings, wanted: list[str], series: list[tuple[str, str, str]]
) -> None:
    same(exported(held, *wanted), rows(*series))


def test_another_prefix_is_not_exported(held: Settings) -> None:
    other = held.replace(prefix="export.other.")
    assert len(exported(other, "*")) == len(rows(*EVERY)) + 1
    client = redis_client(held.redis, "admin")
    client.execute_command("TS.ADD", "export.foreign", 5, 1.0)  # nobody's series: no labels
    assert len(exported(held, "*")) == len(rows(*EVERY))
    plain = run(held.replace(prefix=""), "export.*")
    assert plain.exit_code == 1
    assert "no series matches" in str(plain.exception)


W1 = ("raw", "home", "W1")


@pytest.mark.parametrize(
    ("options", "first", "last"),
    [
        (["--from", "2020-01-01", "--to", "2020-01-01"], START, START + DAY_MS - 1),
        (["--from", "2020-01-02"], START + DAY_MS, LATEST_TS),
        (["--from", "2020-01-01T00:15Z", "--to", "2020-01-01T00:15Z"], START + 900_000, START + 900_000),
        (["--from", "2020-01-01T00:15:00.001"], START + 900_001, LATEST_TS),
        (["--to", "2020-01-01T23:59:59.998Z"], 0, START + DAY_MS - 2),
        (["--to", "2020-01-02T01:59:59.999+02:00"], 0, START + DAY_MS - 1),
        (["--to", "2020-01-02T02:00+02:00"], 0, START + DAY_MS),
        (["--from", "2021-01-01"], START + 366 * DAY_MS, LATEST_TS),
    ],
)
def test_both_ends_of_the_range_are_exported(held: Settings, options: list[str], first: int, last: int) -> None:
    same(exported(held, "W1", *options), rows(W1, first=first, last=last))


@pytest.mark.parametrize("chunk", [1, 2, 3, 9])
def test_long_series_come_in_several_answers(held: Settings, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series_reader, "CHUNK", chunk)
    same(exported(held, "*"), rows(*EVERY))
    wide = run(held, "TH1", "W1", "--wide").stdout.splitlines()
    assert len(wide) == 1 + 9 + 2


# How it is written


def test_json_is_one_record_a_line(held: Settings) -> None:
    result = run(held, "*", "--format", "json")
    lines = result.stdout.splitlines()
    same([tuple(json.loads(line).values()) for line in lines], rows(*EVERY))
    assert list(json.loads(lines[0])) == COLUMNS
    text = "\n".join(line for line in lines if "5e-324" not in line)  # such a small one pandas' JSON cannot read
    frame = pd.read_json(io.StringIO(text), lines=True, precise_float=True, convert_dates=False)
    same(list(frame.itertuples(index=False, name=None)), [row for row in rows(*EVERY) if row[-1] != 5e-324])


def test_parquet_keeps_times_as_times(held: Settings, tmp_path: Path) -> None:
    file = tmp_path / "points.parquet"
    assert run(held, "*", "--output", str(file)).exit_code == 0
    frame = pd.read_parquet(file)
    assert str(frame["time"].dtype) == "datetime64[ms, UTC]"
    assert str(frame["value"].dtype) == "float64"
    frame["time"] = [iso(int(ts)) for ts in frame["time"].astype("int64")]
    same(list(frame.itertuples(index=False, name=None)), rows(*EVERY))


def test_parquet_goes_into_a_pipe_but_not_onto_a_terminal(held: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    choice = ("W1", "--format", "parquet")
    frame = pd.read_parquet(io.BytesIO(run(held, *choice).stdout_bytes))
    assert list(frame["value"]) == [value for _, value in HELD[Series(*W1)]]
    with monkeypatch.context() as patch:
        patch.setattr(sys.stdout, "isatty", lambda: True)
        with pytest.raises(UserError, match="give --output FILE"):
            export(held, ["W1"], span(None, None), Target("parquet", None))


@pytest.mark.parametrize(("after", "told"), [(0, True), (3600, False)])
def test_progress_is_told_on_a_terminal_when_it_takes_long(
    held: Settings, monkeypatch: pytest.MonkeyPatch, after: int, told: bool
) -> None:
    monkeypatch.setattr(export_command, "BAR_AFTER_SECONDS", after)
    assert run(held, "*").stderr == "", "no terminal"
    monkeypatch.setenv("TTY_COMPATIBLE", "1")  # rich takes anything for a terminal then
    monkeypatch.setenv("COLUMNS", "100")
    result = run(held, "*")
    assert ("18 points, series 6 of 6" in result.stderr) is told
    assert "\x1b" not in result.stdout


def test_wide_has_a_column_a_series_and_a_row_a_time(held: Settings, tmp_path: Path) -> None:
    wanted = [
        (START, 22.5, 20.5, None),
        (START + 900_000, -0.0, None, 0.5),
        *((START + n * 900_000, value, None, None) for n, value in enumerate(EXACT) if n > 1),
        (START + DAY_MS - 1, None, None, 0.75),
        (START + DAY_MS, None, 21.5, 0.25),
    ]
    choice = ("TH1", "W1", "AggDayTH1", "--wide")
    columns = ["time", "AggDayTH1", "TH1", "W1"]
    ordered = [(iso(ts), day, th1, w1) for ts, th1, day, w1 in wanted]
    csv = run(held, *choice).stdout
    cells = [["" if cell is None else str(cell) for cell in row] for row in ordered]
    assert [line.split(",") for line in csv.splitlines()] == [columns, *cells]
    lines = [json.loads(line) for line in run(held, *choice, "--format", "json").stdout.splitlines()]
    same([tuple(line.values()) for line in lines], ordered)
    assert list(lines[0]) == columns
    file = tmp_path / "wide.parquet"
    run(held, *choice, "--output", str(file))
    frame = pd.read_parquet(file)
    assert list(frame.columns) == columns
    frame["time"] = [iso(int(ts)) for ts in frame["time"].astype("int64")]
    found = [tuple(None if cell != cell else cell for cell in row) for row in frame.itertuples(index=False, name=None)]
    same(found, ordered)


@pytest.mark.parametrize("wide", [[], ["--wide"]])
def test_a_range_without_points_has_its_columns(held: Settings, tmp_path: Path, wide: list[str]) -> None:
    empty = ("TH1", "--to", "2019-01-01", *wide)
    columns = ["time", "TH1"] if wide else COLUMNS
    assert run(held, *empty).stdout == ",".join(columns) + "\n"
    assert run(held, *empty, "--format", "json").stdout == ""
    file = tmp_path / "none.parquet"
    assert run(held, *empty, "--output", str(file)).exit_code == 0
    frame = pd.read_parquet(file)
    assert list(frame.columns) == columns
    assert frame.empty


def test_a_reader_that_leaves_early_hears_no_complaint(held: Settings) -> None:
    """As `head` does."""
    command = [sys.executable, "-c", ENDLESS]
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **held.environment()}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"series,site,sensor,kind,unit,time,value\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1


ENDLESS = """
import itertools
import sys

from commands import terminal
from iot.__main__ import app
from operations import series_reader


def for_ever(self, series, first, last):
    for n in itertools.count():
        yield [(n, 1.0)] * 1000


series_reader.SeriesReader.chunks = for_ever
sys.argv[1:] = ["export", "TH1"]
terminal.run(app, "iot")
"""
"""An export of a series without an end."""


# Files and mistakes


def test_a_file_that_is_there_is_replaced_only_by_force(held: Settings, tmp_path: Path) -> None:
    file = tmp_path / "points.csv"
    file.write_text("mine")
    refused = run(held, "TH1", "--output", str(file))
    assert refused.exit_code == 1
    assert "--force" in str(refused.exception)
    assert file.read_text() == "mine"
    assert run(held, "TH1", "--output", str(file), "--force").exit_code == 0
    assert len(file.read_text().splitlines()) == 1 + len(EXACT)
    assert list(tmp_path.iterdir()) == [file]


def test_an_export_that_fails_leaves_no_file(held: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*_: object) -> Iterator[list[tuple[int, float]]]:
        yield [(START, 1.0)]
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(series_reader.SeriesReader, "chunks", dies)
    result = run(held, "TH1", "--output", str(tmp_path / "points.csv"))
    assert isinstance(result.exception, UserError)
    assert "Redis" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_device_is_written_to_and_not_replaced(held: Settings) -> None:
    assert run(held, "TH1", "--output", "/dev/null").exit_code == 0
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["TH9"],
            (
                "no series matches TH9: there are AggDayTH1, AggDayW1, LateRejW1, TH1, W1, cabin:TH1; sites: cabin, "
                "home; other prefixes (IOT_PREFIX): "
            ),
        ),
        (["th1"], "no series matches th1"),
        (["AggDay*", "series=raw"], "no series matches"),
        (["site=(home"], "not a filter"),
        (["TH1", "--output", "/nowhere/points.csv"], "cannot write /nowhere/points.csv"),
        (["TH1", "--output", "/"], "is a directory"),
    ],
)
def test_a_mistake_is_told(held: Settings, arguments: list[str], message: str) -> None:
    result = run(held, *arguments)
    assert result.exit_code == 1
    assert isinstance(result.exception, UserError)
    assert message in str(result.exception)


def test_a_prefix_without_series_is_told_with_those_that_have_some(held: Settings) -> None:
    result = run(held.replace(prefix="nobody."), "*")
    said = str(result.exception)
    assert said.startswith("no series matches * with the prefix nobody.: there are series with the prefixes ")
    assert "export., export.other." in said


def test_without_redis_it_says_so() -> None:
    result = run(
        Settings.of(env_file=None, redis="redis://127.0.0.1:1/0", redis_ingest_user="", redis_viewer_user=""), "*"
    )
    assert isinstance(result.exception, UserError)
    assert "Redis does not answer" in str(result.exception)


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        ("yesterday", None, "--from yesterday: give a day"),
        (None, "2020-13-01", "--to 2020-13-01: give a day"),
        (None, "", "--to : give a day"),
        ("2020-01-02", "2020-01-01", "--from 2020-01-02 is after --to 2020-01-01"),
        (None, "1969-12-31", "before 1970"),
    ],
)
def test_what_is_no_range_is_told(first: str | None, last: str | None, message: str) -> None:
    with pytest.raises(UserError, match=message):
        span(first, last)


@pytest.mark.parametrize(
    ("first", "last", "wanted"),
    [
        (None, None, Span(0, LATEST_TS)),
        ("1960-01-01", "1970-01-01", Span(0, DAY_MS - 1)),
        ("2020-01-01", "9999-12-31", Span(START, LATEST_TS)),
        # A point has milliseconds: an instant between two of them includes the one inside the range.
        ("2020-01-01T00:00:00.0001", "2020-01-01T00:00:00.0029", Span(START + 1, START + 2)),
        ("2020-01-01T02:00:00+02:00", "2020-01-01 01:00", Span(START, START + 3_600_000)),
    ],
)
def test_a_range_is_days_or_instants(first: str | None, last: str | None, wanted: Span) -> None:
    assert span(first, last) == wanted


@hypothesis_settings(derandomize=True, deadline=None, database=None)
@given(st.integers(0, LATEST_TS))
def test_every_millisecond_can_be_named(ts: int) -> None:
    assert span(iso(ts), iso(ts)) == Span(ts, ts)


def test_the_format_is_the_ending_of_the_file_unless_it_is_given() -> None:
    files = {"a.csv": "csv", "a.parquet": "parquet", "a.json": "json", "a.jsonl": "json", "a": "csv"}
    assert {name: format_of(None, Path(name)) for name in files} == files
    assert format_of(None, None) == "csv"
    assert format_of("csv", Path("a.parquet")) == "csv"
    assert format_of("csv", Path("a.txt")) == "csv"


def test_a_file_whose_ending_tells_no_format_is_refused() -> None:
    with pytest.raises(UserError, match=r"a\.xlsx: the ending \.xlsx tells no format: give \.csv, \.parquet"):
        format_of(None, Path("a.xlsx"))
