"""Take the days of a backfill over into the live results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from infrastructure.kafka import admin, offsets
from infrastructure.kafka.reader import read_topic
from infrastructure.kafka.sensor_classes import SensorClasses
from infrastructure.kafka.writer import Record, write_records
from infrastructure.settings import Settings, milliseconds
from operations import replay, results
from operations.results import Change, Results
from topics import catalogue
from topics.days import day_of
from topics.decoding import decode
from topics.errors import UserError
from topics.names import HISTORY, READINGS, SENSOR_CLASSES, prefixes_of, sensor_key
from topics.reading import Reading, Rules
from topics.results import MERGED
from topics.wording import of_prefix

Unit = tuple[str, int]
"""A site and the start of a day (epoch ms). It is taken over as a whole: a rest fits its parts."""

THERE = "the live results have them already, and others: `--overwrite` replaces them"


@dataclass
class Choice:
    """``changes`` to the live results, the units that they belong to, and those that are refused, with the reason."""

    changes: list[Change] = field(default_factory=list)
    taken: set[Unit] = field(default_factory=set)
    same: set[Unit] = field(default_factory=set)
    refused: dict[Unit, str] = field(default_factory=dict)


def choose(settings: Settings, source: str, *, overwrite: bool) -> Choice:
    """Which days of the backfill ``source`` (its prefix) the live results can take over.

    Raises ``UserError`` when it has no topics, or no results.
    """
    if source not in prefixes_of(there := admin.partitions(settings.kafka)):
        raise UserError(f"there are no topics {of_prefix(source)}, so nothing to merge: {admin.elsewhere(there)}")
    theirs = results.read(settings.replace(prefix=source))
    if not theirs.found:
        raise UserError(f"{source} holds no results: `iot replay --source {source}` computes them")
    days = {result.point.day for result in theirs.found.values()}
    live = results.read(settings, days.__contains__)
    settled, why = _newest_free(settings)
    clashing = {_unit(c) for c in _changes(live, theirs) if c.old is not None}
    choice = Choice(same={(r.point.site, r.point.day) for r in theirs.found.values()})
    for change in _changes(live, theirs):
        unit = _unit(change)
        choice.same.discard(unit)
        if settled is not None and unit[1] > settled:
            choice.refused[unit] = why
        elif unit in clashing and not overwrite:
            choice.refused[unit] = THERE
        else:
            choice.taken.add(unit)
            choice.changes.append(change)
    return choice


def take_over(settings: Settings, source: str, choice: Choice, report: Callable[[int, int], None]) -> int:
    """Copy the readings of the chosen days to ``history``, then their results to the live ones; returns the readings.

    In this order, so that a merge that is interrupted is done again. ``report`` gets records read and to read.
    """
    copied = _copy_readings(settings, source, choice.taken, report) if choice.taken else 0
    results.write(settings, choice.changes, {MERGED: source})
    return copied


def _changes(live: Results, theirs: Results) -> list[Change]:
    """What the backfill has and the live results have not, or have otherwise."""
    return [change for change in results.differences(live, theirs) if change.new is not None]


def _unit(change: Change) -> Unit:
    return change.point.site, change.point.day


def _newest_free(settings: Settings) -> tuple[int | None, str]:
    """The last day that the live job corrects no more, and why no later one; None when there are no live readings."""
    topic = settings.prefix + READINGS
    if topic not in admin.partitions(settings.kafka) or not any(offsets.end_offsets(settings.kafka, topic).values()):
        return None, ""
    return replay.newest_settled(settings, catalogue.read(settings.sensors))


def _copy_readings(settings: Settings, source: str, units: set[Unit], report: Callable[[int, int], None]) -> int:
    sensors = catalogue.read(settings.sensors)
    rules = Rules(sensors, milliseconds(settings.time.future_tolerance))
    admin.create(settings, (HISTORY, SENSOR_CLASSES))  # a system from before there were any
    target = settings.prefix + HISTORY
    classes = SensorClasses(settings, sensors, admin.partitions(settings.kafka)[target])
    total = sum(offsets.end_offsets(settings.kafka, source + READINGS).values())

    def chosen() -> Iterator[Record]:
        for number, message in enumerate(read_topic(settings.kafka, source + READINGS), 1):
            received = message.timestamp()[1]
            for item in decode(message.value(), received, rules):
                if isinstance(item, Reading) and (item.site, day_of(item.ts)) in units:
                    key = sensor_key(item.site, item.sensor)
                    partition = classes.partition(item.site, item.sensor)
                    yield Record(target, key, message.value(), partition, received)
            if number % 1000 == 0:
                report(number, total)
        report(total, total)

    try:
        return write_records(settings.kafka, chosen())
    finally:
        classes.close()
