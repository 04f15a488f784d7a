"""What a valid reading is, case by case: the table that the bridge's decoder and the job's are both held to.

The verdicts are not those of topics/reading.py. Each is the row that the JSON decoder of Flink 2.3 made of the bytes
(observed, with the columns site, sensor, ts and value, ts as a DOUBLE), judged by the contract: the site matches
``[A-Za-z0-9_.-]{1,64}``, the sensor is in the catalogue, the value is finite, ts is whole and from 0 to received + 1 h.
Cases that were not in that first observation follow from these rules; test_decoder.py and
test_validity.py in tests/jobs/ hold the job to all.

Nothing here needs pytest, so that a test against a running Flink can read the table too.
"""

from __future__ import annotations

from typing import NamedTuple

from topics.reading import Reading

SENT = 1_577_836_801_000
"""Timestamp of the record of every case, epoch ms: 2020-01-01T00:00:01Z."""

FUTURE_TOLERANCE_MS = 3_600_000

TS = SENT - 1000
LATEST = SENT + FUTURE_TOLERANCE_MS


class Case(NamedTuple):
    """The value of a record, and what it holds: its readings in order (none: a heartbeat), or why it holds none.

    An array whose end is broken holds what comes before, and the reason.

    The reason is one of ``topics.reading.REASONS``.
    """

    name: str
    value: bytes | None
    expected: list[Reading | str] | str


def _json(site: str = '"home"', sensor: str = '"TH1"', ts: str = str(TS), value: str = "22.5", more: str = "") -> bytes:
    """A reading, each of its values given as JSON; ``more`` stands before the closing brace."""
    return f'{{"site":{site},"sensor":{sensor},"ts":{ts},"value":{value}{more}}}'.encode()


def _beat(**fields: str) -> bytes:
    """A heartbeat; other fields as for ``_json``."""
    return _json(sensor='"heartbeat"', **fields)


def _reads(site: str = "home", sensor: str = "TH1", ts: int = TS, value: float = 22.5) -> list[Reading | str]:
    return [Reading(site, sensor, ts, value)]


PLAIN = _json()
GOOD = _reads()
_TEXT = PLAIN.decode()
_OPEN = PLAIN[:-1]

_UTF32 = ("utf-32-le", "surrogatepass")


def _utf16(more: str = "") -> bytes:
    """A reading in UTF-16, which may hold halves of surrogate pairs; ``more`` as for ``_json``."""
    return f"{_TEXT[:-1]}{more}}}".encode("utf-16-le", "surrogatepass")


def _escaped(six: str, zero: str = "0") -> str:
    """A reading whose site has an o as an escape, with such characters for a zero and for the 6."""
    return _TEXT.replace("home", f"h\\u0{zero}{six}fme")


def _in_array(more: str) -> bytes:
    return b"[" + _json(more=more) + b"]"


