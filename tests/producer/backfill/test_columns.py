"""Which column holds what, and the messages when that is not clear."""

from __future__ import annotations

import pytest

from producer.backfill.columns import ColumnsError, Layout, layout, parse_columns

SENSORS = ("TH1", "W1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, {}),
        ("", {}),
        ("ts=time", {"time": "ts"}),
        (
            " ts = time , value=the reading,sensor=name,site=a=b",
            {"time": "ts", "the reading": "value", "name": "sensor", "a=b": "site"},
        ),
        ("ts=time,TH1=bedroom", {"time": "ts", "bedroom": "TH1"}),
    ],
)
def test_columns_are_pairs(text: str | None, expected: dict[str, str]) -> None:
    assert parse_columns(text, SENSORS) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ts", "give pairs NAME=COLUMN"),
        ("ts=", "give pairs"),
        ("=time", "give pairs"),
        ("ts=time,", "give pairs"),
        ("time=ts", "time is none of sensor, ts, value, site, and no sensor"),
        ("ts=a,ts=b", "ts=b names something a second time"),
        ("ts=a,value=a", "value=a names something a second time"),
    ],
)
def test_malformed_columns_are_an_error(text: str, says: str) -> None:
    with pytest.raises(ColumnsError, match=says):
        parse_columns(text, SENSORS)


@pytest.mark.parametrize(
    ("header", "columns", "expected"),
    [
        (("sensor", "ts", "value"), {}, Layout(("sensor", "ts", "value"), 1, None, 0, (2,), ())),
        (("", "value", "site", "ts", "sensor"), {}, Layout(("", "value", "site", "ts", "sensor"), 3, 2, 4, (1,), ())),
        (
            ("ts", "TH1", "", "site", "W1"),
            {},
            Layout(("ts", "TH1", "", "site", "W1"), 0, 3, None, (1, 4), ("TH1", "W1")),
        ),
        (
            ("t", "ts", "n", "v"),
            {"t": "ts", "n": "sensor", "v": "value"},
            Layout(("ts", "", "sensor", "value"), 0, None, 2, (3,), ()),
        ),
        (("t", "a"), {"t": "ts", "a": "W1"}, Layout(("ts", "W1"), 0, None, None, (1,), ("W1",))),
    ],
)
def test_the_form_follows_from_the_columns(header: tuple[str, ...], columns: dict[str, str], expected: Layout) -> None:
    assert layout("file", header, columns) == expected


@pytest.mark.parametrize(
    ("header", "columns", "says"),
    [
        (("sensor", "ts"), {}, "either sensor, ts and value"),
        (("ts", "site"), {}, "one column for each sensor"),
        (("TH1", "W1"), {}, "Its columns are: TH1, W1"),
        (("sensor", "value"), {}, "--columns ts=time"),
        (("sensor", "ts", "value"), {"time": "ts"}, "f.csv has no column time, which --columns names"),
        (("ts", "TH1", "TH1"), {}, "more than one column TH1"),
        (tuple(f"c{n}" for n in range(50)), {}, "c19 and 30 more"),
    ],
)
def test_other_columns_are_an_error_that_lists_them(
    header: tuple[str, ...], columns: dict[str, str], says: str
) -> None:
    with pytest.raises(ColumnsError, match=says) as error:
        layout("f.csv", header, columns)
    assert str(error.value).startswith("f.csv")
