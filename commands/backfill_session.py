"""One run of the backfill for its user: progress, signals, the summary, and what is to be done next."""

from __future__ import annotations

import re
import shlex
import signal
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Self

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from infrastructure import logs
from infrastructure.kafka import admin, offsets
from infrastructure.kafka.publisher import Publisher
from infrastructure.settings import PREFIX, load_settings, milliseconds
from producer.backfill.columns import parse_columns
from producer.backfill.files import identity as files_identity
from producer.backfill.files import opened, unknown_columns
from producer.backfill.messages import Messages
from producer.backfill.run import Stopped, Tally, check_owner, owner, run
from producer.backfill.unknown import SHOWN, Unknown
from producer.backfill.verdicts import Judge
from producer.resume import held
from topics import catalogue
from topics.catalogue import Catalogue
from topics.errors import UserError
from topics.names import READINGS

_MS_OF_1971 = 365 * 24 * 60 * 60 * 1000

console = Console(stderr=True, highlight=False)
result = Console(soft_wrap=True, highlight=False)


class _Wish:
    """What the user has wished by a signal: to stop soon, and at the second one to stop at once."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._heard) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def stopped(self) -> bool:
        return self.signal is not None

    def _heard(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number


def send(paths: Sequence[Path], *, into: str, columns: str | None, sensors: Path | None) -> None:
    """Send the readings of files to the topics of ``into``, and show how it goes and what is to be done next.

    Raises ``UserError`` when there is something to mend, and ``typer.Exit`` when a signal ends it.
    """
    live = load_settings(sensors=sensors)
    logs.configure(live.monitoring.log_format)
    if not into or not re.fullmatch(PREFIX, into):
        raise UserError(f"--into {into!r}: a prefix is 1 to 64 letters, digits, and characters of _.-")
    if into == live.prefix:
        raise UserError(
            f"--into {into} is the live stream's prefix (IOT_PREFIX), whose clocks would judge the history: "
            "choose another"
        )
    settings = live.replace(prefix=into)
    known = catalogue.read(settings.sensors)
    renamed = parse_columns(columns, known)
    sources = opened(paths, renamed)
    if unknown := unknown_columns(sources, known):
        raise UserError(
            "columns that are no sensors of the catalogue: "
            f"{_some(list(unknown.counts))}. Nothing was sent.\n{_advice(unknown, known, settings.sensors)}\n"
            "Or leave these columns out of the file. (If it is of the long form, --columns names its columns.)"
        )
    name = files_identity(sources, renamed, known)
    created = admin.create(settings)
    topic = settings.prefix + READINGS
    before = {} if topic in created else held(settings, topic)
    check_owner(before, name, into)
    if before:
        count = sum(partition.count for partition in before.values())
        console.print(f"{topic} holds {count:,} messages of an earlier run: going on behind them")
    identity, now = owner(name, before, time.time_ns() // 1_000_000)
    # Of a message that is given up after some time while those behind it arrive, no count would tell.
    publisher = Publisher(settings, known, patience=None)
    judge, tally = Judge(known, now, milliseconds(settings.time.future_tolerance)), Tally()
    messages = Messages(identity, publisher.partition, publisher.partitions, before)
    began = time.monotonic()
    total = sum(source.path.stat().st_size for source in sources)
    bar_columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[counts]}"), TimeRemainingColumn())
    with _Wish() as wish, Progress(*bar_columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total, counts="")

        def report() -> None:
            pace = tally.rows / (time.monotonic() - began)
            rejected = f", {tally.rejected.total():,} rejected" if tally.rejected else ""
            bar.update(task, completed=tally.position, counts=f"{tally.rows:,} rows ({pace:,.0f}/s){rejected}")

        try:
            run(sources, judge, messages, publisher, settings, tally=tally, report=report, stopped=wish.stopped)
        except (Stopped, KeyboardInterrupt) as stop:
            bar.stop()
            _say_how_to_go_on(publisher, waited=isinstance(stop, Stopped))
            raise typer.Exit(128 + (wish.signal or signal.SIGINT)) from None
    _check_ends(offsets.end_offsets(settings.kafka, topic), messages, topic)
    _show(tally, judge, messages, publisher, time.monotonic() - began)
    _conclude(tally, judge, into, known, settings.sensors)


def _say_how_to_go_on(publisher: Publisher, *, waited: bool) -> None:
    readings = publisher.sent - publisher.heartbeats
    arrived = "all acknowledged" if waited else f"{publisher.pending:,} of them not acknowledged"
    console.print(f"stopped: {readings:,} readings sent, {arrived}. The same command goes on from there.")


def _check_ends(ends: dict[int, int], messages: Messages, topic: str) -> None:
    wrong = [p for p, end in ends.items() if end != messages.total[p]]
    if messages.total.any() and wrong:
        p = wrong[0]
        raise UserError(
            f"{topic} holds {ends[p]:,} messages in partition {p}, where these files give {messages.total[p]:,}: "
            "somebody else has sent to it meanwhile. Delete these topics, and run this again."
        )


def _show(tally: Tally, judge: Judge, messages: Messages, publisher: Publisher, seconds: float) -> None:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    rows: list[tuple[int, str]] = [
        (tally.rows, f"rows read, in {seconds:.1f} s ({tally.rows / seconds:,.0f}/s)"),
        (publisher.sent - publisher.heartbeats, "readings sent, all acknowledged"),
    ]
    if messages.there:
        rows.append((messages.there, "readings that were there already, from an earlier run"))
    rows.append((publisher.heartbeats, "heartbeats, which close the last day"))
    if judge.newest >= 0:
        rows.append((judge.out_of_order, "out of order, kept"))
    rows.append((tally.rejected.total(), "rejected" + (", of which" if tally.rejected else "")))
    rows += [(count, f"  {reason}") for reason, count in tally.rejected.most_common()]
    for number, what in rows:
        table.add_row(f"{number:,}", what)
    result.print(table)
    for path, count in tally.rejected_files.items():
        result.print(f"{count:,} with line and reason in {escape(str(path))}")
    if judge.newest >= 0:
        result.print(f"from {_utc(judge.oldest)} to {_utc(judge.newest)} UTC, {len(judge.series):,} series")
        if judge.newest < _MS_OF_1971:
            result.print("[yellow]every reading is of 1970: are the times in seconds? Milliseconds are expected.[/]")


def _conclude(tally: Tally, judge: Judge, into: str, known: Catalogue, path: Path) -> None:
    """What is to be done now. Raises ``UserError`` when that is to mend something."""
    again = f"then `iot topics delete --prefix {shlex.quote(into)}`, and run this again"
    wrong = [
        f"{file} broke off: {why}. What stands before counts. Get the whole file, {again}."
        for file, why in tally.broken.items()
    ]
    if judge.unknown:
        counts = [f"{name} ({count:,})" for name, count in judge.unknown.counts.items()]
        advice = _advice(judge.unknown, known, path)
        wrong.append(
            f"sensors that the catalogue does not know: {_some(counts)}. All others were sent.\n{advice}\nand {again}."
        )
    if judge.newest < 0:
        wrong.append("there was no reading to send")
    if wrong:
        raise UserError("\n".join(wrong))
    result.print("next:")
    result.print(f"  iot replay --source {into}")
    result.print(f"  iot merge {into}")


def _advice(unknown: Unknown, known: Catalogue, path: Path) -> str:
    parts = []
    if lines := unknown.lines(known):
        parts.append(f"Add them to {path}:\n\n{lines}\n")
    if unknown.impossible:
        parts.append(
            f"{_some(unknown.impossible)}: names of sensors are 1 to 64 ASCII letters and digits; rename them in the "
            "file, or in the wide form with --columns."
        )
    return "\n".join(parts)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(name[:80] for name in names[:SHOWN]) + more


def _utc(ts: int) -> str:
    return f"{datetime.fromtimestamp(ts / 1000, UTC):%Y-%m-%d %H:%M}"
