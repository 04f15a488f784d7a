"""A CSV file, plain or packed with gzip, as blocks of readings.

Files of sensors have no line breaks inside their fields, so every line of the file is a row: an unclosed quote can
spoil its own line and no other. pandas gets the lines that it can take without a doubt, and those are nearly all; the
others are looked at one by one.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from producer.backfill.block import Block, Cells, Rejection, readings
from producer.backfill.cells import Ints, Values, names, times, values
from producer.backfill.columns import Layout, layout
from producer.backfill.lines import LONGEST, Truncated, decoded, whole_lines
from topics.errors import UserError
from topics.reading import Invalid

BLOCK_BYTES = 4_000_000
"""Bytes that are read at once: some 100,000 readings."""

_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
# Quotes, control characters other than the tab, and what is not ASCII: a line with one of these is looked at.
_UNUSUAL = np.array([(b < 32 and b not in {9, 10}) or b == 34 or b > 126 for b in range(256)])
_NO_CELL = re.compile(r'[,"\x00-\x08\x0a-\x1f\x7f]')


@dataclass(frozen=True)
class CsvFile:
    """One file and its layout; ``header`` are its column names as they stand there, on line ``header_line``."""

    path: Path
    layout: Layout
    header: tuple[str, ...]
    header_line: int

    def blocks(self, size: int = BLOCK_BYTES) -> Iterator[Block]:
        """The file from its first row to its last, in blocks of about ``size`` bytes.

        Raises ``Truncated`` behind the last block when packed data break off.
        """
        number = 1
        for data, position, whole in whole_lines(self.path, size):
            yield self._block(data, number, position, whole=whole)
            number += data.count(b"\n")

    def _block(self, data: bytes, first: int, position: int, *, whole: bool) -> Block:
        data = data.replace(b"\r\n", b"\n")  # a carriage return alone is unusual, and such lines take longer
        lines = _Lines(data)
        begin = max(0, self.header_line + 1 - first)
        plain = lines.plain(len(self.header))
        plain[:begin] = False
        rejections: list[Rejection] = []
        mended: dict[int, bytes] = {}
        blank = 0
        odd = np.flatnonzero(~plain)
        for index in odd[odd >= begin].tolist():
            cut = not whole and index == len(lines) - 1
            verdict = self._mended(lines[index], cut=cut)
            if isinstance(verdict, bytes):
                mended[index] = verdict
            elif verdict is None:
                blank += 1
            else:
                rejections.append(Rejection(first + index, verdict))
        plain[list(mended)] = True
        if not whole and plain[-1]:
            plain[-1] = False
            rejections.append(Rejection(first + len(lines) - 1, Invalid("cut_off", "the file breaks off in this line")))
        taken = np.flatnonzero(plain)
        rows = len(lines) - min(begin, len(lines)) - blank
        cells = self._cells(lines.text(taken, mended), taken + first)
        for row in cells.wrong:
            if self._is_header(fields := _fields(lines[int(taken[row])])):
                cells.wrong[row] = Invalid("repeated_header", f"the header again: {', '.join(fields)[:200]}")
        return readings(cells, rows, rejections, lambda number: decoded(lines[number - first]), position)

    def _mended(self, line: bytes, *, cut: bool) -> bytes | Invalid | None:
        """A line that is not plain as one that is, with empty fields where nobody looks; None for a blank line."""
        if len(line) > LONGEST:
            return Invalid("too_long", f"more than {LONGEST:,} bytes without a line break")
        line = line.rstrip(b"\r")
        if not line.strip():
            return None
        if cut:
            return Invalid("cut_off", "the file breaks off in this line")
        try:
            fields = _fields(line)
        except UnicodeDecodeError as error:
            return Invalid("not_utf8", f"byte {error.start + 1} of the line is not UTF-8")
        except csv.Error as error:
            return Invalid("bad_quote", f"a quote is not closed, or text follows it: {error}")
        if self._is_header(fields):
            return Invalid("repeated_header", f"the header again: {', '.join(fields)[:200]}")
        if len(fields) != len(self.header):
            reason = "cut_off" if len(fields) < len(self.header) else "too_many_fields"
            return Invalid(reason, f"{len(fields)} fields, the header has {len(self.header)}")
        kept = [""] * len(fields)
        for column in self.layout.used:
            if _NO_CELL.search(fields[column]):
                return Invalid("wrong_type", f"{self.layout.names[column]} is {fields[column][:80]!r}")
            kept[column] = fields[column]
        return ",".join(kept).encode()

    def _is_header(self, fields: list[str]) -> bool:
        return len(fields) == len(self.header) and tuple(field.strip() for field in fields) == self.header

    def _cells(self, text: bytes, line: Ints) -> Cells:
        places, width = self.layout, len(self.header)
        numeric = {places.ts, *places.readings}
        frame = _frame(text, width, {c: "category" for c in places.used if c not in numeric}, places.used)
        if len(frame) != len(line):
            raise UserError(f"{self.path}: pandas made {len(frame)} rows of {len(line)} lines")
        if again := [c for c in places.used if c in numeric and not self._is_sure(frame[c], c, text)]:
            frame[again] = _frame(text, width, dict.fromkeys(again, "str"), again)[again]
        columns = {column: frame[column] for column in places.used}
        return Cells.of(places, columns, line, times=_times, values=_values, names=_names)

    def _is_sure(self, cells: pd.Series, column: int, text: bytes) -> bool:
        """Whether pandas has taken a column for what it is: numbers (times: integers), or else text.

        It takes "true" for a truth value. Cells without anything are NaN, which cells that say so might be as well.
        """
        kind = cells.dtype.kind
        if column == self.layout.ts:
            return kind in "iO"
        return kind in "iuO" or (kind == "f" and not (cells.isna().any() and b"nan" in text.lower()))


class _Lines:
    """The lines of a block, without their line breaks."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._bytes = np.frombuffer(data, dtype=np.uint8)
        breaks = np.flatnonzero(self._bytes == ord("\n"))
        self._ends = breaks if data.endswith(b"\n") else np.append(breaks, len(data))
        self._starts = np.append(0, self._ends[:-1] + 1)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> bytes:
        return self._data[self._starts[index] : self._ends[index]]

    def plain(self, fields: int) -> NDArray[np.bool_]:
        """Which lines have so many fields, none of them quoted, and nothing unusual in them."""
        commas = np.flatnonzero(self._bytes == ord(","))
        plain = np.diff(np.searchsorted(commas, np.append(self._starts, len(self._data)))) == fields - 1
        plain &= self._ends - self._starts <= LONGEST
        plain[np.searchsorted(self._starts, np.flatnonzero(_UNUSUAL[self._bytes]), "right") - 1] = False
        found: NDArray[np.bool_] = plain
        return found

    def text(self, taken: Ints, instead: Mapping[int, bytes]) -> bytes:
        """The lines at ``taken`` one below the other, some of them replaced."""
        if not len(taken):
            return b""
        replaced = np.isin(taken, list(instead))
        begins = np.append(True, (np.diff(taken) != 1) | replaced[1:] | replaced[:-1])
        first = taken[begins]
        last = taken[np.append(begins[1:], True)]
        stretches = [
            instead.get(a) or self._data[self._starts[a] : self._ends[b]]
            for a, b in zip(first.tolist(), last.tolist(), strict=True)
        ]
        return b"\n".join([*stretches, b""])


