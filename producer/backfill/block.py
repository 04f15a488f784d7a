"""A stretch of a file: the readings that its rows hold, and the rows that hold none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from producer.backfill.cells import Floats, Ints, Values
from producer.backfill.columns import Layout
from topics.names import DEFAULT_SITE
from topics.reading import Invalid

Column = TypeVar("Column")


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

    @classmethod
    def of(
        cls,
        layout: Layout,
        columns: Mapping[int, Column],
        line: Ints,
        *,
        times: Callable[[Column], tuple[Ints, dict[int, Invalid]]],
        values: Callable[[Column], Values],
        names: Callable[[Column], tuple[Ints, tuple[str, ...]]],
    ) -> Cells:
        """Read the columns of a layout, given by position, in the way that fits their file."""
        ts, wrong = times(columns[layout.ts])
        value = np.empty((len(line), len(layout.readings)))
        empty = np.empty(value.shape, dtype=bool)
        wrong_value: dict[tuple[int, int], Invalid] = {}
        for index, place in enumerate(layout.readings):
            value[:, index], empty[:, index], faults = values(columns[place])
            wrong_value |= {(row, index): fault for row, fault in faults.items()}
        site: Ints = np.zeros(len(line), dtype=np.int64)
        sites: tuple[str, ...] = (DEFAULT_SITE,)
        if layout.site is not None:
            site, sites = names(columns[layout.site])
        sensor, sensors = None, layout.sensors
        if layout.sensor is not None:
            sensor, sensors = names(columns[layout.sensor])
        return cls(line, ts, wrong, site, sites, sensor, sensors, value, empty, wrong_value)


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
