"""Which column of a file holds what, and in which of the two forms its readings stand."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from topics.errors import UserError

FIELDS = ("sensor", "ts", "value", "site")
"""What a column can hold, besides the readings of one sensor."""

_SHOWN = 20


class ColumnsError(UserError):
    """The columns of a file are not those of either form, or ``--columns`` is malformed."""


@dataclass(frozen=True)
class Layout:
    """Where the columns of a file are, by position, the first being 0.

    In the long form a row is one reading, of the sensor that it names. In the wide form ``readings`` holds a column for
    each of ``sensors``; in the long form ``readings`` is one column and ``sensors`` is empty.
    """

    names: tuple[str, ...]
    ts: int
    site: int | None
    sensor: int | None
    readings: tuple[int, ...]
    sensors: tuple[str, ...]

    @property
    def used(self) -> tuple[int, ...]:
        """Every column that is looked at, in ascending order."""
        return tuple(sorted({c for c in (self.ts, self.site, self.sensor, *self.readings) if c is not None}))


def parse_columns(text: str | None, sensors: Collection[str]) -> dict[str, str]:
    """``--columns`` as a map from the file's names to ours: ``ts=time,value=reading`` gives time: ts, reading: value.

    Raises ``ColumnsError`` for anything that is not of this form, and for a name of ours that is neither a field nor
    one of ``sensors``.
    """
    found: dict[str, str] = {}
    for pair in text.split(",") if text else ():
        ours, equals, theirs = (part.strip() for part in pair.partition("="))
        if not (ours and equals and theirs):
            raise ColumnsError(f"--columns {text}: give pairs NAME=COLUMN, for instance ts=time,value=reading")
        if ours not in FIELDS and ours not in sensors:
            raise ColumnsError(f"--columns {text}: {ours} is none of {', '.join(FIELDS)}, and no sensor")
        if ours in found.values() or theirs in found:
            raise ColumnsError(f"--columns {text}: {pair.strip()} names something a second time")
        found[theirs] = ours
    return found


def layout(file: str, header: Sequence[str], columns: Mapping[str, str]) -> Layout:
    """Find out the form of a file from its column names; columns without a name are left out.

    Raises ``ColumnsError`` that lists the columns found and what is wanted.
    """
    given = [name.strip() for name in header]
    if missing := [theirs for theirs in columns if theirs not in given]:
        raise ColumnsError(f"{file} has no column {', '.join(missing)}, which --columns names. {_found(given)}")
    # What --columns calls ts is ts, and a column of the file that is called so by chance is another one.
    taken = set(columns.values())
    names = tuple(columns.get(name, "" if name in taken else name) for name in given)
    if doubled := sorted({name for name in names if name and names.count(name) > 1}):
        raise ColumnsError(f"{file} has more than one column {', '.join(doubled)}. {_found(given)}")
    at = {name: position for position, name in enumerate(names) if name}
    if {"sensor", "ts", "value"} <= at.keys():
        return Layout(names, at["ts"], at.get("site"), at["sensor"], (at["value"],), ())
    sensors = [name for name in at if name not in FIELDS]
    if "ts" not in at or "sensor" in at or "value" in at or not sensors:
        raise ColumnsError(
            f"{file}: {_found(given)} Wanted is either sensor, ts and value (a row is a reading), or ts and one column "
            "for each sensor; both with or without site. The first line names the columns, and commas separate them. "
            "Other names are given like this: --columns ts=time,value=reading"
        )
    return Layout(names, at["ts"], at.get("site"), None, tuple(at[name] for name in sensors), tuple(sensors))


def _found(header: Sequence[str]) -> str:
    more = f" and {len(header) - _SHOWN} more" if len(header) > _SHOWN else ""
    return f"Its columns are: {', '.join(name[:80] or '(no name)' for name in header[:_SHOWN])}{more}."
