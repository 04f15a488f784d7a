"""Dead letters as a file that a person or a script can repair: one JSON object a line.

    {"origin":"dailyAggr 0 812","received":"…","reason":"wrong_type","detail":"…","key":"TH1","value":{"site":"home",…}}

``value`` is the record itself where it is a JSON object, so that a field is repaired in its place; text that is none
stands there as a string, and ``base64`` holds bytes that are not UTF-8. To repair a record is to change ``value``, or
to put a ``value`` in the place of ``base64``. ``origin`` names the dead letter and stays; the rest is there to be read.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec

from operations.dead_letters.letters import Letter
from operations.dead_letters.shown import shown
from topics.errors import UserError
from topics.origin import Origin

_MOST_LEVELS = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Line(msgspec.Struct, omit_defaults=True):
    origin: str
    received: str = ""
    reason: str = ""
    detail: str = ""
    key: str | None = None
    value: msgspec.Raw = msgspec.Raw()
    base64: str | None = None


_decode = msgspec.json.Decoder(_Line).decode
_encode = msgspec.json.Encoder().encode


class Repaired(NamedTuple):
    """A line of the file: which dead letter it is, and the value that its record is to have."""

    line: int
    origin: Origin
    value: bytes | None


def utc(timestamp: int) -> str:
    """Epoch ms as ISO 8601 with milliseconds, UTC; what no calendar holds stays a number."""
    try:
        return (
            f"{(_EPOCH + timedelta(milliseconds=timestamp)).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
        )
    except OverflowError:
        return str(timestamp)


def write(path: Path, letters: Iterable[Letter], *, force: bool) -> int:
    """Write letters; returns how many. The file appears when it is complete.

    Letters without an origin are left out. Raises ``UserError`` when the file is there and ``force`` does not say to
    replace it, or when it cannot be written.
    """
    if path.exists() and not force:
        raise UserError(f"{path} is there: --force replaces it, with what was repaired in it")
    part = path.with_name(path.name + ".part")
    count = 0
    try:
        with part.open("wb") as file:
            for letter in letters:
                if letter.origin is not None:
                    file.write(_encode(_line(letter, letter.origin)) + b"\n")
                    count += 1
        part.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return count


def read(path: Path) -> list[Repaired]:
    """The lines of a file; empty ones are skipped. Raises ``UserError`` that names a line that is none."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    repaired = []
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            line = _decode(text)
            value = _bytes(line)
        except (ValueError, RecursionError) as error:
            raise UserError(
                f"{path}, line {number:,} is no dead letter as `iot deadletter --output FILE` writes one: {_why(error)}"
            ) from error
        if (origin := Origin.parse(line.origin)) is None:
            raise UserError(f"{path}, line {number}: origin {shown(line.origin, 80)!r} names no record")
        repaired.append(Repaired(number, origin, value))
    return repaired


def _why(error: ValueError | RecursionError) -> str:
    """What is wrong with a line that cannot be read."""
    match error:
        case msgspec.ValidationError():
            return "it must have origin, which is text, and value or base64"
        case UnicodeDecodeError():
            return "it is not UTF-8"
        case msgspec.DecodeError() | RecursionError():
            return "it is not one JSON object: a quote, a comma or a bracket may be missing"
    return "what stands as base64 is none"


def _line(letter: Letter, origin: Origin) -> _Line:
    line = _Line(
        str(origin),
        utc(letter.received),
        letter.reason,
        letter.detail,
        None if letter.key is None else letter.key.decode(errors="backslashreplace"),
    )
    if letter.value is None:
        line.value = msgspec.Raw(b"null")
        return line
    try:
        text = letter.value.decode()
    except UnicodeDecodeError:
        line.base64 = base64.b64encode(letter.value).decode()
    else:
        line.value = msgspec.Raw(letter.value if _fits(letter.value) else _encode(text))
    return line


def _fits(value: bytes) -> bool:
    """Whether a record can stand in the line as it is: a JSON object in one line, of which nobody's decoder tires."""
    if not (value.startswith(b"{") and value.endswith(b"}")) or b"\n" in value or b"\r" in value:
        return False
    if value.count(b"[") + value.count(b"{") > _MOST_LEVELS:
        return False
    try:
        msgspec.json.decode(b"[" + value + b"]", type=tuple[msgspec.Raw])
    except msgspec.DecodeError:
        return False
    return True


def _bytes(line: _Line) -> bytes | None:
    """The record that a line stands for. Raises ``ValueError`` when it stands for none."""
    raw = bytes(line.value)
    if not raw:  # what was repaired goes before the bytes that it replaces
        return None if line.base64 is None else base64.b64decode(line.base64, validate=True)
    if raw == b"null":
        return None
    return msgspec.json.decode(raw, type=str).encode() if raw.startswith(b'"') else raw
