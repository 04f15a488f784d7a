"""CSV as it is met: every line is a reading, or is rejected with its number and reason, or is blank."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from producer.backfill import csv_file, lines
from producer.backfill.csv_file import open_csv
from tests.producer.backfill.reading_files import START, Reading, read_csv, read_gzip, until_it_breaks
from topics.errors import UserError
from topics.reading import REASONS

HEADER = b"site,sensor,ts,value,note"

# A line, and what must become of it: a reading, a reason, or None for a line that is none.
LONG: list[tuple[bytes, Reading | str | None]] = [
    (b"home,TH1,1577836800000,21.5,", ("home", "TH1", START, 21.5)),
    (b"home,TH1,2020-01-01T00:15:00Z,-0.25,x", ("home", "TH1", START + 900_000, -0.25)),
    (b" home , TH1 ,1577836801000,3,", ("home", "TH1", START + 1000, 3.0)),
    (b"cabin-2,W1,1577836800000,1e-3,", ("cabin-2", "W1", START, 0.001)),
    (b'"home","W1","1577836800000","0.5","a, note"', ("home", "W1", START, 0.5)),
    (b'home,W1,1577836802000,0.25,"says ""so"""', ("home", "W1", START + 2000, 0.25)),
    ("home,W1,1577836803000,0.75,Küche".encode(), ("home", "W1", START + 3000, 0.75)),
    (b'home,TH2,1577836800000,4,a"b', ("home", "TH2", START, 4.0)),
    (b"home,TH2,1577836801000,5,\x07", ("home", "TH2", START + 1000, 5.0)),
    (b"home,TH2,0,5,", ("home", "TH2", 0, 5.0)),
    (b"", None),
    (b"   ", None),
    (b"\t", None),
    (HEADER, "repeated_header"),
    (b'"site", sensor,ts,value,"note"', "repeated_header"),
    (b"home,TH1,15778", "cut_off"),
    (b"h", "cut_off"),
    (b'home,TH1,1577836900000,"21', "bad_quote"),
    (b'home,TH1,1577836900000,21,"x', "bad_quote"),
    (b'home,TH1,1577836900000,"21"x,', "bad_quote"),
    (b"home,TH1,1577836900000,21,,", "too_many_fields"),
    (b"home,TH1,1577836900000,warm,", "wrong_type"),
    (b"home,TH1,yesterday,21,", "wrong_type"),
    (b'home,TH1,1577836900000,"22,5",', "wrong_type"),
    (b"home,TH1,1577836900000,true,", "wrong_type"),
    (b"home,TH1,1577836900000,\x0021,", "wrong_type"),
    (b"home,TH1,15778369\r00000,21,", "bad_quote"),
    (b"home,TH1,1577836900000,,", "missing_field"),
    (b"home,TH1,,21,", "missing_field"),
    (b"home,,1577836900000,21,", "missing_field"),
    (b",TH1,1577836900000,21,", "missing_field"),
    (b",,,,", "missing_field"),
    (b"home,TH1,1577836900000,nan,", "not_finite"),
    (b"home,TH1,1577836900000,-inf,", "not_finite"),
    (b"home,TH1,1577836900000,1e999,", "not_finite"),
    (b"home,TH1,-1,21,", "negative_ts"),
    (b"home,TH1,1969-12-31,21,", "negative_ts"),
    (b"home,TH1,253402300800000,21,", "future_ts"),
    (b"my house,TH1,1577836900000,21,", "malformed_site"),
    ("häuschen,TH1,1577836900000,21,".encode(), "malformed_site"),
    (b"home,TH9,1577836900000,21,", "unknown_sensor"),
    (b"home,th1,1577836900000,21,", "unknown_sensor"),
    (b"home,heartbeat,1577836900000,1,", "unknown_sensor"),
    (b"home,TH1,1577836900000,21,\xff", "not_utf8"),
]