_VALUES = (
    Case("a plain reading", PLAIN, GOOD),
    Case("value: a quoted number", _json(value='"22.5"'), GOOD),
    Case("value: a quoted number between spaces", _json(value='" 22.5 "'), GOOD),
    Case("value: quoted NaN", _json(value='"NaN"'), "not_finite"),
    Case("value: bare NaN", _json(value="NaN"), "not_json"),
    Case("value: a number beyond the doubles", _json(value="1e400"), "not_finite"),
    Case("value: a quoted number beyond the doubles", _json(value='"1e400"'), "not_finite"),
    Case("value: quoted hexadecimal with an exponent", _json(value='"0x1p3"'), _reads(value=8.0)),
    Case("value: quoted with Java's suffix d", _json(value='"22.5d"'), GOOD),
    Case("value: quoted with Java's suffix f", _json(value='"22.5f"'), GOOD),
    Case("value: minus zero", _json(value="-0.0"), _reads(value=-0.0)),
    Case("value: an integer", _json(value="22"), _reads(value=22.0)),
    Case("value: true", _json(value="true"), "wrong_type"),
    Case("value: null", _json(value="null"), "missing_field"),
    Case("value: an array of an integer", _json(value="[1]"), "wrong_type"),
    Case("value: an object", _json(value='{"a":1}'), "wrong_type"),
    Case("value: an array of a number", _json(value="[22.5]"), "wrong_type"),
    Case("value: an empty string", _json(value='""'), "wrong_type"),
    Case("value: quoted with a plus sign", _json(value='"+5"'), _reads(value=5.0)),
    Case("value: bare with a plus sign", _json(value="+5"), "not_json"),
    Case("value: bare without digits before the point", _json(value=".5"), "not_json"),
    Case("value: bare without digits behind the point", _json(value="5."), "not_json"),
    Case("value: bare with a leading zero", _json(value="05"), "not_json"),
    Case("value: quoted with a leading zero", _json(value='"05"'), _reads(value=5.0)),
    Case("value: quoted without digits behind the point", _json(value='"5."'), _reads(value=5.0)),
    Case("value: quoted without digits before the point", _json(value='".5"'), _reads(value=0.5)),
    Case("value: bare Infinity", _json(value="Infinity"), "not_json"),
    Case("value: quoted Infinity", _json(value='"Infinity"'), "not_finite"),
    Case("value: quoted with an underscore", _json(value='"1_0"'), "wrong_type"),
    Case("value: quoted Arabic digit", _json(value='"\u0664"'), "wrong_type"),
    Case("value: an exponent of twelve digits", _json(value="1e999999999999"), "not_finite"),
    Case("value: an integer of 30 digits", _json(value="1234567890" * 3), _reads(value=1.2345678901234568e29)),
    Case("value: an integer of 400 digits", _json(value="1" * 400), "not_finite"),
    Case("value: 1200 decimals", _json(value="0." + "1" * 1200), "not_json"),
    Case("value: exponent with a capital E", _json(value="1E2"), _reads(value=100.0)),
    Case("value: a number too small for a double", _json(value="1e-400"), _reads(value=0.0)),
    Case("value: a quoted number too small for a double", _json(value='"1e-400"'), _reads(value=0.0)),
    Case("value: a sign alone", _json(value="-"), "not_json"),
    Case("value: bare hexadecimal", _json(value="0x10"), "not_json"),
    Case("value: quoted hexadecimal without an exponent", _json(value='"0x10"'), "wrong_type"),
    Case("value: quoted, the digit escaped", _json(value='"\\u0031"'), _reads(value=1.0)),
    Case("value: quoted with an escaped tab behind it", _json(value='"1\\t"'), _reads(value=1.0)),
    Case("value: quoted with exponent and suffix D", _json(value='"1e5D"'), _reads(value=100000.0)),
    Case("value: quoted -NaN", _json(value='"-NaN"'), "not_finite"),
    Case("value: two quoted numbers", _json(value='"1 2"'), "wrong_type"),
    Case("value: quoted with a no-break space", _json(value='"\\u00a05"'), "wrong_type"),
    Case("value: two bare numbers", _json(value="22.5 5"), "not_json"),
)

_TIMES = (
    Case("ts: a quoted integer", _json(ts=f'"{TS}"'), GOOD),
    Case("ts: a fraction of a millisecond", _json(ts=f"{TS}.7"), "wrong_type"),
    Case("ts: whole, with a decimal point", _json(ts=f"{TS}.0"), GOOD),
    Case("ts: whole, with an exponent", _json(ts="1.5778368e12"), GOOD),
    Case("ts: quoted, whole, with a decimal point", _json(ts=f'"{TS}.0"'), GOOD),
    Case("ts: quoted between spaces", _json(ts=f'" {TS} "'), GOOD),
    Case("ts: quoted with a plus sign", _json(ts=f'"+{TS}"'), GOOD),
    Case("ts: 2 to the 63rd", _json(ts=str(2**63)), "future_ts"),
    Case("ts: 2 to the 63rd, quoted", _json(ts=f'"{2**63}"'), "future_ts"),
    Case("ts: far beyond any integer type", _json(ts="1e30"), "future_ts"),
    Case("ts: minus one", _json(ts="-1"), "negative_ts"),
    Case("ts: minus zero", _json(ts="-0"), _reads(ts=0)),
    Case("ts: a negative fraction", _json(ts="-0.5"), "wrong_type"),
    Case("ts: zero", _json(ts="0"), _reads(ts=0)),
    Case("ts: true", _json(ts="true"), "wrong_type"),
    Case("ts: null", _json(ts="null"), "missing_field"),
    Case("ts: an empty array", _json(ts="[]"), "wrong_type"),
    Case("ts: quoted Arabic digit", _json(ts='"\u0661"'), "wrong_type"),
    Case("ts: a fraction below one", _json(ts="0.9"), "wrong_type"),
    Case("ts: quoted, the digit escaped", _json(ts='"\\u0031"'), _reads(ts=1)),
    Case("ts: an integer of 1002 digits", _json(ts="1" + "0" * 1001), "not_json"),
)

