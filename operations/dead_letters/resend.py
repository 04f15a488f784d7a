"""Send dead letters again, repaired: those that can still be counted, each once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from infrastructure.kafka import offsets
from infrastructure.kafka.admin import partitions
from infrastructure.kafka.publisher import Publisher
from infrastructure.kafka.reader import read_topic
from infrastructure.settings import Settings, milliseconds
from operations import clock
from operations.dead_letters.letters import BY_SETTINGS, Letter, letters
from operations.dead_letters.repair_file import Repaired
from topics import wording
from topics.catalogue import Catalogue
from topics.days import DAY_MS, day_of
from topics.decoding import decode
from topics.names import HISTORY, READINGS, sensor_key
from topics.origin import RESENT, Origin
from topics.reading import Invalid, Reading, Rules

Name = tuple[str, str, int]
"""Site, sensor and ts: names one reading for ever."""


class Refused(NamedTuple):
    """A line that is not sent, and why."""

    line: int
    origin: Origin
    reason: str
    detail: str


class Ready(NamedTuple):
    """A line that holds a valid reading."""

    line: int
    origin: Origin
    value: bytes
    reading: Reading

    @property
    def name(self) -> Name:
        """The name of its reading."""
        return self.reading.site, self.reading.sensor, self.reading.ts


@dataclass
class Plan:
    """What is to become of the lines of a file.

    ``sending`` are in the order in which they go out. ``before``: sent by an earlier run; ``there``: somebody else has
    sent a reading of that name, or a merge has brought it. ``too_late`` would be rejected by the job.
    """

    sending: list[Ready] = field(default_factory=list)
    before: list[Ready] = field(default_factory=list)
    there: list[Ready] = field(default_factory=list)
    too_late: list[Ready] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


@dataclass
class _Found:
    """What dailyAggr and history hold of the sensors in question."""

    clocks: dict[tuple[str, str], int] = field(default_factory=dict)
    names: set[Name] = field(default_factory=set)
    resent: dict[Origin, set[Name]] = field(default_factory=lambda: defaultdict(set))


def plan(settings: Settings, catalogue: Catalogue, repaired: Iterable[Repaired], wall: int) -> Plan:
    """Judge each line as the job would if its record came now. ``wall`` is the time of the wall, epoch ms.

    Raises ``TopicReadError`` when Kafka does not answer or a topic is missing.
    """
    chosen = Plan()
    topic = settings.prefix + READINGS
    known = {letter.origin: letter for letter in letters(settings) if letter.origin}
    rules = Rules(catalogue, milliseconds(settings.time.future_tolerance))
    ready: dict[Name, Ready] = {}
    for line, origin, value in repaired:
        if origin not in known or origin.topic != topic:
            why = f"there is no such dead letter of {topic}"
            chosen.refused.append(Refused(line, origin, "no_letter", why))
            continue
        item = _judge(line, origin, value, wall, rules)
        if isinstance(item, Refused):
            chosen.refused.append(item)
        elif (twin := ready.setdefault(item.name, item)) is not item:
            why = f"line {twin.line} has a reading of the same site, sensor and ts: one of them is wrong"
            chosen.refused.append(Refused(line, origin, "same_name", why))
    if ready:
        _sort(settings, catalogue, ready, known, chosen)
    return chosen


def send(settings: Settings, catalogue: Catalogue, sending: Iterable[Ready]) -> int:
    """Send the readings, all of them acknowledged when this returns; returns how many. Raises ``PublishError``."""
    sent = 0
    with Publisher(settings, catalogue) as publisher:
        for item in sending:
            site, sensor, _ = item.name
            key = sensor_key(site, sensor).encode()
            headers = [(RESENT, str(item.origin).encode())]
            publisher.send([(publisher.partition(site, sensor), key, item.value, headers)])
            sent += 1
    return sent


def _judge(line: int, origin: Origin, value: bytes | None, now: int, rules: Rules) -> Ready | Refused:
    """Whether a line holds one valid reading, by the time ``now`` (epoch ms)."""
    items = decode(value, now, rules)
    invalid = next((item for item in items if isinstance(item, Invalid)), None)
    if invalid is not None:
        return Refused(line, origin, invalid.reason, str(invalid))
    readings = [item for item in items if isinstance(item, Reading)]
    if len(readings) != 1 or value is None:
        why = f"{len(readings):,} readings: write each on a line of its own, with the same origin"
        return Refused(line, origin, "several" if readings else "heartbeat", why if readings else "no reading")
    return Ready(line, origin, value, readings[0])


def _sort(
    settings: Settings,
    catalogue: Catalogue,
    ready: Mapping[Name, Ready],
    known: Mapping[Origin, Letter],
    chosen: Plan,
) -> None:
    found = _look(settings, catalogue, ready, known)
    of_origin: dict[Origin, set[Name]] = defaultdict(set)
    for name, item in ready.items():
        of_origin[item.origin].add(name)
    delay = milliseconds(settings.time.watermark_delay)
    lateness, catch_up = milliseconds(settings.time.allowed_lateness), milliseconds(settings.time.catch_up)
    watermark = clock.watermark(settings, catalogue, offsets.end_offsets(settings.kafka, settings.prefix + READINGS))
    # The oldest one first: of one sensor none of them makes another one too late.
    for name, item in sorted(ready.items(), key=lambda pair: (pair[0][2], pair[0])):
        site, sensor, ts = name
        end_of_day = day_of(ts) + DAY_MS
        if name in found.resent[item.origin]:
            chosen.before.append(item)
        elif others := found.resent[item.origin] - of_origin[item.origin]:
            was = ", ".join(f"{site}/{sensor} at {wording.instant(ts)}" for site, sensor, ts in sorted(others))
            why = f"was sent again as {was}, which cannot be taken back"
            chosen.refused.append(Refused(item.line, item.origin, "resent", why))
        elif name in found.names:
            chosen.there.append(item)
        elif end_of_day + lateness <= found.clocks.get((site, sensor), ts) - delay or (
            watermark is not None and end_of_day - 1 + lateness + catch_up <= watermark
        ):
            chosen.too_late.append(item)
        else:
            chosen.sending.append(item)


def _look(
    settings: Settings, catalogue: Catalogue, ready: Mapping[Name, Ready], known: Mapping[Origin, Letter]
) -> _Found:
    """Read what Kafka has received since the oldest of these readings can have been received.

    A valid reading is received at its ts less the tolerance, or later. So a reading of one of these names stands
    behind that offset, and so does every reading that puts a sensor's clock beyond one of them.
    """
    tolerance = milliseconds(settings.time.future_tolerance)
    rules = Rules(catalogue, tolerance)
    sensors = {(site, sensor) for site, sensor, _ in ready}
    oldest = min(min(item.reading.ts, known[item.origin].received) for item in ready.values())
    there = partitions(settings.kafka)
    found = _Found()
    for topic in (settings.prefix + READINGS, settings.prefix + HISTORY):
        if topic not in there:
            continue
        start = offsets.offsets_at(settings.kafka, topic, max(0, oldest - tolerance))
        for message in read_topic(settings.kafka, topic, start):
            origin = Origin.of_resent(message)
            items = decode(message.value(), message.timestamp()[1], rules)
            if _never_counted(known.get(Origin.of(message)), items):
                continue
            for item in items:
                if not isinstance(item, Reading) or (item.site, item.sensor) not in sensors:
                    continue
                site, sensor, ts, _ = item
                found.names.add((site, sensor, ts))
                if origin is not None:
                    found.resent[origin].add((site, sensor, ts))
                if topic == settings.prefix + READINGS:
                    found.clocks[site, sensor] = max(ts, found.clocks.get((site, sensor), 0))
    return found


def _never_counted(letter: Letter | None, items: Sequence[object]) -> bool:
    """Whether readings that are valid now were none when they came, by the dead letter of their record.

    Of an array that was wrong by its bytes the job has counted what stands before the fault.
    """
    return letter is not None and (len(items) == 1 or letter.reason in BY_SETTINGS)
