"""How the records of dailyAggr are read: what topics/encoding.py writes at once, and all else as the job reads it.

The job's decoder (jobs/java/, ReadingDecoder) does the same: all else it reads with Flink's JSON decoder, which is
laxer than JSON. Where a laxity can be told from a proper reading, the job refuses it. Where it cannot, ``decode``
takes it too, so that both give the same verdict: quoted numbers as Java reads them, numbers and booleans as site
names, arrays of readings, trailing bytes, UTF-16, loose UTF-8 (topics/json_text.py), control characters in strings,
and of a field given twice the first one.
tests/validity.py has every case; scripts/fuzz/ looks for more.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from math import isfinite
from typing import Any

import msgspec

from topics.json_text import BYTES_OF_UTF8, encoding_of, text_of
from topics.reading import Heartbeat, Invalid, Reading, Rules, judge

Item = Reading | Heartbeat | Invalid
"""What a record holds."""


class Exact(msgspec.Struct, gc=False):
    """The fields of a record that is written as the contract has it; not yet judged."""

    site: str
    sensor: str
    ts: int
    value: float


_decode_exact = msgspec.json.Decoder(Exact).decode
_QUOTES_OF_EXACT = 12

# What Jackson reads at most (StreamReadConstraints).
_NUMBER_LENGTH = 1000
"""Digits of a number."""
_NAME_LENGTH = 50_000
"""Bytes of a field's name in UTF-8, or 16-bit units of it where the record is in UTF-16 or UTF-32."""
_STRING_LENGTH = 20_000_000
"""Characters of a string that is looked at."""
_DEPTH = 1000
"""Arrays and objects inside of each other."""


def decode(message: bytes | None, received: int, rules: Rules) -> list[Item]:
    """Decode the value of one record of dailyAggr; ``received`` is the record's timestamp in epoch milliseconds.

    A record holds one reading, or a heartbeat. (An array of readings, which no producer should send, holds several, up
    to the first that is none.)
    Never raises for what the bytes are: what is wrong comes back as ``Invalid``.
    """
    if (found := exact(message)) is not None:
        return [judge(Reading(found.site, found.sensor, found.ts, found.value), received, rules)]
    return decode_loosely(message, received, rules)


def decode_loosely(message: bytes | None, received: int, rules: Rules) -> list[Item]:
    """As ``decode``, of a record that ``exact`` does not take."""
    return [item if isinstance(item, Invalid) else _reading(item, received, rules) for item in _objects(message)]


def exact(message: bytes | None) -> Exact | None:
    """A record's fields when it is written as the contract has it: fast, and what nearly all are."""
    # Twelve quotes are four names and two strings: no field is there twice, and none is unknown.
    if message is None or len(message) >= _NUMBER_LENGTH or message.count(b'"') != _QUOTES_OF_EXACT:
        return None
    try:
        return _decode_exact(message)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _reading(fields: dict[str, Any], received: int, rules: Rules) -> Item:
    if missing := [name for name in Reading._fields if fields.get(name) is None]:
        return Invalid("missing_field", f"no {', '.join(missing)}")
    site, sensor = _text(fields["site"]), _text(fields["sensor"])
    ts, value = _number(fields["ts"]), _number(fields["value"])
    if site is None or sensor is None or ts is None or value is None:
        wrong = [n for n, v in zip(Reading._fields, (site, sensor, ts, value), strict=True) if v is None]
        return Invalid("wrong_type", f"{', '.join(wrong)} of another type")
    if not isfinite(ts):
        return Invalid("wrong_type", "ts is not an integer")
    if ts != int(ts):
        return Invalid("wrong_type", f"ts {ts} is not a whole number of milliseconds")
    return judge(Reading(site, sensor, int(ts), value), received, rules)


_FIELDS = frozenset(Reading._fields)


class _Number(str):
    """A JSON number, as it was written."""

    __slots__ = ()


def _number_token(text: str) -> _Number:
    if len(text) > _NUMBER_LENGTH and sum(map(str.isdecimal, text)) > _NUMBER_LENGTH:
        raise ValueError("a number of more than 1000 digits")
    return _Number(text)