_NAMES = (
    Case("site: an integer", _json(site="5"), _reads(site="5")),
    Case("site: a decimal, as it is written", _json(site="1.50"), _reads(site="1.50")),
    Case("site: a number with an exponent", _json(site="1e3"), _reads(site="1e3")),
    Case("site: true", _json(site="true"), _reads(site="true")),
    Case("site: null", _json(site="null"), "missing_field"),
    Case("site: an array", _json(site="[1, 2]"), "wrong_type"),
    Case("site: an object", _json(site='{"a": 1}'), "wrong_type"),
    Case("site: an empty object", _json(site="{}"), "wrong_type"),
    Case("site: with a space", _json(site='"a b"'), "malformed_site"),
    Case("site: empty", _json(site='""'), "malformed_site"),
    Case("site: 64 characters", _json(site=f'"{"x" * 64}"'), _reads(site="x" * 64)),
    Case("site: 65 characters", _json(site=f'"{"x" * 65}"'), "malformed_site"),
    Case("site: an escaped line feed at the end", _json(site='"a\\n"'), "malformed_site"),
    Case("site: a bare line feed at the end", _json(site='"home\n"'), "malformed_site"),
    Case("site: a letter escaped", _json(site='"h\\u006fme"'), GOOD),
    Case("site: a letter outside ASCII", _json(site='"é"'), "malformed_site"),
    Case("site: half a surrogate pair", _json(site='"a\\ud800"'), "malformed_site"),
    Case("site: a number with a capital E", _json(site="1E5"), _reads(site="1E5")),
    Case("site: a negative integer", _json(site="-1"), _reads(site="-1")),
    Case("site: a negative decimal with an exponent", _json(site="-1.5e-3"), _reads(site="-1.5e-3")),
    Case("site: false", _json(site="false"), _reads(site="false")),
    Case("sensor: not in the catalogue", _json(sensor='"XX"'), "unknown_sensor"),
    Case("sensor: a number", _json(sensor="1"), "unknown_sensor"),
    Case("sensor: null", _json(sensor="null"), "missing_field"),
    Case("sensor: a space behind its name", _json(sensor='"TH1 "'), "unknown_sensor"),
)

_FIELDS = (
    Case("field: no value", f'{{"site":"home","sensor":"TH1","ts":{TS}}}'.encode(), "missing_field"),
    Case("field: no site", f'{{"sensor":"TH1","ts":{TS},"value":1}}'.encode(), "missing_field"),
    Case("field: site in capitals", f'{{"SITE":"home","sensor":"TH1","ts":{TS},"value":1}}'.encode(), "missing_field"),
    Case("field: an unknown one", _json(more=',"x":1'), GOOD),
    Case("field: an unknown one that holds a ts", _json(more=',"x":{"ts":5}'), GOOD),
    Case("field: an unknown one that holds a site, in front", b'{"a":{"site":"x"},' + PLAIN[1:], GOOD),
    Case("field: an unknown one that holds NaN", _json(more=',"x":NaN'), "not_json"),
    Case("field: an unknown one with a bare tab", _json(more=',"x":"a\tb"'), GOOD),
    Case("field: an unknown one of a megabyte", _json(more=f',"x":"{"y" * 1_000_000}"'), GOOD),
    Case("field: an unknown one, 2000 arrays deep", _json(more=f',"x":{"[" * 2000}{"]" * 2000}'), "not_json"),
    Case("field: an unknown one that is not UTF-8", _OPEN + b',"x":"\xff"}', "not_json"),
    Case("field: a name that is not UTF-8", _OPEN + b',"\xff":1}', "not_json"),
    Case("field: a name without quotes", _json(more=",x:1"), "not_json"),
    Case("field: a name in single quotes", _json(more=",'x':1"), "not_json"),
    Case("field: a string without a name", _json(more=' "q"'), "not_json"),
    Case("field: no comma in between", b'{"site":"home" "sensor":"TH1"}', "not_json"),
)

