"""Account for every record of dailyAggr: in its day's count, lateRej or deadLetter, or a duplicate of such a one."""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from settings import Settings, milliseconds
from topics import results
from topics.admin import partitions
from topics.catalogue import Catalogue
from topics.log import read
from topics.names import AGG_DAY_COUNT, AGGREGATES, DEAD_LETTERS, HISTORY, READINGS, REJECTED
from topics.origin import Origin
from topics.reading import Invalid, Rules, decode

Day = tuple[str, str, int]
"""Site, sensor and start of the day, epoch ms."""


@dataclass
class Account:
    """What became of the records of dailyAggr, and of those of history.

    ``readings`` are the valid ones of dailyAggr, each name (site, sensor, ts) once; ``repeated`` how often one came
    again: the first one counts. ``history`` are those that a merge has brought, and ``replaced`` the ones of dailyAggr
    whose day is a backfill's now.
    """

    records: int = 0
    heartbeats: int = 0
    readings: int = 0
    repeated: int = 0
    invalid: int = 0
    counted: int = 0
    rejected: int = 0
    open: int = 0
    history: int = 0
    replaced: int = 0
    dead_letters: int = 0
    unexplained: list[str] = field(default_factory=list)


def audit(settings: Settings, catalogue: Catalogue) -> Account:
    """Read the topics up to their ends and compare, day by day.

    A day that no sensor has closed yet is open: its readings are neither counted nor missing. A reading that came again
    when nobody remembered it may be counted, and stand in lateRej too: the count tells. Raises ``LogError`` when Kafka
    does not answer.
    """
    account = Account()
    window = milliseconds(settings.window)
    rules = Rules(catalogue, milliseconds(settings.future_tolerance))
    wrong: set[Origin] = set()
    again: dict[Day, set[int]] = defaultdict(set)

    def by_day(topic: str) -> dict[Day, set[int]]:
        seen: dict[Day, set[int]] = defaultdict(set)
        for message in read(settings, settings.prefix + topic):
            account.records += 1
            found = decode(message.value(), message.timestamp()[1], rules)
            account.heartbeats += not found
            for item in found:
                if isinstance(item, Invalid):
                    account.invalid += 1
                    wrong.add(Origin.of(message))
                    continue
                day = (item.site, item.sensor, item.ts - item.ts % window)
                account.repeated += (known := item.ts in seen[day])
                (again if known else seen)[day].add(item.ts)
        return seen

    seen = by_day(READINGS)
    account.readings = sum(map(len, seen.values()))
    history = by_day(HISTORY) if settings.prefix + HISTORY in partitions(settings) else {}
    account.history = sum(map(len, history.values()))
    rejected = _rejected(settings, window)
    counts = _counts(settings)
    closed = max((start for _, _, start in counts), default=-1)
    letters = Counter(Origin.told_by(message) for message in read(settings, settings.prefix + DEAD_LETTERS))

    for day in sorted(seen.keys() | history.keys() | rejected.keys() | counts.keys()):
        live, past, late = seen.get(day, set()), history.get(day, set()), rejected.get(day, set())
        count, merged = counts.get(day, (None, False))
        if merged:
            account.replaced += len(live - past)
        there = past if merged else live
        accepted = _accepted(there, late, again.get(day, set()), count or 0)
        account.rejected += len(there) - accepted
        if count is None and day[2] > closed:
            account.open += accepted
        elif (count or 0) == accepted:
            account.counted += accepted
        else:
            account.unexplained.append(f"{_day(day)}: {accepted} readings accepted, {count or 0} counted")
        if strange := late - live - past:
            account.unexplained.append(f"{_day(day)}: {len(strange)} rejected that are not in dailyAggr")
        if not merged and (uncounted := past - live):
            account.unexplained.append(f"{_day(day)}: {len(uncounted)} readings of history that no count contains")
    account.dead_letters = letters.total()
    del letters[None]  # somebody else's
    readings = {settings.prefix + topic for topic in (READINGS, HISTORY)}
    for origin in sorted(o for o in letters.keys() - wrong if o and o.topic in readings):
        account.unexplained.append(f"dead letter of {origin}: a valid reading stands there")
    for origin in sorted(wrong - letters.keys()):
        account.unexplained.append(f"invalid record at {origin}: not in deadLetter")
    account.unexplained += [f"dead letter of {origin}: {n} times" for origin, n in sorted(letters.items()) if n > 1]
    return account


def _accepted(there: set[int], late: set[int], again: set[int], count: int) -> int:
    """How many readings of a day are to be counted. What came again may be counted and rejected: ``count`` tells."""
    least = len(there - late)
    return min(max(least, count), least + len(there & late & again))


def _rejected(settings: Settings, window: int) -> dict[Day, set[int]]:
    rejected: dict[Day, set[int]] = defaultdict(set)
    for message in read(settings, settings.prefix + REJECTED):
        with suppress(ValueError):  # somebody else's record, which the bridge dead-letters
            name = results.rejected_key(message.key() or b"")
            day = (name.site, name.sensor, name.ts - name.ts % window)
            (rejected[day].discard if message.value() is None else rejected[day].add)(name.ts)
    return rejected


def _counts(settings: Settings) -> dict[Day, tuple[int, bool]]:
    """Readings counted by day, and whether a merge has brought that."""
    counts: dict[Day, tuple[int, bool]] = {}
    days = results.Days(0)
    for message in read(settings, settings.prefix + AGGREGATES):
        with suppress(ValueError):
            key = results.aggregate_key(message.key() or b"")
            if key.series != AGG_DAY_COUNT:
                continue
            day = (key.site, key.sensor, days.of(key))
            if (value := message.value()) is None:
                counts.pop(day, None)
            else:
                counts[day] = (results.aggregate(value).count, results.is_merged(message))
    return counts


def _day(day: Day) -> str:
    site, sensor, start = day
    return f"{site}/{sensor} {datetime.fromtimestamp(start / 1000, UTC):%Y-%m-%d}"
