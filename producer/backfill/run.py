"""Send what files hold, from the first row to the last, and then a heartbeat to every partition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from infrastructure.kafka.publisher import Publisher
from infrastructure.settings import Settings, milliseconds
from producer.backfill.csv_file import CsvFile
from producer.backfill.lines import Truncated
from producer.backfill.messages import Messages
from producer.backfill.parquet_file import ParquetFile
from producer.backfill.rejected import Rejected
from producer.backfill.verdicts import Judge
from producer.resume import FILES, Held, ResumeError
from topics.days import DAY_MS, day_of


class Stopped(Exception):  # noqa: N818 - a wish, not an error
    """Somebody wants the run to end; everything that was sent is acknowledged."""


@dataclass
class Tally:
    """What a run has met so far. ``position`` is in bytes of all files; ``broken`` says of a file why it broke off."""

    position: int = 0
    rows: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    rejected_files: dict[Path, int] = field(default_factory=dict)
    broken: dict[Path, str] = field(default_factory=dict)


def run(
    files: Sequence[CsvFile | ParquetFile],
    judge: Judge,
    messages: Messages,
    publisher: Publisher,
    settings: Settings,
    *,
    tally: Tally,
    report: Callable[[], None] = lambda: None,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Send everything, and wait until it has arrived.

    Raises ``Stopped`` soon after ``stopped`` says so, ``PublishError`` when a message is refused, and ``ResumeError``
    when the topic holds something else than these files give.
    """
    for file in files:
        begin = tally.position
        with Rejected(file.path, tally.rejected) as rejected:
            try:
                for block in file.blocks():
                    if stopped():
                        publisher.finish()
                        raise Stopped
                    accepted, rejections = judge.judge(block)
                    rejected.write(block, rejections)
                    publisher.send(messages.of(accepted, judge.series))
                    publisher.check()
                    tally.rows += block.rows
                    tally.position = begin + block.position
                    report()
            except Truncated as error:
                tally.broken[file.path] = str(error)
        if rejected.count:
            tally.rejected_files[rejected.path] = rejected.count
        tally.position = begin + file.path.stat().st_size
    if judge.newest >= 0:
        publisher.send(messages.heartbeats(closing(judge.newest, settings, judge.now)))
    publisher.finish()
    report()


def closing(newest: int, settings: Settings, now: int) -> int:
    """Epoch ms that closes the last day with a reading, if it is over ``now`` (epoch ms).

    A file is finished by definition: nothing comes behind it. So its last day is over, unlike the last day of a live
    stream, of which it is not known, and a heartbeat behind the day's end and the watermark's delay says so.
    """
    end = day_of(newest) + DAY_MS
    return min(end + milliseconds(settings.time.watermark_delay + timedelta(seconds=1)), now)


def owner(name: str, held: Mapping[int, Held], now: int) -> tuple[str, int]:
    """The identity that the messages of the files ``name`` carry, and the present by which they are judged, epoch ms.

    A run that goes on judges by the present of the first one: which rows are of the future must not change.
    """
    for partition in held.values():
        began = (partition.identity or "").rpartition("@")[2]
        if began.isdecimal():
            now = int(began)
    return f"{name}@{now}", now


def check_owner(held: Mapping[int, Held], identity: str, prefix: str) -> None:
    """Raise ``ResumeError`` when the topic holds anything else than an earlier run of the same files."""
    for partition in held.values():
        other = (partition.identity or "").rpartition("@")[0] or partition.identity or ""
        if other == identity:
            continue
        if not other:
            whose = "readings that no backfill has sent"
        elif not other.startswith(FILES):
            whose = "a simulation"
        elif other.partition("/")[0] == identity.partition("/")[0]:
            whose = "these files as an earlier run sent them with another sensor catalogue, by which other rows count"
        else:
            whose = "other files, or these with other --columns, or as they were before they were changed"
        raise ResumeError(
            f"the topics of {prefix} hold {whose}. Give another --into, or delete them first, and then run this again: "
            f"iot topics delete --prefix {prefix}"
        )