# Flink takes the first four fields that it knows, repeated ones included, and reads no further. So a reading whose
# fields stand twice is one only when the first four of them are four different ones.
_TWICE = (
    Case("twice: ts again at the end", _json(more=',"ts":5'), GOOD),
    Case("twice: value again at the end, as text", _json(more=',"value":"x"'), GOOD),
    Case("twice: value again at the end, as null", _json(more=',"value":null'), GOOD),
    Case("twice: value in front and at the end", b'{"value":9,' + PLAIN[1:], _reads(value=9.0)),
    Case("twice: value, side by side", _json(value='1,"value":2'), _reads(value=1.0)),
    Case("twice: value three times", _json(value='1,"value":2,"value":3'), _reads(value=1.0)),
    Case("twice: ts as text in front", b'{"ts":"x",' + PLAIN[1:], "missing_field"),
)

# What Flink's decoder does with a value that it cannot convert, and whether it then stands inside of it.
_NESTED = (
    Case("nested: an object with a value for a value", _json(value='{"value":5}'), "wrong_type"),
    Case("nested: an array with a value's name for a value", _json(value='["value",5]'), "wrong_type"),
    Case(
        "nested: an object with a ts for the ts",
        f'{{"site":"home","sensor":"TH1","value":1,"ts":{{"ts":{TS}}}}}'.encode(),
        "wrong_type",
    ),
    Case("nested: an unknown field holds an object, in front", b'{"x":{},' + PLAIN[1:], GOOD),
    Case("nested: an unknown field holds a reading, in front", b'{"x":' + PLAIN + b"," + PLAIN[1:], GOOD),
    Case("unknown field: a number of 1200 digits", _json(more=',"x":' + "1" * 1200), "not_json"),
    Case("unknown field: called heartbeat", _json(more=f',"heartbeat":{TS}'), GOOD),
    Case("ts: beyond the year 9999", _json(ts="253402300800000"), "future_ts"),
    Case("array: a reading, then a number", b"[" + PLAIN + b",5]", [*GOOD, "not_json"]),
    Case("array: a reading, then the beginning of another", b"[" + PLAIN + b",{", [*GOOD, "not_json"]),
    Case("array: a reading, and no end", b"[" + PLAIN, [*GOOD, "not_json"]),
)

_RECORDS = (
    Case("record: text behind the reading", PLAIN + b"garbage", GOOD),
    Case("record: bytes behind the reading", PLAIN + b"\xff\xfe", GOOD),
    Case("record: a second reading behind the first", PLAIN + PLAIN, GOOD),
    Case("record: an array of one reading", b"[" + PLAIN + b"]", GOOD),
    Case("record: an array of two readings", b"[" + PLAIN + b"," + PLAIN + b"]", GOOD + GOOD),
    Case("record: empty", b"", "not_json"),
    Case("record: a space", b" ", "not_json"),
    Case("record: null", b"null", "not_json"),
    Case("record: a number", b"5", "not_json"),
    Case("record: a string", b'"x"', "not_json"),
    Case("record: an empty object", b"{}", "missing_field"),
    Case("record: an opening brace", b"{", "not_json"),
    Case("record: no closing brace", _OPEN, "not_json"),
    Case("record: ends inside the value", PLAIN[:-3], "not_json"),
    Case("record: a comma before the closing brace", _json(more=","), "not_json"),
    Case("record: UTF-8 with a byte order mark", b"\xef\xbb\xbf" + PLAIN, GOOD),
    Case("record: UTF-16 with a byte order mark", b"\xff\xfe" + _TEXT.encode("utf-16-le"), GOOD),
    Case("record: UTF-16 without a byte order mark", _TEXT.encode("utf-16-le"), GOOD),
    Case("record: UTF-32 without a byte order mark", _TEXT.encode("utf-32-le"), GOOD),
    Case("record: spaces around", b"  " + PLAIN + b"  ", GOOD),
    Case("record: a line feed in front", b"\n" + PLAIN, GOOD),
    Case("record: a zero byte in front", b"\x00" + PLAIN, "not_json"),
    Case("record: a zero byte behind", PLAIN + b"\x00", GOOD),
    Case("record: a comment in front", b"//c\n" + PLAIN, "not_json"),
)

