"""The list of dead letters, and what becomes of repaired ones, for their user."""

from __future__ import annotations

import csv
import time
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from commands.terminal import print_table
from infrastructure.kafka import admin
from infrastructure.settings import Settings, load_settings
from operations.dead_letters import repair_file
from operations.dead_letters import resend as resending
from operations.dead_letters.letters import Letter, letters, resent
from operations.dead_letters.shown import shown
from topics import catalogue
from topics.errors import UserError
from topics.names import READINGS, TOPICS
from topics.reading import REASONS

HISTORY_SUFFIX = ".history.csv"
INTO = "repaired."
"""Prefix that is proposed for the backfill of what came too late."""

console = Console(soft_wrap=True, highlight=False)


def show(
    reason: Collection[str], topic: str | None, *, pending: bool, last: int, output: Path | None, force: bool
) -> None:
    """List dead letters, and write them to a file; the parameters are the options of the command."""
    settings = load_settings()
    if wrong := sorted(set(reason) - set(REASONS)):
        raise UserError(f"--reason {wrong[0]}: there is none of that name; there are {', '.join(REASONS)}")
    if topic is not None and topic not in TOPICS:
        raise UserError(f"--topic {topic}: there is none of that name; there are {', '.join(TOPICS)}")
    if output is not None and topic not in (None, READINGS):
        raise UserError(f"--output is for readings: records of {topic} come from the job, which writes them again")
    done = resent(settings) if pending else set()
    wanted = [
        letter
        for letter in letters(settings)
        if (not reason or letter.reason in reason)
        and (topic is None or (letter.origin is not None and letter.origin.topic == settings.prefix + topic))
        and letter.origin not in done
    ]
    _list(wanted, last)
    if output is not None:
        mine = (each for each in wanted if each.origin and each.origin.topic == settings.prefix + READINGS)
        count = repair_file.write(output, mine, force=force)
        console.print(f"\n{count:,} in {output}; when they are repaired:\n  iot deadletter resend {output}")


def resend(file: Path, *, dry_run: bool) -> None:
    """Send a repaired file; the parameters are those of the command."""
    settings = load_settings()
    sensors = catalogue.read(settings.sensors)
    repaired = repair_file.read(file)
    if settings.prefix + READINGS not in (there := admin.partitions(settings.kafka)):
        raise UserError(admin.no_topic(settings.prefix + READINGS, there))
    with Console(stderr=True).status("reading the topics"):
        plan = resending.plan(settings, sensors, repaired, wall=time.time_ns() // 1_000_000)
    history = file.with_name(file.name + HISTORY_SUFFIX)
    if not dry_run:
        _write_history(history, plan.too_late)
        resending.send(settings, sensors, plan.sending)
    _tell(plan, len(repaired), history, settings, dry_run=dry_run)
    if plan.refused:
        raise typer.Exit(1)


def _list(found: list[Letter], last: int) -> None:
    console.print(f"{len(found):>10,}  dead letters")
    for reason, count in sorted(Counter(letter.reason for letter in found).items()):
        console.print(f"{count:>10,}    {shown(reason, 40) or 'no reason given'}", markup=False)
    newest = found[-last:] if last else []
    if not newest:
        return
    if len(newest) < len(found):
        console.print(f"the newest {len(newest):,}:")
    table = _table("origin", "received (UTC)", "reason", "key")
    for letter in newest:
        table.add_row(
            Text(shown(None if letter.origin is None else str(letter.origin), 80)),
            Text(repair_file.utc(letter.received)),
            Text(shown(letter.reason, 20)),
            Text(shown(letter.key, 20)),
            _cut(shown(letter.detail, 60)),
            _cut(shown(letter.value, 80)),
        )
    _print(table)


def _table(*whole: str) -> Table:
    """A table of these columns, which are shown whole, and of two that give way when the terminal is narrow."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in whole:
        table.add_column(name, no_wrap=True, justify="right" if name == "line" else "left")
    for name in ("detail", "value") if "key" in whole else ("detail",):
        table.add_column(name)
    return table


def _cut(text: str) -> Text:
    return Text(text, no_wrap=True, overflow="ellipsis")


def _print(table: Table) -> None:
    console.print()
    print_table(console, table)


def _tell(plan: resending.Plan, lines: int, history: Path, settings: Settings, *, dry_run: bool) -> None:
    for count, what in (
        (lines, "lines read, of which"),
        (len(plan.sending), "  would be sent" if dry_run else "  sent, all acknowledged"),
        (len(plan.before), "  were resent before"),
        (len(plan.there), "  are there already: somebody else has sent a reading of that site, sensor and ts"),
        (len(plan.too_late), f"  are too late by now{'' if dry_run or not plan.too_late else f': in {history}'}"),
        (len(plan.refused), "  are no valid readings yet, or cannot be sent"),
    ):
        console.print(f"{count:>10,}  {what}", markup=False)
    if plan.refused:
        _list_refused(plan.refused)
    if plan.too_late and not dry_run:
        console.print(
            f"\nwhat is too late goes the way of history:\n"
            f"  iot backfill {history} --into {settings.prefix}{INTO}\n"
            f"  iot replay --source {settings.prefix}{INTO}\n"
            f"  iot merge {settings.prefix}{INTO}",
            markup=False,
        )


def _list_refused(refused: Iterable[resending.Refused]) -> None:
    table = _table("line", "origin", "reason")
    for line, origin, reason, detail in sorted(refused):
        table.add_row(str(line), Text(shown(str(origin), 80)), reason, _cut(shown(detail, 100)))
    _print(table)


def _write_history(path: Path, too_late: list[resending.Ready]) -> None:
    """The readings as a long form that `iot backfill` reads; no file where there are none."""
    try:
        if not too_late:
            path.unlink(missing_ok=True)
            return
        part = path.with_name(path.name + ".part")
        with part.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(("site", "sensor", "ts", "value"))
            rows.writerows((*item.name, repr(item.reading.value)) for item in too_late)
        part.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
