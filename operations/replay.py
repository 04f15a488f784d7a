"""Compute days again from what dailyAggr holds, by a bounded run of the same job.

The run puts its results into topics of its own. What is to become of them - stay there, or correct the live ones - is
decided when it has ended, so that nobody ever sees a half of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from infrastructure.kafka import admin, offsets
from infrastructure.kafka.partition_states import describe
from infrastructure.kafka.reader import TopicReadError
from infrastructure.settings import Settings, milliseconds
from jobs import cluster
from jobs.bounds import NEVER, Bounds
from jobs.spec import JobSpec
from jobs.tools import Tools
from operations import results
from operations.clock import watermark
from operations.rebuild import Rebuild
from operations.results import Change, Results
from topics import catalogue
from topics.catalogue import Catalogue
from topics.days import DAY_MS
from topics.errors import UserError
from topics.names import READINGS
from topics.wording import exact_duration, instant

ASIDE = "replay."
"""Prefix of the results of a replay that corrects the live ones, until it has."""

POLL_SECONDS = 0.5
ATTEMPTS = 3
"""Runs that may lose their JobManager before a replay gives up."""


class LeftOut(NamedTuple):
    """Days that were asked for and are not computed, first and last (start, epoch ms; None: open), and why."""

    first: int | None
    last: int | None
    why: str


@dataclass(frozen=True)
class Plan:
    """What a replay reads, and for which days it gives results."""

    bounds: Bounds
    left_out: list[LeftOut] = field(default_factory=list)

    @property
    def records(self) -> int:
        """Records to read."""
        return sum(end - self.bounds.start[partition] for partition, end in self.bounds.end.items())


class Progress(NamedTuple):
    """``read`` of ``records`` records are read."""

    read: int
    records: int


def plan(settings: Settings, first: int | None = None, last: int | None = None, *, correcting: bool = False) -> Plan:
    """The replay of the days ``first`` to ``last`` (start, epoch ms; None: as far as possible) of these settings.

    Its results equal those that a run over everything has for these days:

    - Reading begins where the first reading of the day before can stand. A sensor's clock is not known there, but
      whatever it was, it is older than that day, and rejects none of the readings from there on.
    - Reading goes on to the end of the topic: a sensor that was offline may send readings of any day at any time.
    - A day that the stream has not closed yet, or of which the topic has lost readings, is left out.
    - ``correcting``: only days that the live job can no more correct, lest an older value replaces a newer one.

    Raises ``UserError`` when no day is left.
    """
    sensors = catalogue.read(settings.sensors)
    topic = settings.prefix + READINGS
    if topic not in (there := admin.partitions(settings.kafka)):
        raise TopicReadError(
            f"there is no topic {topic}: the prefix is another one, or nothing was sent there yet "
            f"(`iot topics create`, `iot backfill --into PREFIX`); {admin.elsewhere(there)}"
        )
    begin, end = offsets.first_offsets(settings.kafka, topic), offsets.end_offsets(settings.kafka, topic)
    left_out = []

    newest, why = _newest_day(settings, sensors, end)
    if correcting:
        settled, unsettled = newest_settled(settings, sensors)
        if settled < newest:
            newest, why = settled, unsettled
    beyond = LeftOut(max(first or 0, newest + DAY_MS), last, why)
    if correcting if last is None else last > newest:
        left_out.append(beyond)
    oldest = _oldest_day(settings, begin, newest)
    if oldest and (first is None or first < oldest):
        left_out += [LeftOut(first, oldest - DAY_MS, "dailyAggr holds their readings no more, or not all of them")]
    bounds = Bounds(
        source=settings.prefix,
        start=begin,
        end=end,
        first_day=max(first or 0, oldest),
        last_day=newest if last is None else min(last, newest),
    )
    if bounds.last_day < bounds.first_day:
        raise UserError("no day can be replayed:\n" + "\n".join(described(left_out or [beyond])))
    if first is not None:
        before = DAY_MS + milliseconds(settings.time.future_tolerance)
        found = offsets.offsets_at(settings.kafka, topic, max(0, bounds.first_day - before))
        bounds = msgspec.structs.replace(bounds, start={p: max(begin[p], found[p]) for p in begin})
    return Plan(bounds, left_out)


class Request(NamedTuple):
    """What is to be computed again.

    ``first`` and ``last``: days (start, epoch ms; None: as far as possible). ``into``: prefix that gets the results;
    None corrects the live ones. ``source``: prefix of a backfill whose readings are computed, None: the live readings.
    ``accept_late``: no reading is too late.
    """

    first: int | None = None
    last: int | None = None
    into: str | None = None
    source: str | None = None
    accept_late: bool = False


@dataclass(frozen=True)
class Replayed:
    """What a replay has come to. ``own``: the settings under which its results stand.

    ``live`` and ``new`` are the results before and by the replay, ``changes`` how they differ; ``backfilled`` counts
    live results of a backfill, which a correction leaves as they are.
    """

    plan: Plan
    own: Settings
    live: Results
    new: Results
    changes: list[Change]
    backfilled: int


def requested(settings: Settings, request: Request) -> Plan:
    """The plan of a request. Raises ``UserError`` when no day is left."""
    read_from = settings if request.source is None else settings.replace(prefix=request.source)
    return plan(read_from, request.first, request.last, correcting=request.into is None)


def compute(
    settings: Settings,
    tools: Tools,
    spec: JobSpec,
    request: Request,
    what: Plan,
    *,
    report: Callable[[Progress], None] = lambda _: None,
    said: Callable[[str], None] = lambda _: None,
) -> Replayed:
    """Run the job over a plan's records, and compare its results with the live ones. Raises as ``run`` does."""
    read_from = settings if request.source is None else settings.replace(prefix=request.source)
    target = settings.prefix + ASIDE if request.into is None else request.into
    own = run(read_from, tools, spec, what, target, accept_late=request.accept_late, report=report, said=said)
    new = results.read(own)
    first, last = what.bounds.first_day, what.bounds.last_day
    if request.source is not None and (of_files := new.days()):
        first, last = of_files[0], of_files[-1]
    live = results.read(settings, lambda day: first <= day <= last)
    backfilled = {name for name, result in live.found.items() if result.merged} if request.into is None else set()
    live, new = live.without(backfilled), new.without(backfilled)
    return Replayed(what, own, live, new, results.differences(live, new), len(backfilled))


