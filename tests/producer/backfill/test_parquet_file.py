"""Parquet: the same rules as for CSV, whatever types the columns have."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from producer.backfill.lines import is_parquet
from producer.backfill.parquet_file import open_parquet
from tests.producer.backfill.reading_files import START, read_parquet, until_it_breaks
from topics.errors import UserError

NOON = datetime(2020, 1, 1, 12, tzinfo=UTC)
NOON_MS = START + 12 * 3_600_000


def write(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    "ts",
    [
        pa.array([NOON_MS]),
        pa.array([NOON_MS], pa.uint64()),
        pa.array([float(NOON_MS)]),
        pa.array([NOON], pa.timestamp("s", "UTC")),
        pa.array([NOON], pa.timestamp("ms", "UTC")),
        pa.array([NOON], pa.timestamp("us", "Europe/Berlin")),
        pa.array([NOON.astimezone(timezone(timedelta(hours=5)))], pa.timestamp("ns", "+05:00")),
        pa.array([NOON.replace(tzinfo=None)], pa.timestamp("ns")),
        pa.array(["2020-01-01T12:00:00Z"]),
        pa.array(["2020-01-01 13:00+01:00"]).dictionary_encode(),
        pa.array([str(NOON_MS)], pa.large_string()),
    ],
    ids=lambda array: str(array.type),
)
def test_times_of_every_type(tmp_path: Path, ts: pa.Array) -> None:
    path = write(tmp_path / "a", sensor=["TH1"], ts=ts, value=[1.5])
    assert read_parquet(path).readings == [("home", "TH1", NOON_MS, 1.5)]


def test_a_date_is_its_first_instant(tmp_path: Path) -> None:
    for kind in (pa.date32(), pa.date64()):
        path = write(tmp_path / "a", sensor=["TH1"], ts=pa.array([date(2020, 1, 1)], kind), value=[1])
        assert read_parquet(path).readings == [("home", "TH1", START, 1.0)]


@pytest.mark.parametrize(
    ("ts", "reason"),
    [
        (pa.array([-1]), "negative_ts"),
        (pa.array([2**63 - 1]), "future_ts"),
        (pa.array([2**64 - 1], pa.uint64()), "future_ts"),
        (pa.array([-1], pa.timestamp("s")), "negative_ts"),
        (pa.array([253_402_300_800], pa.timestamp("s")), "future_ts"),
        (pa.array([NOON_MS * 1000 + 1], pa.timestamp("us")), "wrong_type"),
        (pa.array([NOON_MS * 1_000_000 + 1], pa.timestamp("ns")), "wrong_type"),
        (pa.array([NOON_MS + 0.5]), "wrong_type"),
        (pa.array([True]), "wrong_type"),
        (pa.array([None], pa.int64()), "missing_field"),
        (pa.array([None], pa.timestamp("us")), "missing_field"),
        (pa.array([None], pa.string()), "missing_field"),
        (pa.nulls(1), "missing_field"),
        (pa.array([[1]]), "wrong_type"),
    ],
    ids=str,
)
def test_times_that_are_none(tmp_path: Path, ts: pa.Array, reason: str) -> None:
    result = read_parquet(write(tmp_path / "a", sensor=["TH1"], ts=ts, value=[1]))
    assert (result.readings, result.rejected) == ([], [(1, reason)])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (pa.array([3], pa.int8()), 3.0),
        (pa.array([2**53 + 1]), float(2**53 + 1)),
        (pa.array([2**64 - 1], pa.uint64()), float(2**64 - 1)),
        (pa.array([0.1]), 0.1),
        (pa.array([0.1], pa.float32()), 0.10000000149011612),
        (pa.array([Decimal("22.50")]), 22.5),
        (pa.array(["22.5"]), 22.5),
        (pa.array([math.nan]), "not_finite"),
        (pa.array([-math.inf]), "not_finite"),
        (pa.array(["inf"]), "not_finite"),
        (pa.array([True]), "wrong_type"),
        (pa.array(["warm"]), "wrong_type"),
        (pa.array([None], pa.float64()), "missing_field"),
        (pa.array([None], pa.int32()), "missing_field"),
        (pa.array([""]), "missing_field"),
    ],
    ids=str,
)
def test_values_of_every_type(tmp_path: Path, value: pa.Array, expected: float | str) -> None:
    result = read_parquet(write(tmp_path / "a", sensor=["TH1"], ts=[5], value=value))
    if isinstance(expected, str):
        assert (result.readings, result.rejected) == ([], [(1, expected)])
    else:
        assert (result.readings, result.rejected) == ([("home", "TH1", 5, expected)], [])


def test_names_that_are_none_and_the_row_as_found(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a",
        other=list(range(5)),
        site=["home", None, "my house", "h2", "h2"],
        sensor=["TH1", "TH1", "TH1", None, "TH9"],
        ts=[1, 2, 3, 4, 5],
        value=[1.0, 2.0, 3.0, 4.0, 5.0],
    )
    result = read_parquet(path)
    assert result.readings == [("home", "TH1", 1, 1.0)]
    assert result.rejected == [(2, "missing_field"), (3, "malformed_site"), (4, "missing_field"), (5, "unknown_sensor")]
    assert result.found == [",TH1,2,2.0", "my house,TH1,3,3.0", "h2,,4,4.0", "h2,TH9,5,5.0"]


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["TH1", "W1", "TH9", None]),
        st.none() | st.integers(-2, 30),
        st.none() | st.sampled_from([1.0, -2.5, math.nan, math.inf]),
    ),
    max_size=40,
)


@examples(max_examples=100)
@given(ROWS, st.integers(1, 50), st.integers(1, 50))
def test_rows_in_blocks_and_row_groups_of_any_size(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str | None, int | None, float | None]],
    size: int,
    group: int,
) -> None:
    readings, rejected, seen = [], [], set()
    for number, (sensor, ts, value) in enumerate(rows, 1):
        if sensor is None or ts is None or value is None:
            rejected.append((number, "missing_field"))
        elif sensor == "TH9":
            rejected.append((number, "unknown_sensor"))
        elif not math.isfinite(value):
            rejected.append((number, "not_finite"))
        elif ts < 0:
            rejected.append((number, "negative_ts"))
        elif (sensor, ts) in seen:
            rejected.append((number, "duplicate"))
        else:
            seen.add((sensor, ts))
            readings.append(("home", sensor, ts, value))
    path = tmp_path_factory.getbasetemp() / "rows.parquet"
    schema = {"sensor": pa.string(), "ts": pa.int64(), "value": pa.float64()}
    columns = {name: pa.array([row[n] for row in rows], schema[name]) for n, name in enumerate(schema)}
    pq.write_table(pa.table(columns), path, row_group_size=group)
    result = read_parquet(path, size)
    assert (result.readings, result.rejected, result.rows) == (readings, rejected, len(rows))


def test_a_wide_frame_as_pandas_writes_it(tmp_path: Path) -> None:
    index = pd.date_range("2020-01-01", periods=3, freq="15min", tz="UTC", name="time")
    frame = pd.DataFrame({"TH1": [1.5, None, 2.5], "Mov1": [1, 2, 3]}, index=index)
    frame.to_parquet(tmp_path / "a.parquet")
    quarter = 900_000
    for size in (1, 2, 100):
        result = read_parquet(tmp_path / "a.parquet", size, {"time": "ts"})
        assert result.readings == [
            ("home", "TH1", START, 1.5),
            ("home", "Mov1", START, 1.0),
            ("home", "Mov1", START + quarter, 2.0),
            ("home", "TH1", START + 2 * quarter, 2.5),
            ("home", "Mov1", START + 2 * quarter, 3.0),
        ]
        assert (result.rejected, result.rows) == ([], 3)


def test_a_wide_cell_that_is_no_number_is_rejected_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "a", ts=[1, 2], TH1=["1", "x"], W1=[math.nan, 2.0])
    result = read_parquet(path)
    assert result.readings == [("home", "TH1", 1, 1.0), ("home", "W1", 2, 2.0)]
    assert result.rejected == [(1, "not_finite"), (2, "wrong_type")]


def test_a_file_that_is_no_parquet_or_has_other_columns_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 and then nothing")
    assert is_parquet(path)
    with pytest.raises(UserError, match=r"a\.parquet cannot be read as Parquet"):
        read_parquet(path)
    with pytest.raises(UserError, match="Its columns are: time, name"):
        read_parquet(write(path, time=[1], name=["TH1"]))


def test_what_a_damaged_file_gives_before_the_damage_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    count = 20_000
    table = pa.table({"sensor": ["TH1"] * count, "ts": range(count), "value": [float(v % 997) for v in range(count)]})
    pq.write_table(table, path, row_group_size=5_000, compression="zstd")
    start = pq.ParquetFile(path).metadata.row_group(2).column(1).data_page_offset
    data = bytearray(path.read_bytes())
    data[start : start + 200] = b"\xff" * 200
    path.write_bytes(data)
    result, error = until_it_breaks(open_parquet(path, {}).blocks(1_000))
    assert "Parquet data cannot be read on" in error
    assert [ts for _, _, ts, _ in result.readings] == list(range(10_000))