# Jackson looks at how many bytes of UTF-8 belong together, and not at what they amount to; and not behind the record.
_UNICODE = (
    Case("UTF-8: a letter of the site in two bytes", PLAIN.replace(b"home", b"\xc1\xa8ome"), GOOD),
    Case("UTF-8: a letter of the site in three bytes", PLAIN.replace(b"home", b"\xe0\x81\xa8ome"), GOOD),
    Case("UTF-8: a letter of the site in four bytes", PLAIN.replace(b"home", b"\xf0\x80\x81\xa8ome"), "malformed_site"),
    Case("UTF-8: a letter of a field's name in two bytes", PLAIN.replace(b"site", b"\xc1\xb3ite"), GOOD),
    Case("UTF-8: a quoted digit in two bytes", PLAIN.replace(b"22.5", b'"\xc0\xb2\xc0\xb2.5"'), GOOD),
    Case("UTF-8: a quoted number and a zero in two bytes", PLAIN.replace(b"22.5", b'"22.5\xc0\x80"'), GOOD),
    Case("UTF-8: a bare digit in two bytes", PLAIN.replace(b"22.5", b"\xc0\xb2"), "not_json"),
    Case("UTF-8: a quotation mark in two bytes, inside a string", _OPEN + b',"x":"a\xc0\xa2b"}', GOOD),
    Case("UTF-8: a letter in two bytes behind a backslash", _OPEN + b',"x":"a\\\xc1\xaeb"}', "not_json"),
    Case("UTF-8: a letter in two bytes behind two backslashes", _OPEN + b',"x":"a\\\\\xc1\xaeb"}', GOOD),
    Case("UTF-8: half a surrogate pair", _OPEN + b',"x":"\xed\xa0\x80"}', GOOD),
    Case("UTF-8: half a surrogate pair in a field's name", _OPEN + b',"\xed\xa0\x80":1}', GOOD),
    Case("UTF-8: a code point beyond Unicode", _OPEN + b',"x":"\xf4\x90\x80\x80"}', GOOD),
    Case("UTF-8: a sequence of five bytes", _OPEN + b',"x":"\xf8\x88\x80\x80\x80"}', "not_json"),
    Case("UTF-8: a sequence that is cut off", _OPEN + b',"x":"\xe2\x82"}', "not_json"),
    Case("UTF-16: the first half of a pair takes a letter along", _utf16(',"x":"\ud83db"'), GOOD),
    Case("UTF-16: the first half of a pair takes a quote along", _utf16(',"x":"\ud83d"'), "not_json"),
    Case("UTF-16: the second half of a pair", _utf16(',"x":"\ude00"'), GOOD),
    Case("UTF-16: a first half takes half of a pair along", _utf16(',"x":"\ud83d\U0001f600"'), GOOD),
    Case("UTF-16: half a pair behind the reading", _utf16() + b"\x3d\xd8", GOOD),
    Case("UTF-16: a byte behind the reading", _utf16() + b"}", GOOD),
    Case("UTF-16: a digit of an escape, by its lower byte", _escaped("\ue836").encode("utf-16-le"), GOOD),
    Case("UTF-16: two digits, by the lower bytes of a pair", _escaped("\U0001c036", "").encode("utf-16-le"), GOOD),
    Case("UTF-16: no digit of an escape, by its lower byte", _escaped("\ue867").encode("utf-16-le"), "not_json"),
    Case("UTF-32: a digit of an escape, by its lower byte", _escaped("\ue836").encode("utf-32-le"), GOOD),
    Case("UTF-8: no digit of an escape, though by its lower byte", _escaped("\ue836").encode(), "not_json"),
    Case("UTF-32: half a pair", _json(more=',"x":"@"').decode().replace("@", "\ud83d").encode(*_UTF32), GOOD),
    Case("UTF-32: two bytes behind the reading", _TEXT.encode(*_UTF32) + b"}}", GOOD),
    Case("UTF-32: no Unicode behind the reading", _TEXT.encode(*_UTF32) + b"\xff" * 4, "not_json"),
    Case("UTF-32: no Unicode 4000 characters behind", _TEXT.ljust(4000).encode(*_UTF32) + b"\xff" * 4, GOOD),
    Case("UTF-32: no Unicode 3999 characters behind", _TEXT.ljust(3999).encode(*_UTF32) + b"\xff" * 4, "not_json"),
)