def correct(settings: Settings, spec: JobSpec, replayed: Replayed) -> None:
    """Correct the live results by a replay that was requested for it, and delete its own topics."""
    results.write(settings, replayed.changes)
    clear(replayed.own, spec)


def store(replayed: Replayed) -> None:
    """Write the results of a replay with a prefix of its own into Redis, in place of the prefix' series."""
    Rebuild(replayed.own, catalogue.read(replayed.own.sensors)).run(replace=True)


def run(
    settings: Settings,
    tools: Tools,
    spec: JobSpec,
    what: Plan,
    into: str,
    *,
    accept_late: bool = False,
    submit: Callable[..., str] = cluster.submit,
    report: Callable[[Progress], None] = lambda _: None,
    said: Callable[[str], None] = lambda _: None,
) -> Settings:
    """Run the job over a plan's records, to its end; returns the settings under which its results stand.

    ``into`` is the prefix of the topics that get them, in place of what was there. ``accept_late``: no reading is too
    late. ``said`` receives a line when the run has to begin anew. Raises ``ClusterError``; the run is cancelled then,
    as by Ctrl-C.
    """
    update: dict[str, object] = {"prefix": into}
    if accept_late:
        update["allowed_lateness"] = NEVER
    own = settings.replace(**update)
    _refuse_to_disturb(own, spec, what.bounds.source)
    with _cancelled_on_error(own, spec):
        for attempt in range(1, ATTEMPTS + 1):
            clear(own, spec)
            admin.create(own, spec.writes)
            job = submit(own, tools, spec, bounds=what.bounds)
            if _watched_to_its_end(own, job, what, report):
                return own
            cluster.cancel(own, job)
            if attempt < ATTEMPTS:
                said(f"the JobManager was killed during run {attempt} of at most {ATTEMPTS}: begun anew")
        raise cluster.ClusterError(f"{ATTEMPTS} runs have lost their JobManager: see its log, and replay again")


