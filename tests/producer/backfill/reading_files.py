"""Read a file with the code under test, and give what comes out as plain tuples."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from infrastructure.home import ROOT
from producer.backfill.block import Block
from producer.backfill.csv_file import open_csv
from producer.backfill.lines import Truncated
from producer.backfill.parquet_file import open_parquet
from producer.backfill.verdicts import Judge
from topics import catalogue
from topics.reading import LATEST_TS

SENSORS = catalogue.read(ROOT / "sensors.toml")
START = 1_577_836_800_000

Reading = tuple[str, str, int, float]


class Outcome(NamedTuple):
    """What a file gives: readings in order, (line, reason) of everything rejected, and the rejected rows as found."""

    readings: list[Reading]
    rejected: list[tuple[int, str]]
    found: list[str]
    rows: int
    judge: Judge


def outcome(blocks: Iterable[Block]) -> Outcome:
    judge = Judge(SENSORS, LATEST_TS, 0)
    result = Outcome([], [], [], 0, judge)
    rows = 0
    for block in blocks:
        accepted, rejections = judge.judge(block)
        for series, ts, value in zip(*(column.tolist() for column in accepted), strict=True):
            result.readings.append((*judge.series[series], ts, value))
        result.rejected.extend((line, invalid.reason) for line, invalid in rejections)
        result.found.extend(block.found(line) for line, _ in rejections)
        rows += block.rows
    return result._replace(rows=rows)


def read_csv(path: Path, data: bytes, size: int = 1 << 20, columns: Mapping[str, str] | None = None) -> Outcome:
    """What a CSV file of this content gives when it is read in blocks of ``size`` bytes."""
    path.write_bytes(data)
    return outcome(open_csv(path, columns or {}).blocks(size))


def until_it_breaks(blocks: Iterable[Block]) -> tuple[Outcome, str]:
    """What a file gives before it breaks off, and what is said of that."""
    gathered = list[Block]()
    try:
        for block in blocks:
            gathered.append(block)
    except Truncated as error:
        return outcome(gathered), str(error)
    raise AssertionError("it does not break off")


def read_gzip(path: Path, data: bytes, size: int = 1 << 20) -> Outcome:
    return read_csv(path, gzip.compress(data), size)


def read_parquet(path: Path, size: int = 65_536, columns: Mapping[str, str] | None = None) -> Outcome:
    return outcome(open_parquet(path, columns or {}).blocks(size))
