"""Write stored points to a file or to standard output, through pandas: CSV, Parquet or JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import msgspec
import numpy as np
import pandas as pd
import redis

from infrastructure.redis.diagnostics import redis_unavailable
from infrastructure.settings import Settings
from operations.series_reader import Samples, SeriesReader, Stored
from topics.errors import UnavailableError, UserError
from topics.reading import LATEST_TS

Format = Literal["csv", "parquet", "json"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_MS = 86_400_000


class Span(NamedTuple):
    """A range of time: epoch ms, both ends inclusive."""

    first: int
    last: int


class Target(NamedTuple):
    """What is written where; without a file to standard output. ``force`` replaces a file that is there."""

    form: Format
    file: Path | None
    force: bool = False


class Progress(NamedTuple):
    """How far an export is: points written so far; of all ``series`` the one under way (from 0), and its share done."""

    points: int
    series: int
    current: int
    share: float


Report = Callable[[Progress], None]


class Exported(NamedTuple):
    """What an export has written; of one without points, ``held`` is the span of its series' points (None: no points).

    ``series``: how many have matched.
    """

    points: int
    series: int
    held: Span | None = None


def span(first: str | None, last: str | None) -> Span:
    """The range that --from and --to name; without them from 1970 to 9999.

    Each is a day or an ISO 8601 instant, UTC unless it says otherwise. Both count; of a last day the whole.
    Raises ``UserError`` when one is neither, or when the range is empty.
    """
    start = 0 if first is None else _milliseconds(first, "--from")[0]
    end = LATEST_TS if last is None else _milliseconds(last, "--to")[1]
    if end < 0:
        raise UserError(f"--to {last} is before 1970")
    if start > end:
        raise UserError(f"--from {first} is after --to {last or 'the year 9999'}")
    return Span(max(0, start), end)


def _milliseconds(text: str, option: str) -> tuple[int, int]:
    """The first and the last millisecond of a day; of an instant, the ones around it."""
    try:
        start = (date.fromisoformat(text) - EPOCH.date()) // timedelta(days=1) * DAY_MS
    except ValueError:
        pass
    else:
        return start, start + DAY_MS - 1
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(
            f"{option} {text}: give a day (2020-01-31) or an instant in ISO 8601 (2020-01-31T12:00, UTC)"
        ) from None
    microseconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH
    exact = microseconds // timedelta(microseconds=1)
    return -(-exact // 1000), exact // 1000


def format_of(form: Format | None, file: Path | None) -> Format:
    """The format that is asked for, else that of the file's ending; CSV without one. Raises ``UserError``."""
    endings: dict[str, Format] = {".csv": "csv", ".parquet": "parquet", ".json": "json", ".jsonl": "json"}
    ending = "" if file is None else file.suffix
    if form is None and ending and ending not in endings:
        raise UserError(f"{file}: the ending {ending} tells no format: give {', '.join(endings)}, or --format")
    return form or endings.get(ending, "csv")


def export(
    settings: Settings,
    wanted: Sequence[str],
    span: Span,
    target: Target,
    *,
    wide: bool = False,
    report: Report = lambda _: None,
) -> Exported:
    """Write the points of the series that match, long or wide; ``report`` is called after each chunk of points.

    Long, the series come one after the other and no more than a chunk of points is in memory. Raises ``UserError``
    when nothing matches, when the file cannot be written, or when Redis is away. ``BrokenPipeError`` passes.
    """
    _refuse_unwritable(target)
    points = 0

    def counted(progress: Progress) -> None:
        nonlocal points
        points = progress.points
        report(progress)

    reader = SeriesReader(settings)
    try:
        series = reader.matching(wanted)
        chunks = _reported(_chunks(reader, series, span), series, span, counted)
        frames = _wide(chunks, series) if wide else _long(chunks)
        with _opened(target) as file:
            {"csv": _csv, "json": _json, "parquet": _parquet}[target.form](frames, file)
        return Exported(points, len(series), None if points else _held(reader, series))
    except redis.RedisError as error:
        raise UnavailableError(redis_unavailable(settings, settings.redis.viewer_user, error)) from error
    finally:
        reader.close()


def _held(reader: SeriesReader, series: Sequence[Stored]) -> Span | None:
    """From the oldest point of these series to the newest one; None when they have none."""
    first = [ts for each in series if (ts := reader.first(each)) is not None]
    last = [each.last for each in series if each.last is not None]
    return Span(min(first), max(last)) if first and last else None


# Points to frames

Chunks = Iterator[tuple[Stored, Samples]]


def _chunks(reader: SeriesReader, series: Sequence[Stored], span: Span) -> Chunks:
    for each in series:
        for samples in reader.chunks(each, *span):
            yield each, samples


