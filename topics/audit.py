"""Account for every reading of dailyAggr: it is in its day's count, or in lateRej, or in deadLetter."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime

from settings import Settings
from topics import results
from topics.catalogue import Catalogue
from topics.log import read
from topics.names import AGG_DAY_COUNT, AGGREGATES, DEAD_LETTERS, READINGS, REJECTED
from topics.origin import Origin
from topics.reading import Invalid, Rules, decode

Day = tuple[str, str, int]
"""Site, sensor and start of the day, epoch ms."""


@dataclass
class Account:
    """What became of the records of dailyAggr.

    ``readings`` are the valid ones, each name (site, sensor, ts) once; ``repeated`` how often one came again.
    """

    records: int = 0
    heartbeats: int = 0
    readings: int = 0
    repeated: int = 0
    invalid: int = 0
    counted: int = 0
    rejected: int = 0
    open: int = 0
    dead_letters: int = 0
    unexplained: list[str] = field(default_factory=list)


def audit(settings: Settings, catalogue: Catalogue) -> Account:
    """Read the four topics up to their ends and compare, day by day.

    A day that no sensor has closed yet is open: its readings are neither counted nor missing. Raises ``LogError``
    when Kafka does not answer.
    """
    account = Account()
    window = int(settings.window.total_seconds() * 1000)
    rules = Rules(catalogue, int(settings.future_tolerance.total_seconds() * 1000))
    seen: dict[Day, set[int]] = defaultdict(set)
    wrong: set[Origin] = set()
    for message in read(settings, settings.prefix + READINGS):
        account.records += 1
        found = decode(message.value(), message.timestamp()[1], rules)
        account.heartbeats += not found
        for item in found:
            if isinstance(item, Invalid):
                account.invalid += 1
                wrong.add(Origin.of(message))
                continue
            day = (item.site, item.sensor, item.ts - item.ts % window)
            account.repeated += item.ts in seen[day]
            seen[day].add(item.ts)
    account.readings = sum(map(len, seen.values()))

    rejected: dict[Day, set[int]] = defaultdict(set)
    for message in read(settings, settings.prefix + REJECTED):
        name = results.rejected_key(message.key())
        day = (name.site, name.sensor, name.ts - name.ts % window)
        if message.value() is None:
            rejected[day].discard(name.ts)
        else:
            rejected[day].add(name.ts)
    counts, closed = _counts(settings)
    letters = Counter(Origin.told_by(message) for message in read(settings, settings.prefix + DEAD_LETTERS))

    for day in sorted(seen.keys() | rejected.keys() | counts.keys()):
        late = rejected.get(day, set())
        accepted = len(seen.get(day, set()) - late)
        account.rejected += len(seen.get(day, set()) & late)
        count = counts.get(day)
        if count is None and day[2] > closed:
            account.open += accepted
        elif (count or 0) == accepted:
            account.counted += accepted
        else:
            account.unexplained.append(f"{_day(day)}: {accepted} readings accepted, {count or 0} counted")
        if strange := late - seen.get(day, set()):
            account.unexplained.append(f"{_day(day)}: {len(strange)} rejected that are not in dailyAggr")
    account.dead_letters = letters.total()
    del letters[None]  # somebody else's
    readings = settings.prefix + READINGS
    for origin in sorted(o for o in letters.keys() - wrong if o and o.topic == readings):
        account.unexplained.append(f"dead letter of {origin}: a valid reading stands there")
    for origin in sorted(wrong - letters.keys()):
        account.unexplained.append(f"invalid record at {origin}: not in deadLetter")
    account.unexplained += [f"dead letter of {origin}: {n} times" for origin, n in sorted(letters.items()) if n > 1]
    return account


def _counts(settings: Settings) -> tuple[dict[Day, int], int]:
    """Readings counted by day, and the start of the newest day that any sensor has closed (-1: none)."""
    counts: dict[Day, int] = {}
    days = results.Days(0)
    for message in read(settings, settings.prefix + AGGREGATES):
        key = results.aggregate_key(message.key())
        if key.series != AGG_DAY_COUNT:
            continue
        day = (key.site, key.sensor, days.of(key))
        if (value := message.value()) is None:
            counts.pop(day, None)
        else:
            counts[day] = results.aggregate(value).count
    return counts, max((start for _, _, start in counts), default=-1)


def _day(day: Day) -> str:
    site, sensor, start = day
    return f"{site}/{sensor} {datetime.fromtimestamp(start / 1000, UTC):%Y-%m-%d}"
