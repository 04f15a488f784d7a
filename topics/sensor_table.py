"""What a table of the sensor catalogue must look like, and what is wrong with one, in words.

The fields, their types and what they may be stand in the structs of topics/catalogue.py alone.
"""

from __future__ import annotations

import datetime as dt
import types
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

from topics.wording import listed

MOST_LETTERS = 64
"""Of a sensor's name."""

_TOO_LARGE = 2**63

_LATE = "[{ every = 20, delay = 192 }]"


def nearest(name: str, there: Mapping[str, object] | tuple[str, ...]) -> str:
    """The name that somebody may have meant, as `` (…?)``; empty where none is near."""
    by_lower = {each.lower(): each for each in there}
    found = get_close_matches(name.lower(), by_lower, n=1)
    return f" ({by_lower[found[0]]}?)" if found else ""


def wrong_name(name: str) -> str | None:
    """Why a sensor cannot be called that."""
    if wrong := [c for c in dict.fromkeys(name) if not (c.isascii() and c.isalnum())]:
        return f"a name is ASCII letters and digits alone, without {listed([repr(c) for c in wrong])}"
    if not name:
        return "a name is empty, and must be letters and digits"
    if len(name) > MOST_LETTERS:
        return f"a name has at most {MOST_LETTERS} letters and digits, and this one {len(name):,}"
    return None


def mistakes(name: str, table: object, struct: type[msgspec.Struct]) -> Iterator[str]:
    """A sentence for each thing that keeps a table from being a ``struct``; nothing when it is one."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct) if field.name != "name"}
    if not isinstance(table, dict):
        if name in fields:
            yield "it stands above the first sensor: the line with the sensor's name goes before it, as [TH1]"
        elif isinstance(table, list) and any(isinstance(each, dict) for each in table):
            yield f"it is a list of tables: write [{name}], not [[{name}]]"
        else:
            yield f"it is {_kind(table)}, and must be a table: [{name}], and its fields below"
        return
    meant = set[str]()
    for key, value in table.items():
        if key not in fields:
            if isinstance(value, dict):
                yield f"there is a table {key} in it: each sensor is a table of its own, and its name has no dot"
                return
            meant.add(nearest(key, fields))
            yield f"there is no field {key}{nearest(key, fields)}; there are {', '.join(fields)}"
        elif wrong := _wrong_value(key, value, fields[key].type):
            yield wrong
    required = [each for each, field in fields.items() if field.required]
    missing = [each for each in required if each not in table and f" ({each}?)" not in meant]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        yield f"{', '.join(missing)} {verb} missing; what must be there is {', '.join(required)}"


def _wrong_value(key: str, value: object, wanted: Any) -> str | None:
    """What is wrong with a value; ``wanted`` is its field's type."""
    options = get_args(wanted)
    if get_origin(wanted) is Literal:
        if value in options and isinstance(value, str):
            return None
        near = nearest(value, options) if isinstance(value, str) else ""
        return f"{key} is {_shown(value)}{near}, and must be one of {', '.join(map(_shown, options))}"
    if get_origin(wanted) in (Union, types.UnionType):  # a field that may be left out
        return _wrong_value(key, value, options[0])
    if get_origin(wanted) is tuple:
        return _wrong_list(key, value, options[0])
    fits = {
        str: isinstance(value, str),
        int: isinstance(value, int) and not isinstance(value, bool),
        float: isinstance(value, int | float) and not isinstance(value, bool),
    }
    if fits[wanted]:
        large = isinstance(value, int) and abs(value) >= _TOO_LARGE
        return f"{key} is too large a number ({_shown(value)})" if large else None
    what = {str: "text, in quotes", int: "a whole number", float: "a number"}[wanted]
    given = _shown(value) if isinstance(value, bool) else _kind(value)
    more = "" if isinstance(value, bool | list | dict) else f" ({_shown(value)})"
    return f"{key} is {given}{more}, and must be {what}"


def _wrong_list(key: str, value: object, struct: type[msgspec.Struct]) -> str | None:
    if not isinstance(value, list):
        return f"{key} is {_kind(value)}, and must be a list of tables, as {_LATE}"
    for number, item in enumerate(value, 1):
        if not isinstance(item, dict):
            return f"{key}, item {number}: it is {_kind(item)}, and must be a table, as in {_LATE}"
        for wrong in mistakes("", item, struct):
            return f"{key}, item {number}: {wrong}"
    return None


def _kind(value: object) -> str:
    """What a value of TOML is."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, dt.date | dt.time):
        return "a date or time"
    return "text" if isinstance(value, str) else "a list" if isinstance(value, list) else "a table"


def _shown(value: object) -> str:
    """A value as TOML has it, not longer than a message bears."""
    text = f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