def _fields(pairs: list[tuple[str, Any]], encoding: str, unit: int) -> dict[str, Any]:
    """The fields that count, as Flink's decoder takes them: it has seen enough after as many as its table has."""
    for name, _ in pairs:
        if len(name) > _NAME_LENGTH // 4 and len(name.encode(encoding, "surrogatepass")) > _NAME_LENGTH * unit:
            raise ValueError("a name that is too long")
    return dict([pair for pair in pairs if pair[0] in _FIELDS][: len(_FIELDS)])


def _not_a_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _lax(encoding: str, unit: int) -> json.JSONDecoder:
    """A decoder as lax as Jackson; names are as long as they are in an ``encoding`` of so many bytes a ``unit``."""
    return json.JSONDecoder(
        strict=False,
        parse_int=_number_token,
        parse_float=_number_token,
        parse_constant=_not_a_constant,
        object_pairs_hook=lambda pairs: _fields(pairs, encoding, unit),
    )


_utf8 = _lax("utf-8", 1)
_wide = _lax("utf-16-le", 2)


def _objects(message: bytes | None) -> Iterator[dict[str, Any] | Invalid]:
    """The JSON objects of a record, up to the first thing that is none."""
    if not message:
        yield Invalid("not_json", "empty")
        return
    encoding = encoding_of(message)
    text = text_of(message, encoding)
    is_utf8 = encoding in BYTES_OF_UTF8
    deep = text.count("[") + text.count("{") > _DEPTH // 2
    if deep:
        # Python's limit counts whoever calls, too. It is never lowered again: another thread may be that deep.
        sys.setrecursionlimit(max(sys.getrecursionlimit(), 4 * _DEPTH))
    position = _skip_blanks(text, 0)
    several = text[position : position + 1] == "["
    while True:
        position = _skip_blanks(text, position + several)
        if deep and _too_deep(text, position, _DEPTH - several):
            yield Invalid("not_json", f"not JSON: more than {_DEPTH} arrays or objects inside of each other")
            return
        try:
            found, end = (_utf8 if is_utf8 else _wide).raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            yield Invalid("not_json", f"not JSON: {error}"[:200])
            return
        if is_utf8 and any("\udc80" <= c <= "\udcff" for c in text[position:end]):
            yield Invalid("not_json", "not JSON: invalid UTF-8")
            return
        if not isinstance(found, dict):
            yield Invalid("not_json", "not a JSON object")
            return
        yield found
        position = _skip_blanks(text, end)
        if not several or text[position : position + 1] == "]":
            return
        if text[position : position + 1] != ",":
            yield Invalid("not_json", "not JSON: an array that does not end")
            return


_BRACKETS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)


def _too_deep(text: str, position: int, most: int) -> bool:
    """Whether the value that begins there has more than ``most`` arrays and objects inside of each other."""
    depth = 0
    for found in _BRACKETS.finditer(text, position):
        if found[0] in "[{":
            depth += 1
            if depth > most:
                return True
        elif found[0] in "]}":
            depth -= 1
            if depth <= 0:
                return False
    return False


def _skip_blanks(text: str, position: int) -> int:
    while text[position : position + 1] in (" ", "\t", "\r", "\n"):
        position += 1
    return position


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str) else None


_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[fFdD]?", re.ASCII)
_HEXADECIMAL = re.compile(r"[+-]?0[xX]([0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?\d+[fFdD]?", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(NaN|Infinity)")
_BLANK = "".join(map(chr, range(33)))


def _number(value: Any) -> float | None:
    """A number, or a string that Java's Double.parseDouble reads; None for anything else."""
    if not isinstance(value, str) or len(value) > _STRING_LENGTH:
        return None
    text = value.strip(_BLANK)
    if _DECIMAL.fullmatch(text):
        return float(text.rstrip("fFdD"))
    if _NOT_FINITE.fullmatch(text):
        return float("nan")
    if _HEXADECIMAL.fullmatch(text):
        try:
            return float.fromhex(text.rstrip("fFdD"))
        except OverflowError:
            return float("inf")
    return None