def expected(
    rows: list[tuple[bytes, Reading | str | None]], first: int = 2
) -> tuple[list[Reading], list[tuple[int, str]]]:
    """What the rows give together: of readings with the same name the first one counts."""
    readings, rejected, names = list[Reading](), list[tuple[int, str]](), set[tuple[str, str, int]]()
    for number, (_, becomes) in enumerate(rows, first):
        if isinstance(becomes, str):
            rejected.append((number, becomes))
        elif becomes is not None:
            if becomes[:3] in names:
                rejected.append((number, "duplicate"))
            else:
                readings.append(becomes)
            names.add(becomes[:3])
    return readings, rejected


@pytest.mark.parametrize(("line", "becomes"), LONG)
def test_every_kind_of_row_between_good_ones(tmp_path: Path, line: bytes, becomes: Reading | str | None) -> None:
    rows = [
        (b"home,Mov1,1577836800000,1,", ("home", "Mov1", START, 1.0)),
        (line, becomes),
        (b"home,Mov1,1577836800001,1,", ("home", "Mov1", START + 1, 1.0)),
    ]
    result = read_csv(tmp_path / "a.csv", b"\n".join([HEADER, *(row for row, _ in rows), b""]))
    assert (result.readings, result.rejected) == expected(rows)
    assert result.rows == (2 if becomes is None else 3)
    if isinstance(becomes, str):
        assert result.found == [line.decode(errors="backslashreplace")]


@examples(max_examples=120)
@given(
    st.lists(st.sampled_from(LONG), max_size=25), st.integers(1, 400), st.sampled_from([b"\n", b"\r\n"]), st.booleans()
)
def test_any_rows_in_blocks_of_any_size(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[bytes, Reading | str | None]],
    size: int,
    line_break: bytes,
    ends: bool,
) -> None:
    data = line_break.join([HEADER, *(row for row, _ in rows)]) + (line_break if ends else b"")
    for read in (read_csv, read_gzip):
        result = read(tmp_path_factory.getbasetemp() / "any.csv", data, size)
        assert (result.readings, result.rejected) == expected(rows)
        assert result.found == [rows[line - 2][0].decode(errors="backslashreplace") for line, _ in result.rejected]
        assert result.rows == sum(becomes is not None for _, becomes in rows)
        assert result.rows == len(result.readings) + len(result.rejected)


WIDE_HEADER = b"ts,TH1,W1,site"
WIDE: list[tuple[bytes, list[Reading] | str | None]] = [
    (b"1577836800000,21.5,0.5,home", [("home", "TH1", START, 21.5), ("home", "W1", START, 0.5)]),
    (b"1577836801000,,0.5,home", [("home", "W1", START + 1000, 0.5)]),
    (b"1577836802000,21.5, ,home", [("home", "TH1", START + 2000, 21.5)]),
    (b"1577836803000,,,home", []),
    (b'"1577836804000","7","","cabin"', [("cabin", "TH1", START + 4000, 7.0)]),
    (b"", None),
    (WIDE_HEADER, "repeated_header"),
    (b"1577836805000,21.5", "cut_off"),
    (b"1577836805000,21.5,1,home,2", "too_many_fields"),
    (b"soon,21.5,0.5,home", "wrong_type"),
    (b",21.5,0.5,home", "missing_field"),
    (b"1577836805000,21.5,0.5,", "missing_field"),
    (b"1577836805000,warm,,home", "wrong_type"),
    (b"1577836805000,nan,,home", "not_finite"),
]