def _long(chunks: Chunks) -> Iterator[pd.DataFrame]:
    """One row a point. The first frame is empty: it gives a file without points its columns."""
    yield _frame(Stored("", "", "", "", "", None), [])
    for series, samples in chunks:
        yield _frame(series, samples)


def _frame(series: Stored, samples: Samples) -> pd.DataFrame:
    points = _points(samples)
    key, site, sensor, kind, unit, _ = series
    names = {"series": key, "site": site, "sensor": sensor, "kind": kind, "unit": unit}
    columns = {column: pd.Series(name, index=points.index, dtype=object) for column, name in names.items()}
    return pd.DataFrame({**columns, "time": points.index, "value": points.to_numpy()}).reset_index(drop=True)


def _wide(chunks: Chunks, series: Sequence[Stored]) -> Iterator[pd.DataFrame]:
    """One row a time and one column a series; empty where the series has no point."""
    if "time" in (each.key for each in series):
        raise UserError("a series is called time, like the column of the times: leave out --wide")
    parts: dict[str, list[pd.Series[float]]] = {each.key: [_points([])] for each in series}
    for each, samples in chunks:
        parts[each.key].append(_points(samples))
    columns = {key: pd.concat(points[1:] or points) for key, points in parts.items()}
    yield pd.DataFrame(columns).rename_axis("time").reset_index()


def _points(samples: Samples) -> pd.Series[float]:
    """Values by time. Milliseconds, since pandas' nanoseconds end in the year 2262."""
    times = pd.DatetimeIndex(np.array([ts for ts, _ in samples], "M8[ms]")).tz_localize("UTC")
    return pd.Series([value for _, value in samples], index=times, dtype="float64")


# Frames to bytes


def _csv(frames: Iterator[pd.DataFrame], file: BinaryIO) -> None:
    for number, frame in enumerate(frames):
        text = _with_text_times(frame).to_csv(index=False, header=number == 0, lineterminator="\n")
        file.write(text.encode())


def _json(frames: Iterator[pd.DataFrame], file: BinaryIO) -> None:
    # Not DataFrame.to_json: it writes 15 digits, and a double has up to 17.
    encode = msgspec.json.Encoder().encode_lines
    file.writelines(encode(_with_text_times(frame).to_dict("records")) for frame in frames)


def _parquet(frames: Iterator[pd.DataFrame], file: BinaryIO) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    first = next(frames)
    types = {"O": pa.string(), "M": pa.timestamp("ms", tz="UTC"), "f": pa.float64()}
    schema = pa.schema([(str(name), types[dtype.kind]) for name, dtype in first.dtypes.items()])
    with pq.ParquetWriter(file, schema) as writer:
        for frame in (first, *frames):
            writer.write_table(pa.Table.from_pandas(frame, schema, preserve_index=False))


def _with_text_times(frame: pd.DataFrame) -> pd.DataFrame:
    """Times as ISO 8601, UTC, with milliseconds: all of one length, which pandas reads fast."""
    times = frame["time"].dt.tz_localize(None).to_numpy()
    return frame.assign(time=np.datetime_as_string(times, unit="ms", timezone="UTC"))


# Where they go


def _refuse_unwritable(target: Target) -> None:
    """Before anything is read."""
    file = target.file
    if file is None:
        if target.form == "parquet" and sys.stdout.isatty():
            raise UserError("Parquet is not text: give --output FILE")
    elif file.is_dir():
        raise UserError(f"{file} is a directory: give a file")
    elif file.is_file() and not target.force:
        raise UserError(f"{file} is there: --force replaces it")


@contextmanager
def _opened(target: Target) -> Iterator[BinaryIO]:
    """The target, open. A file appears under its name when it is complete."""
    if target.file is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    partial = target.file.with_name(target.file.name + ".part")
    special = target.file.exists() and not target.file.is_file()  # a device or a pipe, which is not to be replaced
    try:
        with (target.file if special else partial).open("wb") as file:
            yield file
        if not special:
            partial.replace(target.file)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UserError(f"cannot write {target.file}: {error.strerror}") from error
    finally:
        if not special:
            partial.unlink(missing_ok=True)


def _reported(chunks: Chunks, series: Sequence[Stored], span: Span, report: Report) -> Chunks:
    number = {each.key: n for n, each in enumerate(series)}
    points, begun = 0, (-1, 0)
    for each, samples in chunks:
        yield each, samples
        points += len(samples)
        index, newest = number[each.key], min(span.last, each.last or span.last)
        if begun[0] != index:
            begun = (index, samples[0][0])
        share = (samples[-1][0] - begun[1]) / max(1, newest - begun[1])
        report(Progress(points, len(series), index, min(1.0, share)))