def _watched_to_its_end(settings: Settings, job: str, what: Plan, report: Callable[[Progress], None]) -> bool:
    """Report until the run has ended; False when its JobManager was killed before that was seen.

    A run that another JobManager has taken over never ends.
    The Kafka source's enumerator tells its readers that nothing more will come when it discovers the partitions. One
    that a new JobManager restores knows them all, discovers none and tells nothing: the readers wait for ever
    (Flink's issue 31006). When only a TaskManager was killed, the enumerator is the old one, and all is well.
    """
    start, since = what.bounds.start, None
    with suppress(cluster.UnknownJobError):  # it had ended, and nobody knows how
        while (reading := cluster.reading(settings, job)) is not None:
            since = since or (None if reading.restored else reading.known_since)
            if reading.known_since != since:
                return False
            read = sum(max(0, offset - start[partition]) for partition, offset in reading.offsets.items())
            report(Progress(min(read, what.records), what.records))
            time.sleep(POLL_SECONDS)
        report(Progress(what.records, what.records))
        return True
    return False


def clear(settings: Settings, spec: JobSpec) -> None:
    """Delete the topics that hold the job's results under these settings."""
    admin.delete(settings, spec.writes)


def described(left_out: list[LeftOut]) -> Iterator[str]:
    """A line for each."""
    for first, last, why in left_out:
        if first is None:
            days = f"up to {day_text(last)}"
        elif last is None:
            days = f"from {day_text(first)} on"
        else:
            days = day_text(first) if first == last else f"{day_text(first)} to {day_text(last)}"
        yield f"left out: {days}: {why}"


def _refuse_to_disturb(settings: Settings, spec: JobSpec, source: str) -> None:
    """Raise ``UserError`` when the results of a system that is at work would be replaced."""
    if settings.prefix != source and settings.prefix + READINGS in admin.partitions(settings.kafka):
        raise UserError(
            f"{settings.prefix}{READINGS} is there: {settings.prefix} is a system of its own. Choose another"
        )
    if running := [job for job in cluster.jobs(settings) if job.name == spec.named(settings)]:
        raise UserError(f"{running[0].name} runs already ({running[0].id}): wait for it, or cancel it")


def _newest_day(settings: Settings, sensors: Catalogue, end: dict[int, int]) -> tuple[int, str]:
    """The last day that is closed by what dailyAggr holds, and why no later one."""
    reached = watermark(settings, sensors, end)
    if reached is None:
        return -DAY_MS, "dailyAggr holds no readings"
    return (reached + 1) // DAY_MS * DAY_MS - DAY_MS, f"not closed yet, the stream is at {instant(reached)}"


def newest_settled(settings: Settings, sensors: Catalogue) -> tuple[int, str]:
    """The last day whose windows the live job has given up, and so corrects no more."""
    group = settings.prefix + settings.job.group
    topic = settings.prefix + READINGS
    upto = {
        p: offset for (name, p), offset in offsets.committed_offsets(settings.kafka, group).items() if name == topic
    }
    reached = watermark(settings, sensors, upto)
    if reached is None:
        return (
            -DAY_MS,
            f"how far the live job is cannot be told: group {group} has committed nothing, or not everywhere",
        )
    open_for = settings.time.allowed_lateness + settings.time.catch_up
    settled = (reached + 1 - milliseconds(open_for)) // DAY_MS * DAY_MS - DAY_MS
    return settled, (
        f"the live job may still correct them: it is at {instant(reached)}, and corrects a day until "
        f"{exact_duration(open_for)} after its end. `--into PREFIX` computes them beside"
    )


def _oldest_day(settings: Settings, begin: dict[int, int], newest: int) -> int:
    """The first day of which, and of the one before which, dailyAggr has lost nothing; 0 when it has lost nothing.

    ``newest`` is the last day that is closed; the one after it when nobody knows what is lost.
    """
    topic = settings.prefix + READINGS
    trimmed = [p for p, offset in begin.items() if offset]
    if not trimmed:
        return 0
    oldest = [
        state.first_timestamp
        for state in describe(settings)
        if state.topic == topic and state.partition in trimmed and state.first_timestamp is not None
    ]
    if len(oldest) < len(trimmed):  # a partition has lost everything
        return newest + DAY_MS
    complete = max(oldest) + milliseconds(settings.time.future_tolerance)
    return -(-complete // DAY_MS) * DAY_MS + DAY_MS


@contextmanager
def _cancelled_on_error(settings: Settings, spec: JobSpec) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(cluster.ClusterError):
            cluster.cancel(settings, cluster.find(settings, spec).id)
        clear(settings, spec)
        raise


def day_text(ms: int | None) -> str:
    """A day, YYYY-MM-DD; a dash for None."""
    return "–" if ms is None else f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d}"