@examples(max_examples=120)
@given(st.lists(st.sampled_from(WIDE), max_size=25), st.integers(1, 300))
def test_the_wide_form_in_blocks_of_any_size(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[bytes, list[Reading] | str | None]], size: int
) -> None:
    readings, rejected, names = list[Reading](), list[tuple[int, str]](), set[tuple[str, str, int]]()
    for number, (_, becomes) in enumerate(rows, 2):
        if isinstance(becomes, str):
            rejected.append((number, becomes))
        for reading in becomes if isinstance(becomes, list) else ():
            if reading[:3] in names:
                rejected.append((number, "duplicate"))
            else:
                readings.append(reading)
            names.add(reading[:3])
    result = read_csv(
        tmp_path_factory.getbasetemp() / "wide.csv", b"\n".join([WIDE_HEADER, *(row for row, _ in rows)]), size
    )
    assert (result.readings, result.rejected) == (readings, rejected)


def test_a_bad_cell_of_a_wide_row_is_rejected_alone(tmp_path: Path) -> None:
    result = read_csv(tmp_path / "a.csv", b"ts,TH1,W1,TH2\n1577836800000,1,much,3\n1577836801000,inf,5,x\n")
    assert result.readings == [
        ("home", "TH1", START, 1.0),
        ("home", "TH2", START, 3.0),
        ("home", "W1", START + 1000, 5.0),
    ]
    assert sorted(result.rejected) == [(2, "wrong_type"), (3, "not_finite"), (3, "wrong_type")]
    assert set(result.found) == {"1577836800000,1,much,3", "1577836801000,inf,5,x"}


def test_an_unclosed_quote_spoils_its_own_line_alone(tmp_path: Path) -> None:
    result = read_csv(tmp_path / "a.csv", b'sensor,ts,value\nTH1,1,1\n"TH1,2,2\nTH1,3,3\nTH1,"4,4\nTH1,5,5\n')
    assert [ts for _, _, ts, _ in result.readings] == [1, 3, 5]
    assert result.rejected == [(3, "bad_quote"), (5, "bad_quote")]


def test_byte_order_mark_blank_lines_before_the_header_and_a_missing_last_line_break(tmp_path: Path) -> None:
    result = read_csv(tmp_path / "a.csv", b"\xef\xbb\xbf\n \r\nsensor, ts ,value\r\nTH1,5,1\r\nTH1,x,1\r\nTH1,6,2", 7)
    assert result.readings == [("home", "TH1", 5, 1.0), ("home", "TH1", 6, 2.0)]
    assert result.rejected == [(5, "wrong_type")]
    assert result.rows == 3


def test_a_line_without_end_is_rejected_and_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LONGEST", 100)
    monkeypatch.setattr(csv_file, "LONGEST", 100)
    data = b"sensor,ts,value\nTH1,1,1\n" + b"x" * 5000 + b"\nTH1,2,2\n" + b"y" * 5000
    for size in (1, 16, 99, 1000, 1 << 20):
        result = read_csv(tmp_path / "a.csv", data, size)
        assert [ts for _, _, ts, _ in result.readings] == [1, 2]
        assert result.rejected == [(3, "too_long"), (5, "too_long")]
        assert all(len(row) <= 1000 for row in result.found)
        blocks = [block for block, _, _ in lines.whole_lines(tmp_path / "a.csv", size)]
        assert max(map(len, blocks)) <= 100 + 2 * size + 16 or size > 5000


def test_without_a_site_column_readings_are_of_the_default_site_and_unused_columns_are_left_alone(
    tmp_path: Path,
) -> None:
    result = read_csv(tmp_path / "a.csv", b",value,ts,quality,sensor\n0,1.5,7,\xc3\xa4,TH1\n1,2.5,8,,TH1\n")
    assert result.readings == [("home", "TH1", 7, 1.5), ("home", "TH1", 8, 2.5)]


def test_columns_by_other_names(tmp_path: Path) -> None:
    renamed = {"time": "ts", "reading": "value", "name": "sensor", "house": "site"}
    data = b"house,name,time,reading,ts\nh1,TH1,5,1.5,zzz\n"
    assert read_csv(tmp_path / "a.csv", data, columns=renamed).readings == [("h1", "TH1", 5, 1.5)]
    data = b"when,bedroom,W1\n5,1.5,2\n"
    result = read_csv(tmp_path / "a.csv", data, columns={"when": "ts", "bedroom": "TH1"})
    assert result.readings == [("home", "TH1", 5, 1.5), ("home", "W1", 5, 2.0)]


