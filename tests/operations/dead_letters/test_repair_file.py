"""Dead letters in a file: what is written comes back, and what was repaired in it."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.dead_letters.letters import Letter
from operations.dead_letters.repair_file import read, utc, write
from tests.generated import records
from topics.errors import UserError
from topics.origin import Origin

ORIGIN = Origin("dailyAggr", 3, 812)
READING = b'{"site":"home","sensor":"TH1","ts":1577836800000,"value":"x"}'


def letter(value: bytes | None, key: bytes | None = b"TH1") -> Letter:
    return Letter(ORIGIN, 1_577_836_800_001, "wrong_type", "value of another type", key, value)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@given(st.none() | st.binary() | records(), st.none() | st.binary())
def test_every_record_comes_back_as_it_was(value: bytes | None, key: bytes | None) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "bad.jsonl"
        assert write(path, [letter(value, key), letter(READING)], force=False) == 2
        assert path.read_bytes().count(b"\n") == 2
        assert [(item.line, item.origin, item.value) for item in read(path)] == [
            (1, ORIGIN, value),
            (2, ORIGIN, READING),
        ]


def test_a_json_object_stands_in_the_line_as_it_is(tmp_path: Path) -> None:
    write(tmp_path / "bad", [letter(READING)], force=False)
    assert (tmp_path / "bad").read_bytes() == (
        b'{"origin":"dailyAggr 3 812","received":"2020-01-01T00:00:00.001Z","reason":"wrong_type",'
        b'"detail":"value of another type","key":"TH1","value":' + READING + b"}\n"
    )


@pytest.mark.parametrize("levels", [99, 100, 990, 5000])
def test_a_record_of_many_levels_comes_back(tmp_path: Path, levels: int) -> None:
    value = b'{"x":' + b"[" * levels + b"]" * levels + b"}"
    write(tmp_path / "bad", [letter(value)], force=False)
    assert [item.value for item in read(tmp_path / "bad")] == [value]
    assert (b'"value":{' in (tmp_path / "bad").read_bytes()) == (levels < 100)
    (tmp_path / "bad").write_bytes(b'{"origin":"dailyAggr 3 812","value":' + b"[" * 100_000)
    with pytest.raises(UserError, match="line 1"):
        read(tmp_path / "bad")


def test_what_is_no_json_object_is_text_and_what_is_no_text_is_base64(tmp_path: Path) -> None:
    values = [b"no JSON", b"{", b'{"value":NaN}', b'{"a":\n1}', b"5", b"\xff", None]
    write(tmp_path / "bad", map(letter, values), force=False)
    found = lines(tmp_path / "bad")
    assert [line.get("value") for line in found] == ["no JSON", "{", '{"value":NaN}', '{"a":\n1}', "5", None, None]
    assert [line.get("base64") for line in found] == [None, None, None, None, None, "/w==", None]


def test_a_value_that_was_put_in_the_place_of_base64_counts(tmp_path: Path) -> None:
    path = tmp_path / "bad"
    path.write_text('{"origin":"dailyAggr 3 812","base64":"/w==","value":{"site": "home"},"note":"by hand"}\n\n')
    assert [item.value for item in read(path)] == [b'{"site": "home"}']


def test_letters_without_an_origin_are_left_out(tmp_path: Path) -> None:
    assert write(tmp_path / "bad", [letter(READING)._replace(origin=None)], force=False) == 0


def test_what_was_repaired_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "bad"
    path.write_text("repaired")
    with pytest.raises(UserError, match="--force replaces it"):
        write(path, [letter(READING)], force=False)
    assert path.read_text() == "repaired"
    assert write(path, [letter(READING)], force=True) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["bad"]
    with pytest.raises(UserError, match="cannot write"):
        write(tmp_path / "nowhere" / "bad", [], force=False)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2 is no dead letter .*: it is not one JSON object"),
        ("[]", "line 2 is no dead letter .*: it must have origin"),
        ('{"value":{}}', "line 2 is no dead letter.*origin"),
        ('{"origin":5}', "line 2 is no dead letter"),
        ('{"origin":"dailyAggr 3"}', "line 2: origin 'dailyAggr 3' names no record"),
        ('{"origin":"dailyAggr -1 5"}', "line 2: origin"),
        ('{"origin":"dailyAggr 3 812","base64":"ÿ"}', "line 2 is no dead letter .*: what stands as base64 is none"),
        ('{"origin":"dailyAggr 3 812","value":"\udcff"}', "line 2 is no dead letter .*: it is not UTF-8"),
    ],
)
def test_a_line_that_is_none_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "bad"
    path.write_text(f'{{"origin":"dailyAggr 3 812"}}\n{line}\n', encoding="utf-8", errors="surrogateescape")
    with pytest.raises(UserError, match=said):
        read(path)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read"):
        read(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (1577836800001, "2020-01-01T00:00:00.001Z"),
        (2**62, str(2**62)),
    ],
)
def test_times_are_utc_and_what_no_calendar_holds_is_a_number(timestamp: int, text: str) -> None:
    assert utc(timestamp) == text
