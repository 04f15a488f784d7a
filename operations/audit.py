"""Account for every record of dailyAggr: in its day's count, lateRej or deadLetter, or a duplicate of such a one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from infrastructure.kafka.admin import partitions
from infrastructure.kafka.reader import read_topic
from infrastructure.settings import Settings, milliseconds
from operations.dead_letters.letters import BY_SETTINGS, letters
from topics import results
from topics.catalogue import Catalogue
from topics.days import day_of
from topics.decoding import decode
from topics.names import AGGREGATES, HISTORY, READINGS, REJECTED
from topics.origin import Origin
from topics.reading import Heartbeat, Invalid, Rules
from topics.series import AGG_DAY_COUNT

Day = tuple[str, str, int]
"""Site, sensor and start of the day, epoch ms."""


@dataclass
class Account:
    """What became of the records of dailyAggr, and of those of history.

    ``readings`` are the valid ones of dailyAggr, each name (site, sensor, ts) once; ``repeated`` how often one came
    again: the first one counts. ``history`` are those that a merge has brought, and ``replaced`` the ones of dailyAggr
    whose day is a backfill's now. ``resendable`` are dead letters that would be valid by now: their sensor has been
    added since.
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
    resendable: int = 0
    unexplained: list[str] = field(default_factory=list)


def audit(settings: Settings, catalogue: Catalogue) -> Account:
    """Read the topics up to their ends and compare, day by day.

    A day that no sensor has closed yet is open: its readings are neither counted nor missing. A reading that came again
    when nobody remembered it may be counted, and stand in lateRej too: the count tells. Raises ``TopicReadError`` when
    Kafka does not answer.
    """
    account = Account()
    found = _Readings(settings, catalogue, account)
    seen = found.by_day(READINGS)
    account.readings = sum(map(len, seen.values()))
    history = found.by_day(HISTORY) if settings.prefix + HISTORY in partitions(settings.kafka) else {}
    account.history = sum(map(len, history.values()))
    rejected = _rejected(settings)
    counts = _counts(settings)
    closed = max((start for _, _, start in counts), default=-1)

    of_letters = Counter(letter.origin for letter in letters(settings))

    for day in sorted(seen.keys() | history.keys() | rejected.keys() | counts.keys() | found.aside.keys()):
        live, past, late = seen.get(day, set()), history.get(day, set()), rejected.get(day, set())
        left = found.aside.get(day, set()) - live - past - late
        account.resendable += len(left)
        count, merged = counts.get(day, (None, False))
        if merged:
            account.replaced += len(live - past)
        there = past if merged else live
        accepted = _accepted(there, late, found.again.get(day, set()), count or 0)
        account.rejected += len(there) - accepted
        if count is None and day[2] > closed:
            account.open += accepted
        elif (count or 0) in (accepted, accepted + len(left)):
            account.counted += count or 0
        else:
            account.unexplained.append(f"{_day(day)}: {accepted:,} readings accepted, {count or 0:,} counted")
        if strange := late - live - past - found.aside.get(day, set()):
            account.unexplained.append(f"{_day(day)}: {len(strange):,} rejected that are not in dailyAggr")
        if not merged and (uncounted := past - live):
            account.unexplained.append(f"{_day(day)}: {len(uncounted):,} readings of history that no count contains")
    account.dead_letters = of_letters.total()
    readings = {settings.prefix + topic for topic in (READINGS, HISTORY)}
    account.unexplained += _strange_letters(of_letters, found.wrong, found.excused, readings)
    return account


class _Readings:
    """Reads readings by day, and counts what it meets on the way.

    ``wrong``: invalid records. ``excused``: records that became dead letters and are valid by now, and ``aside``: the
    readings of these. The job has not counted them when they came; a replay since then has. ``again``: what came again.
    """

    def __init__(self, settings: Settings, catalogue: Catalogue, account: Account) -> None:
        self.wrong: set[Origin] = set()
        self.excused: set[Origin] = set()
        self.aside: dict[Day, set[int]] = defaultdict(set)
        self.again: dict[Day, set[int]] = defaultdict(set)
        self._settings = settings
        self._account = account
        self._rules = Rules(catalogue, milliseconds(settings.time.future_tolerance))
        self._by_settings = {letter.origin for letter in letters(settings) if letter.reason in BY_SETTINGS}

    def by_day(self, topic: str) -> dict[Day, set[int]]:
        """The readings of a topic, each name once, by sensor and day."""
        account = self._account
        seen: dict[Day, set[int]] = defaultdict(set)
        for message in read_topic(self._settings.kafka, self._settings.prefix + topic):
            account.records += 1
            found = decode(message.value(), message.timestamp()[1], self._rules)
            for item in found:
                if isinstance(item, Heartbeat):
                    account.heartbeats += 1
                    continue
                if isinstance(item, Invalid):
                    account.invalid += 1
                    self.wrong.add(Origin.of(message))
                    continue
                day = (item.site, item.sensor, day_of(item.ts))
                if (origin := Origin.of(message)) in self._by_settings:
                    self.excused.add(origin)
                    self.aside[day].add(item.ts)
                    continue
                account.repeated += (known := item.ts in seen[day])
                (self.again if known else seen)[day].add(item.ts)
        return seen


def _strange_letters(
    letters: Counter[Origin | None], wrong: set[Origin], excused: set[Origin], readings: set[str]
) -> Iterator[str]:
    """Where the letters and the invalid records of the topics ``readings`` do not fit, one to one."""
    told = {origin: count for origin, count in letters.items() if origin}  # others are somebody else's
    for origin in sorted(o for o in told.keys() - wrong - excused if o.topic in readings):
        yield f"dead letter of {origin}: a valid reading stands there"
    for origin in sorted(wrong - told.keys()):
        yield f"invalid record at {origin}: not in deadLetter"
    yield from (f"dead letter of {origin}: {count:,} times" for origin, count in sorted(told.items()) if count > 1)


def _accepted(there: set[int], late: set[int], again: set[int], count: int) -> int:
    """How many readings of a day are to be counted. What came again may be counted and rejected: ``count`` tells."""
    least = len(there - late)
    return min(max(least, count), least + len(there & late & again))


def _rejected(settings: Settings) -> dict[Day, set[int]]:
    rejected: dict[Day, set[int]] = defaultdict(set)
    for message in read_topic(settings.kafka, settings.prefix + REJECTED):
        with suppress(ValueError):  # somebody else's record, which the bridge dead-letters
            name = results.rejected_key(message.key() or b"")
            day = (name.site, name.sensor, day_of(name.ts))
            (rejected[day].discard if message.value() is None else rejected[day].add)(name.ts)
    return rejected


def _counts(settings: Settings) -> dict[Day, tuple[int, bool]]:
    """Readings counted by day, and whether a merge has brought that."""
    counts: dict[Day, tuple[int, bool]] = {}
    for message in read_topic(settings.kafka, settings.prefix + AGGREGATES):
        with suppress(ValueError):
            key = results.result_key(message.key() or b"")
            if key.series != AGG_DAY_COUNT:
                continue
            day = (key.site, key.sensor, key.day)
            if (value := message.value()) is None:
                counts.pop(day, None)
            else:
                counts[day] = (results.result(value).count, results.is_merged(message))
    return counts


def _day(day: Day) -> str:
    site, sensor, start = day
    return f"{site}/{sensor} {datetime.fromtimestamp(start / 1000, UTC):%Y-%m-%d}"