# --- gzip


def rows_of(count: int) -> bytes:
    return b"sensor,ts,value\n" + b"".join(b"TH1,%d,%d.5\n" % (ts, ts) for ts in range(count))


def test_gzip_of_several_members_with_padding_behind(tmp_path: Path) -> None:
    data = rows_of(500)
    packed = gzip.compress(data[:1000]) + gzip.compress(b"") + gzip.compress(data[1000:]) + bytes(600)
    for size in (10, 1 << 20):
        result = read_csv(tmp_path / "a.csv.gz", packed, size)
        assert [ts for _, _, ts, _ in result.readings] == list(range(500))


@pytest.mark.parametrize("damage", ["cut", "cut in the checksum", "changed"])
def test_what_a_broken_gzip_gives_before_it_breaks_off_counts(tmp_path: Path, damage: str) -> None:
    count = 200_000
    data = rows_of(count)
    packed = gzip.compress(data, 1)
    if damage == "cut":
        packed = packed[: len(packed) // 2]
    elif damage == "cut in the checksum":
        packed = packed[:-5]
    else:
        packed = packed[:-8] + bytes(4) + packed[-4:]
    path = tmp_path / "a.csv.gz"
    path.write_bytes(packed)
    result, error = until_it_breaks(open_csv(path, {}).blocks(100_000))
    assert "gzip data" in error
    whole = len(result.readings)
    assert [ts for _, _, ts, _ in result.readings] == list(range(whole))
    if damage == "cut":
        assert count / 4 < whole < count
        assert result.rejected in ([], [(whole + 2, "cut_off")])
    else:
        assert count - 100_000 <= whole <= count


def test_the_line_in_which_a_packed_file_breaks_off_is_rejected_though_it_looks_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    packer = zlib.compressobj(wbits=31)
    path.write_bytes(packer.compress(b"sensor,ts,value\nTH1,1,22.5\nTH1,2,2") + packer.flush(zlib.Z_SYNC_FLUSH))
    result, error = until_it_breaks(open_csv(path, {}).blocks())
    assert "break off" in error
    assert result.readings == [("home", "TH1", 1, 22.5)]
    assert result.rejected == [(3, "cut_off")]


# --- What cannot be read at all


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (b"TH1,1577836800000,22.5\n", "Its columns are: TH1, 1577836800000, 22.5"),
        (b"sensor;ts;value\n", "commas separate them"),
        (b"time,name,reading\n", r"--columns ts=time,value=reading"),
        (b"ts\n1\n", "one column for each sensor"),
        (b"ts,value\n1,1\n", "either sensor, ts and value"),
        (b"sensor,ts,value,ts\n", "more than one column ts"),
        ("sensor,ts,value\n".encode("utf-16"), "is UTF-16: save it as UTF-8"),
        (b"sensor,ts,\xff\n", "line 1: the header cannot be read"),
        (b'sensor,ts,"value\n', "line 1: the header cannot be read"),
        (b"\x1f\x8b\x08\x00garbage", "gzip"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error_that_says_why(tmp_path: Path, data: bytes, says: str) -> None:
    with pytest.raises(UserError, match=says) as error:
        read_csv(tmp_path / "a.csv", data)
    assert "a.csv" in str(error.value)


def test_the_reasons_of_the_contract_are_used_where_they_fit() -> None:
    own = {"repeated_header", "cut_off", "bad_quote", "too_many_fields", "not_utf8"}
    assert {becomes for _, becomes in LONG if isinstance(becomes, str)} - own <= set(REASONS)
    assert set(REASONS) - {"not_json"} <= {becomes for _, becomes in LONG if isinstance(becomes, str)}