# StreamReadConstraints. What is counted of a name is bytes in UTF-8, and 16-bit units elsewhere.
_LIMITS = (
    Case("limit: a name of 50,000 bytes", _json(more=f',"{"n" * 50_000}":1'), GOOD),
    Case("limit: a name of 50,001 bytes", _json(more=f',"{"n" * 50_001}":1'), "not_json"),
    Case("limit: a name of 25,001 letters of two bytes", _json(more=f',"{"é" * 25_001}":1'), "not_json"),
    Case("limit: the same name inside another field, in front", _json(site=f'{{"{"n" * 50_001}":1}}'), "not_json"),
    Case("limit: a name of 50,000 units in UTF-16", _utf16(f',"{"é" * 50_000}":1'), GOOD),
    Case("limit: a name of 50,001 units in UTF-16", _utf16(f',"{"é" * 50_001}":1'), "not_json"),
    Case("limit: 1000 levels", _json(more=f',"x":{"[" * 999}{"]" * 999}'), GOOD),
    Case("limit: 1001 levels", _json(more=f',"x":{"[" * 1000}{"]" * 1000}'), "not_json"),
    Case("limit: 1000 levels, one of them around the reading", _in_array(f',"x":{"[" * 998}{"]" * 998}'), GOOD),
    Case("limit: 1001 levels, one of them around the reading", _in_array(f',"x":{"[" * 999}{"]" * 999}'), "not_json"),
    Case("limit: 1000 levels of objects", _json(more=',"x":' + '{"a":' * 999 + "1" + "}" * 999), GOOD),
    Case("limit: brackets in a string are no levels", _json(more=f',"x":"{"[" * 3000}"'), GOOD),
    Case("limit: 3000 levels behind the reading", PLAIN + b"[" * 3000, GOOD),
)

OBSERVED = (*_VALUES, *_TIMES, *_NAMES, *_FIELDS, *_RECORDS, *_UNICODE, *_LIMITS)
"""Cases that a Flink 2.3 has been seen to decode in this way."""

