"""What the text of a cell says: a time, a value, or why it is none.

Each rule looks at one cell alone. Where pandas has taken a whole column for numbers, it has taken it as these rules
would; a column that it could not take comes here as text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from infrastructure.settings import milliseconds
from topics.reading import LATEST_TS, Invalid, after_9999, before_1970

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_INTEGER = re.compile(r"[+-]?\d{1,30}(\.0*)?", re.ASCII)
_ISO = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.(?P<fraction>\d+))?)?(Z|[+-]\d\d(:?\d\d)?)?)?",
    re.ASCII,
)
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN = 80


def epoch_ms(text: str) -> int | Invalid:
    """A time as epoch milliseconds: digits are just these, anything else is ISO 8601, UTC where no offset stands."""
    text = text.strip()
    if not text:
        return Invalid("missing_field", "ts is empty")
    if _INTEGER.fullmatch(text):
        ts = int(text.partition(".")[0])
    elif match := _ISO.fullmatch(text):
        if (match["fraction"] or "")[3:].strip("0"):
            return Invalid("wrong_type", f"ts {text[:_SHOWN]} is not a whole number of milliseconds")
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            return Invalid("wrong_type", f"ts {text[:_SHOWN]}: {error}")
        ts = milliseconds((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH)
    else:
        return Invalid("wrong_type", f"ts {text[:_SHOWN]!r} is neither epoch milliseconds nor ISO 8601")
    return out_of_range(ts) or ts


def out_of_range(ts: int) -> Invalid | None:
    """Why a time is none that a reading can have."""
    if ts < 0:
        return before_1970(ts)
    if ts > LATEST_TS:
        return after_9999(ts)
    return None


def number(text: str) -> float | Invalid:
    """A value: a finite decimal number, with a point."""
    text = text.strip()
    if not text:
        return Invalid("missing_field", "value is empty")
    if not _DECIMAL.fullmatch(text):
        if _NOT_FINITE.fullmatch(text):
            return not_finite(text)
        return Invalid("wrong_type", f"value {text[:_SHOWN]!r} is no number")
    value = float(text)
    return value if isfinite(value) else not_finite(text)


def not_finite(value: object) -> Invalid:
    """A value that is NaN, infinite, or beyond the doubles."""
    return Invalid("not_finite", f"value {str(value)[:_SHOWN]} is not a finite number")


class Values(NamedTuple):
    """A column of values; ``empty`` marks those that are missing, ``wrong`` says by position why one is no value."""

    value: Floats
    empty: NDArray[np.bool_]
    wrong: dict[int, Invalid]


def times(cells: pd.Series) -> tuple[Ints, dict[int, Invalid]]:
    """A column of text by ``epoch_ms``: the times, 0 where there is none, and by position why there is none."""
    found, wrong = _by_rule(cells, epoch_ms)
    return np.array(found, dtype=np.int64), wrong


def values(cells: pd.Series) -> Values:
    """A column of text by ``number``: the values, 0 where there is none."""
    found, refused = _by_rule(cells, number)
    empty = np.zeros(len(cells), dtype=bool)
    empty[[position for position, why in refused.items() if why.reason == "missing_field"]] = True
    wrong = {position: why for position, why in refused.items() if not empty[position]}
    return Values(np.array(found, dtype=np.float64), empty, wrong)


def names(codes: NDArray[np.integer[Any]], different: Iterable[object]) -> tuple[Ints, tuple[str, ...]]:
    """A column of names, given as indices into its different cells: as indices into the names, -1 where there is none.

    A code of -1 stands for a cell that is missing; an empty cell names nothing either.
    """
    found = tuple(str(cell).strip() for cell in different)
    index = np.append([number if name else -1 for number, name in enumerate(found)], -1).astype(np.int64)
    return index[codes], found


def _by_rule(
    cells: pd.Series, rule: Callable[[str], int | float | Invalid]
) -> tuple[NDArray[np.object_], dict[int, Invalid]]:
    """Each cell by the rule, 0 in place of those that it refuses; a cell that is missing counts as empty."""
    codes, different = pd.factorize(cells, use_na_sentinel=True)
    verdicts = [rule(str(cell)) for cell in different.tolist()]  # pandas makes truth values of true and false
    verdicts.append(rule(""))  # code -1
    refused = np.array([isinstance(verdict, Invalid) for verdict in verdicts])
    accepted = np.array([0 if isinstance(verdict, Invalid) else verdict for verdict in verdicts], dtype=object)
    wrong = {position: verdicts[codes[position]] for position in np.flatnonzero(refused[codes]).tolist()}
    return accepted[codes], wrong
