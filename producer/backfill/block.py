"""A stretch of a file: the readings that its rows hold, and the rows that hold none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from producer.backfill.cells import Floats, Ints
from topics.names import DEFAULT_SITE
from topics.reading import Invalid


class Rejection(NamedTuple):
    """A row that was left out, or in the wide form one cell of it. ``line`` is its number in the file, from 1 on."""

    line: int
    invalid: Invalid


@dataclass(frozen=True)
class Block:
    """Readings in the order of the file, as columns of equal length, not judged yet beyond their types.

    ``line`` is where each one stands; ``site`` and ``sensor`` are indices into ``sites`` and ``sensors``; ``ts`` is in
    epoch ms. ``rows`` counts all rows of the stretch, those of ``rejections`` too, but no blank lines. ``found`` gives
    a row as it stands in the file, by its line. ``position`` is how many bytes of the file were read so far.
    """

    rows: int
    line: Ints
    site: Ints
    sites: tuple[str, ...]
    sensor: Ints
    sensors: tuple[str, ...]
    ts: Ints
    value: Floats
    rejections: list[Rejection]
    found: Callable[[int], str]
    position: int


class Cells(NamedTuple):
    """What the columns of a stretch say, still in the shape of the file.

    ``value`` is rows × columns of values; ``empty`` marks the cells without anything in them. ``site`` and ``sensor``
    are -1 where the cell is empty. ``wrong`` says of a row why it has no time, ``wrong_value`` of a row and column why
    there is no value.
    """

    line: Ints
    ts: Ints
    wrong: dict[int, Invalid]
    site: Ints
    sites: tuple[str, ...]
    sensor: Ints | None
    sensors: tuple[str, ...]
    value: Floats
    empty: NDArray[np.bool_]
    wrong_value: dict[tuple[int, int], Invalid]


def default_site(rows: int) -> tuple[Ints, tuple[str, ...]]:
    """The sites of rows that name none: for each an index into the names, and these."""
    return np.zeros(rows, dtype=np.int64), (DEFAULT_SITE,)


def readings(cells: Cells, rows: int, rejections: list[Rejection], found: Callable[[int], str], position: int) -> Block:
    """The readings that stand in ``cells``, row by row, and within a wide row from left to right.

    An empty cell of a wide row is no reading, and no fault; in the long form it is a missing field.
    """
    lines = cells.line.tolist()
    good = np.ones(len(cells.line), dtype=bool)
    wrong = dict(cells.wrong)
    for at in np.flatnonzero(cells.site < 0).tolist():
        wrong.setdefault(at, Invalid("missing_field", "site is empty"))
    if cells.sensor is not None:
        for at in np.flatnonzero(cells.sensor < 0).tolist():
            wrong.setdefault(at, Invalid("missing_field", "sensor is empty"))
        for at in np.flatnonzero(cells.empty[:, 0]).tolist():
            wrong.setdefault(at, Invalid("missing_field", "value is empty"))
    good[list(wrong)] = False
    there = ~cells.empty & good[:, np.newaxis]
    for (at, index), invalid in cells.wrong_value.items():
        if there[at, index]:
            there[at, index] = False
            name = f"{cells.sensors[index]}: " if cells.sensor is None else ""
            rejections.append(Rejection(lines[at], Invalid(invalid.reason, f"{name}{invalid}")))
    rejections.extend(Rejection(lines[at], invalid) for at, invalid in wrong.items())
    row, column = np.nonzero(there)
    return Block(
        rows=rows,
        line=cells.line[row],
        site=cells.site[row],
        sites=cells.sites,
        sensor=column.astype(np.int64) if cells.sensor is None else cells.sensor[row],
        sensors=cells.sensors,
        ts=cells.ts[row],
        value=cells.value[row, column],
        rejections=rejections,
        found=found,
        position=position,
    )
