"""What the system holds in the end, beside what it should: lost, duplicated, wrong."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import msgspec
import pandas as pd

from infrastructure.kafka.reader import read_topic
from infrastructure.settings import Settings, milliseconds
from operations import audit
from producer.simulation import Simulation
from scripts import oracle
from scripts.chaos.traffic import Probe
from topics.catalogue import Catalogue
from topics.names import DEAD_LETTERS, READINGS, REJECTED
from topics.origin import Origin
from topics.series import AGG_DAY_COUNT

Fate = Literal["lost", "duplicated", "wrong"]
FATES: tuple[Fate, ...] = ("lost", "duplicated", "wrong")


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be. ``ts``: the event time that it belongs to, epoch ms, where it has one."""

    fate: Fate
    what: str
    ts: int | None = None


def findings(
    settings: Settings, simulation: Simulation, ticks: int, probes: Sequence[Probe], invalid: set[Origin]
) -> Iterator[Finding]:
    """Everything that differs from what ``ticks`` ticks, the probes and the invalid records must give."""
    yield from series(settings, simulation, ticks, probes)
    account = audit.audit(settings, simulation.catalogue)
    if account.repeated:
        yield Finding("duplicated", f"{account.repeated:,} readings stand in {READINGS} twice")
    readings = sum(len(oracle.readings(house, ticks)) for house in _houses(simulation)) + len(probes)
    if account.readings != readings:
        fate: Fate = "lost" if account.readings < readings else "wrong"
        yield Finding(fate, f"{account.readings:,} readings stand in {READINGS}, {readings:,} were sent")
    yield from (Finding("wrong", line) for line in account.unexplained)
    yield from letters(
        (Origin.told_by(message) for message in read_topic(settings.kafka, settings.prefix + DEAD_LETTERS)),
        invalid,
    )
    yield from purged(message.value() for message in read_topic(settings.kafka, settings.prefix + REJECTED))


def series(settings: Settings, simulation: Simulation, ticks: int, probes: Sequence[Probe] = ()) -> Iterator[Finding]:
    """What differs in the stored series, house by house: all of them at once would not fit into memory."""
    for house in _houses(simulation):
        wanted = oracle.expected(house, ticks, settings)
        yield from compared(oracle.stored(settings, house.sites), wanted)
    if probes:
        watermark = simulation.time(ticks - 1) - milliseconds(settings.time.watermark_delay)
        wanted = _expected(probes, simulation.catalogue, watermark, settings)
        yield from compared(oracle.stored(settings, [probes[0].reading.site]), wanted)


def compared(found: Mapping[str, oracle.Points], wanted: Mapping[str, oracle.Points]) -> Iterator[Finding]:
    """What differs between series: a day that counts more readings than there are counts some twice."""
    outcome = oracle.compare(found, wanted)
    for difference in outcome.missing:
        yield Finding("lost", str(difference), difference.ts)
    for difference in outcome.surplus:
        yield Finding("duplicated", str(difference), difference.ts)
    for difference in outcome.wrong:
        fate: Fate = "wrong"
        if AGG_DAY_COUNT in difference.key and difference.found is not None and difference.wanted is not None:
            fate = "duplicated" if difference.found > difference.wanted else "lost"
        yield Finding(fate, str(difference), difference.ts)


def letters(found: Iterable[Origin | None], wanted: set[Origin]) -> Iterator[Finding]:
    """Dead letters that are missing, there more than once, or of a record that is none of the invalid ones."""
    counts = Counter(found)
    for origin in sorted(wanted - counts.keys()):
        yield Finding("lost", f"no dead letter of {origin}")
    for letter, number in counts.items():
        if letter not in wanted:
            yield Finding("wrong", f"a dead letter of {letter}, where no invalid record stands")
        elif number > 1:
            yield Finding("duplicated", f"{number} dead letters of {letter}")


def purged(values: Iterable[bytes | None]) -> Iterator[Finding]:
    """Readings that were rejected because the stream had left them behind: no fault here lasts long enough."""
    for value in values:
        if value is not None and (rejected := msgspec.json.decode(value)).get("reason") != "too_late":
            what = f"{rejected['site']}/{rejected['sensor']} at {rejected['ts']}: {rejected.get('reason')}"
            yield Finding("wrong", what, rejected["ts"])


@dataclass
class ByRound:
    """Adds findings up by the round in which the simulation was at their time."""

    starts: Sequence[int]
    """Event time at which each round began, epoch ms, in order."""
    counts: dict[tuple[int, Fate], int] = field(default_factory=Counter)
    elsewhere: list[Finding] = field(default_factory=list)

    def add(self, found: Finding) -> None:
        """Count one."""
        if found.ts is None:
            self.elsewhere.append(found)
        else:
            self.counts[max(0, bisect_right(self.starts, found.ts) - 1), found.fate] += 1


def _houses(simulation: Simulation) -> Iterator[Simulation]:
    """Each house on its own: a reading depends on its house's name, and not on the others."""
    for site in simulation.sites:
        yield replace(simulation, sites=(site,))


def _expected(
    probes: Sequence[Probe], sensors: Catalogue, watermark: int, settings: Settings
) -> dict[str, oracle.Points]:
    frame = pd.DataFrame([probe.reading._asdict() for probe in probes])
    frame["day"] = frame.ts // oracle.DAY * oracle.DAY
    return oracle.results(frame, sensors, watermark, settings)
