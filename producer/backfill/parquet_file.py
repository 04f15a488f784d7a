"""A Parquet file as blocks of readings."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from producer.backfill.block import Block, Cells, readings
from producer.backfill.cells import Ints, Values, names, times, values
from producer.backfill.columns import Layout, layout
from producer.backfill.lines import Truncated
from topics.errors import UserError
from topics.reading import Invalid

BLOCK_ROWS = 65_536

_PER_MS = {"us": 1_000, "ns": 1_000_000}


@dataclass(frozen=True)
class ParquetFile:
    """One file and its layout. Its lines are its rows, the first one being 1."""

    path: Path
    layout: Layout

    def blocks(self, size: int = BLOCK_ROWS) -> Iterator[Block]:
        """The file from its first row to its last, in blocks of ``size`` rows of the form, or fewer.

        Raises ``Truncated`` where its data cannot be read on.
        """
        whole = self.path.stat().st_size
        # A wide row is many readings.
        size = max(1, size // len(self.layout.readings))
        try:
            with pq.ParquetFile(self.path, pre_buffer=False) as file:
                used = [file.schema_arrow.names[column] for column in self.layout.used]
                total, first = file.metadata.num_rows, 1
                for batch in file.iter_batches(size, columns=used, use_threads=False):
                    rows = batch.num_rows
                    yield self._block(batch, first, whole * (first + rows - 1) // total)
                    first += rows
        except (pa.ArrowException, OSError) as error:
            raise Truncated(f"its Parquet data cannot be read on: {error}") from error

    def _block(self, batch: Any, first: int, position: int) -> Block:
        rows = batch.num_rows
        columns = dict(zip(self.layout.used, batch.columns, strict=True))
        line = np.arange(first, first + rows)
        cells = Cells.of(self.layout, columns, line, times=_times, values=_values, names=_names)
        return readings(cells, rows, [], lambda number: _shown(batch, number - first), position)


def open_parquet(path: Path, columns: Mapping[str, str]) -> ParquetFile:
    """Read the schema of a Parquet file. ``columns`` maps names of the file to ours.

    Raises ``UserError`` when it cannot be read, or when its columns are not what is wanted.
    """
    try:
        header = pq.read_schema(path).names
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} cannot be read as Parquet: {error}") from error
    return ParquetFile(path, layout(str(path), header, columns))


def _times(column: Any) -> tuple[Ints, dict[int, Invalid]]:
    kind = column.type
    if pa.types.is_date(kind):
        column = column.cast(pa.timestamp("ms"))
        kind = column.type
    if not (pa.types.is_timestamp(kind) or (pa.types.is_integer(kind) and kind != pa.uint64())):
        return times(_as_text(column))
    # Arrow keeps instants in UTC whatever their time zone; those without one are UTC by our rule.
    given = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    empty = np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))
    wrong = {row: Invalid("missing_field", "ts is empty") for row in empty.tolist()}
    unit = kind.unit if pa.types.is_timestamp(kind) else "ms"
    if unit == "s":
        given = given * 1000  # Parquet itself has no seconds: they fit, since they are kept as milliseconds
    elif per_ms := _PER_MS.get(unit):
        ts, rest = np.divmod(given, per_ms)
        for row in np.flatnonzero(rest).tolist():
            detail = f"ts {column[row].value} {unit} is not a whole number of milliseconds"
            wrong.setdefault(row, Invalid("wrong_type", detail))
        given = ts
    return given, wrong


def _values(column: Any) -> Values:
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return values(_as_text(column))
    if column.type == pa.float16():
        column = column.cast(pa.float32())
    found = column.cast(pa.float64(), safe=False).fill_null(0).to_numpy(zero_copy_only=False)
    return Values(found, column.is_null().to_numpy(zero_copy_only=False), {})


def _names(column: Any) -> tuple[Ints, tuple[str, ...]]:
    return names(*pd.factorize(_as_text(column), use_na_sentinel=True))


def _as_text(column: Any) -> pd.Series:
    """A column as text, None where it holds nothing."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    cells = column.to_pylist()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return pd.Series(cells, dtype=object)
    return pd.Series([None if cell is None else str(cell) for cell in cells], dtype=object)


def _shown(batch: Any, row: int) -> str:
    """A row as CSV; what it holds in the columns that are looked at."""
    line = StringIO()
    csv.writer(line, lineterminator="").writerow(_cell(column[row]) for column in batch.columns)
    return line.getvalue()


def _cell(cell: Any) -> Any:
    try:
        return cell.as_py()
    except (OverflowError, ValueError):  # an instant that Python has no datetime for
        return cell.value