def open_csv(path: Path, columns: Mapping[str, str]) -> CsvFile:
    """Read the header of a CSV file. ``columns`` maps names of the file to ours.

    Raises ``UserError`` when there is none, or when it does not name what is wanted.
    """
    number = 0
    try:
        for data, _, _ in whole_lines(path, 1 << 16):
            if number == 0 and data.startswith(_UTF_16):
                raise UserError(f"{path} is UTF-16: save it as UTF-8")
            for line in (data.removeprefix(_BOM) if number == 0 else data).splitlines():
                number += 1
                if line.strip():
                    header = tuple(field.strip() for field in _fields(line[:LONGEST]))
                    return CsvFile(path, layout(str(path), header, columns), header, number)
    except Truncated as error:
        raise UserError(f"{path} has no whole line: {error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}, line {number}: the header cannot be read as CSV in UTF-8 ({error})") from error
    raise UserError(f"{path} is empty: there is not even a header")


def _fields(line: bytes) -> list[str]:
    return next(csv.reader([line.decode()], strict=True))


def _frame(text: bytes, width: int, types: Mapping[int, str], used: Sequence[int]) -> pd.DataFrame:
    """Columns of plain lines; the types of those that ``types`` does not name are found out."""
    if not text:
        return pd.DataFrame({column: pd.Series(dtype=types.get(column, "object")) for column in used})
    return pd.read_csv(
        BytesIO(text),
        header=None,
        names=range(width),
        usecols=list(used),
        index_col=False,
        dtype=dict(types),
        keep_default_na=False,
        na_values=[""],
        float_precision="round_trip",
        quoting=csv.QUOTE_NONE,
        skip_blank_lines=False,
        low_memory=False,
    )


def _times(cells: pd.Series) -> tuple[Ints, dict[int, Invalid]]:
    return times(cells) if cells.dtype.kind == "O" else (cells.to_numpy(), {})


def _values(cells: pd.Series) -> Values:
    if cells.dtype.kind == "O":
        return values(cells)
    found = cells.to_numpy(dtype=np.float64)
    return Values(found, np.isnan(found), {})


def _names(cells: pd.Series) -> tuple[Ints, tuple[str, ...]]:
    return names(cells.cat.codes.to_numpy(), cells.cat.categories)