_FROM_THE_CONTRACT = (
    Case("record: no value at all", None, "not_json"),
    Case("record: a no-break space in front", b"\xc2\xa0" + PLAIN, "not_json"),
    Case("record: a vertical tab in front", b"\x0b" + PLAIN, "not_json"),
    Case("record: another order", f'{{"value":22.5,"ts":{TS},"sensor":"TH1","site":"home"}}'.encode(), GOOD),
    Case("record: spaces between all tokens", _TEXT.replace(":", " : ").replace(",", " ,\n").encode(), GOOD),
    Case("field: a letter of its name escaped", PLAIN.replace(b'"site"', b'"\\u0073ite"'), GOOD),
    Case("field: an unknown one, 100 arrays deep", _json(more=f',"x":{"[" * 100}{"]" * 100}'), GOOD),
    Case(
        "field: a byte that is not UTF-8 within the last letters of value",
        PLAIN.replace(b"lue", b"lu\xffe"),
        "not_json",
    ),
    Case("field: a byte that is not UTF-8 in front of ts", PLAIN.replace(b'"ts', b'"\xffts'), "not_json"),
    Case("field: no sensor", f'{{"site":"home","ts":{TS},"value":1}}'.encode(), "missing_field"),
    Case("field: no ts", b'{"site":"home","sensor":"TH1","value":1}', "missing_field"),
    Case("ts: one hour after it was sent", _json(ts=str(LATEST)), _reads(ts=LATEST)),
    Case("ts: one hour and 1 ms after it was sent", _json(ts=str(LATEST + 1)), "future_ts"),
    Case("ts: one hour and 1 ms after it was sent, quoted", _json(ts=f'"{LATEST + 1}"'), "future_ts"),
    Case("ts: the largest 64-bit integer", _json(ts=str(2**63 - 1)), "future_ts"),
    Case("ts: the smallest 64-bit integer", _json(ts=str(-(2**63))), "negative_ts"),
    Case("ts: the largest unsigned 64-bit integer", _json(ts=str(2**64 - 1)), "future_ts"),
    Case("ts: below the 64-bit integers", _json(ts=str(-(2**64))), "negative_ts"),
    Case("ts: minus one, quoted", _json(ts='"-1"'), "negative_ts"),
    Case("ts: quoted NaN", _json(ts='"NaN"'), "wrong_type"),
    Case("ts: quoted Infinity", _json(ts='"Infinity"'), "wrong_type"),
    Case("ts: an ISO 8601 date", _json(ts='"2020-01-01T00:00:00Z"'), "wrong_type"),
    Case("value: the largest double", _json(value="1.7976931348623157e308"), _reads(value=1.7976931348623157e308)),
    Case("value: just beyond the doubles", _json(value="1.7976931348623159e308"), "not_finite"),
    Case("value: the lowest double", _json(value="-1.7976931348623157e308"), _reads(value=-1.7976931348623157e308)),
    Case("value: far below zero", _json(value="-1e400"), "not_finite"),
    Case("value: the double next to zero", _json(value="4.9e-324"), _reads(value=5e-324)),
    Case("value: negative", _json(value="-273.15"), _reads(value=-273.15)),
    Case("value: quoted -Infinity", _json(value='"-Infinity"'), "not_finite"),
    Case("value: quoted hexadecimal beyond the doubles", _json(value='"0x1p9999"'), "not_finite"),
    Case("value: quoted infinity in small letters", _json(value='"infinity"'), "wrong_type"),
    Case("value: quoted nan in small letters", _json(value='"nan"'), "wrong_type"),
    Case("value: quoted, an exponent without digits", _json(value='"1e"'), "wrong_type"),
    Case("value: quoted, a decimal comma", _json(value='"22,5"'), "wrong_type"),
    Case("value: quoted, a sign alone", _json(value='"-"'), "wrong_type"),
    Case("site: every kind of character that it may have", _json(site='"-A.z_9"'), _reads(site="-A.z_9")),
    Case("site: one character", _json(site='"x"'), _reads(site="x")),
    Case("site: with a colon, which parts the keys in Redis", _json(site='"a:b"'), "malformed_site"),
    Case("site: with a slash, which parts the keys in Kafka", _json(site='"a/b"'), "malformed_site"),
    Case("site: with a quotation mark", _json(site='"a\\"b"'), "malformed_site"),
    Case("site: with a zero byte", _json(site='"a\\u0000"'), "malformed_site"),
    Case("sensor: in small letters", _json(sensor='"th1"'), "unknown_sensor"),
    Case("sensor: empty", _json(sensor='""'), "unknown_sensor"),
    Case("sensor: a daily meter", _json(sensor='"Etot"'), _reads(sensor="Etot")),
    Case("sensor: motion", _json(sensor='"Mov1"', value="1"), _reads(sensor="Mov1", value=1.0)),
    Case("heartbeat: now", _beat(), []),
    Case("heartbeat: 1970", _beat(ts="0"), []),
    Case("heartbeat: another site", _beat(site='"cabin"'), []),
    Case("heartbeat: with an unknown field", _beat(more=',"x":1'), []),
    Case("heartbeat: one hour after it was sent", _beat(ts=str(LATEST)), []),
    Case("heartbeat: one hour and 1 ms after it was sent", _beat(ts=str(LATEST + 1)), "future_ts"),
    Case("heartbeat: the largest 64-bit integer", _beat(ts=str(2**63 - 1)), "future_ts"),
    Case("heartbeat: negative", _beat(ts="-1"), "negative_ts"),
    Case("heartbeat: a fraction of a millisecond", _beat(ts=f"{TS}.5"), "wrong_type"),
    Case("heartbeat: its time is text", _beat(ts='"now"'), "wrong_type"),
    Case("heartbeat: no value", _beat(value="null"), "missing_field"),
    Case("heartbeat: quoted NaN", _beat(value='"NaN"'), "not_finite"),
    Case("heartbeat: malformed site", _beat(site='"a b"'), "malformed_site"),
    Case("heartbeat: two in an array", b"[" + _beat() + b"," + _beat() + b"]", []),
    Case("heartbeat: beside a reading", b"[" + _beat() + b"," + PLAIN + b"]", GOOD),
    Case("heartbeat: in capitals", _json(sensor='"Heartbeat"'), "unknown_sensor"),
)

CASES: list[Case] = [*OBSERVED, *_TWICE, *_NESTED, *_FROM_THE_CONTRACT]
"""Every case; the names are unique."""
