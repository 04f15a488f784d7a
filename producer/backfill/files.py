"""The files of a backfill, as they are before the first row is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from producer.backfill.csv_file import CsvFile, open_csv
from producer.backfill.lines import Truncated, is_parquet
from producer.backfill.parquet_file import ParquetFile, open_parquet
from producer.backfill.rejected import SUFFIX
from producer.backfill.unknown import Unknown
from producer.resume import FILES
from topics.catalogue import Catalogue
from topics.errors import UserError

ENDS = 1 << 16
"""Bytes at either end of a file that name it, together with its size."""


def opened(paths: Sequence[Path], columns: Mapping[str, str]) -> list[CsvFile | ParquetFile]:
    """The files, in the order given, with their layouts. Raises ``UserError`` for the first that cannot be used.

    What earlier runs have rejected is left out, so that ``*.csv`` may be given again.
    """
    chosen = [path for path in paths if not path.name.endswith(SUFFIX)]
    if not chosen:
        raise UserError(f"there is no file but those named …{SUFFIX}: rename what you have mended, and give that")
    seen: set[Path] = set()
    for path in chosen:
        if not path.is_file():
            raise UserError(f"{path} is a directory: give its files" if path.is_dir() else f"there is no file {path}")
        if (real := path.resolve()) in seen:
            raise UserError(f"{path} is given twice")
        seen.add(real)
    return [open_parquet(path, columns) if is_parquet(path) else open_csv(path, columns) for path in chosen]


def unknown_columns(files: Iterable[CsvFile | ParquetFile], catalogue: Catalogue) -> Unknown:
    """Columns of wide files that are no known sensors, with a sample of their readings."""
    unknown = Unknown()
    for file in files:
        names = {n: name for n, name in enumerate(file.layout.sensors) if name not in catalogue}
        try:
            block = next(iter(file.blocks()), None) if names else None
        except Truncated:
            block = None
        for number, name in names.items():
            if block is not None:
                own = block.sensor == number
                unknown.add(name, block.ts[own], block.value[own])
    return unknown


def identity(files: Iterable[CsvFile | ParquetFile], columns: Mapping[str, str], catalogue: Catalogue) -> str:
    """Names what the files give: files, columns, and of the catalogue what decides who is sent where.

    Another catalogue would send other rows, so that going on by the number of messages would lose some.
    """
    content = sha256(repr(sorted(columns.items())).encode())
    for file in files:
        size = file.path.stat().st_size
        content.update(f"{file.path.name}/{size}/".encode())
        with file.path.open("rb") as data:
            content.update(data.read(ENDS))
            data.seek(max(0, size - ENDS))
            content.update(data.read(ENDS))
    known = sorted((sensor.name, sensor.partition_class) for sensor in catalogue.values())
    sensors = sha256(repr((known, catalogue.classes)).encode())
    return f"{FILES}{content.hexdigest()[:16]}/{sensors.hexdigest()[:16]}"
