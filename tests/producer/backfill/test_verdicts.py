"""Duplicates and order, over the borders of blocks, against plain loops."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests.producer.backfill.reading_files import read_csv

NAMES = st.tuples(st.sampled_from(["home", "cabin"]), st.sampled_from(["TH1", "W1"]))
ROWS = st.lists(st.tuples(NAMES, st.integers(0, 12) | st.integers(0, 10**12), st.integers(0, 9)), max_size=60)


@examples(max_examples=200)
@given(ROWS, st.integers(1, 600))
def test_the_first_of_a_name_counts_and_older_ones_are_kept(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[tuple[str, str], int, int]], size: int
) -> None:
    seen, newest = set[tuple[tuple[str, str], int]](), dict[tuple[str, str], int]()
    readings, rejected, out_of_order = [], [], 0
    for line, (name, ts, value) in enumerate(rows, 2):
        if (name, ts) in seen:
            rejected.append((line, "duplicate"))
            continue
        seen.add((name, ts))
        out_of_order += ts < newest.get(name, -1)
        newest[name] = max(ts, newest.get(name, -1))
        readings.append((*name, ts, float(value)))
    data = "".join(["site,sensor,ts,value\n", *(f"{s},{n},{ts},{value}\n" for (s, n), ts, value in rows)])
    result = read_csv(tmp_path_factory.getbasetemp() / "rows.csv", data.encode(), size)
    assert (result.readings, result.rejected) == (readings, rejected)
    assert result.judge.out_of_order == out_of_order
    assert result.judge.newest == max((ts for _, ts in seen), default=-1)


def test_a_rejected_reading_is_no_first_one(tmp_path: Path) -> None:
    data = b"sensor,ts,value\nTH1,5,nan\nTH1,5,x\nTH1,5,1\nTH1,5,2\n"
    result = read_csv(tmp_path / "a.csv", data)
    assert result.readings == [("home", "TH1", 5, 1.0)]
    assert result.rejected == [(2, "not_finite"), (3, "wrong_type"), (5, "duplicate")]


def test_unknown_sensors_are_counted_though_their_rows_are_spread_over_blocks(tmp_path: Path) -> None:
    data = (
        b"sensor,ts,value\n"
        + b"".join(b"TH9,%d,1\nTH1,%d,1\nx y,%d,1\n" % (t, t, t) for t in range(50))
        + b"sensor,ts,value\n"
    )
    for size in (1, 64, 10_000):
        result = read_csv(tmp_path / "a.csv", data, size)
        assert result.judge.unknown.counts == {"TH9": 50, "x y": 50}
        assert len(result.readings) == 50
