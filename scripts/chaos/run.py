"""Rounds of faults on a running system, and how long it takes to recover from each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple, TypeVar

import redis
from confluent_kafka import KafkaException

from infrastructure.kafka import offsets
from infrastructure.kafka.lag import LagReader
from infrastructure.redis.client import redis_client
from jobs import cluster
from jobs.daily_aggregates import SPEC
from scripts.chaos.faults import PRODUCER, MissedError, Round, inject
from scripts.chaos.traffic import Probe, Traffic
from scripts.chaos.verdict import Finding, findings, series
from scripts.stack.processes import processes
from scripts.stack.supervision import Stack
from topics.errors import UserError
from topics.names import READINGS, SERIES_TOPICS
from topics.series import RAW, Series

POLL_SECONDS = 0.1
GIVE_UP_SECONDS = 300
"""A system that has not recovered after so long does not recover by itself."""
STALL_SECONDS = 60
"""When nothing is under way any more, results are waited for so long."""

T = TypeVar("T")
Said = Callable[[str], None]


class Recovery(NamedTuple):
    """A round that was run: the event time at which it began (epoch ms), and the seconds until recovery."""

    round: Round
    began: int
    seconds: float


def run(traffic: Traffic, rounds: Sequence[Round], days: int, said: Said) -> Iterator[Recovery]:
    """Run the rounds, one after the other; ``days`` are sent in one at full speed.

    The system is recovered when, all processes being ready, a reading that was sent after the fault is in Redis, the
    bridge has committed it, and so has the job, which it does when a checkpoint is complete. At full speed that
    reading comes last, behind everything that the simulation sends in the round. The time counts from a kill, or from
    the end of anything else. Raises ``UserError`` when the system does not recover.
    """
    for round_ in rounds:
        said(f"{round_.fault}{' at full speed' if round_.full_speed else ''}")
        began = _patiently(traffic.reached, "the topic's end")
        over = _inject(traffic, round_, days)
        traffic.spoil()
        seconds = _recover(traffic, round_) - over
        yield Recovery(round_, began, seconds)


def finish(traffic: Traffic, days: int, said: Said) -> tuple[int, list[Finding]]:
    """Let the simulation send ``days`` days more and come to its end; returns its ticks and what is wrong then."""
    said("sending the last days")
    ticks = traffic.rush(days)
    _patiently(lambda: traffic.ended() or None, "the simulation's end")
    traffic.flush()
    said("waiting until everything is stored")
    stack, settings = traffic.stack, traffic.stack.settings
    _patiently(lambda: (not any(behind(stack).values())) or None, "the lag to go")
    deadline = time.monotonic() + STALL_SECONDS
    while next(series(settings, traffic.simulation, ticks, traffic.probes), None) and time.monotonic() < deadline:
        time.sleep(1)
    said("comparing every series, every rejection and every dead letter")
    return ticks, list(findings(settings, traffic.simulation, ticks, traffic.probes, traffic.invalid))


def behind(stack: Stack) -> dict[str, int]:
    """Records of dailyAggr that the job has not committed, and of all topics that the bridge has not."""
    settings = stack.settings
    lag = {}
    for group in (settings.job.group, settings.ingest.group):
        reader = LagReader(settings, group)
        try:
            topics = (READINGS,) if group == settings.job.group else SERIES_TOPICS
            read = {settings.prefix + topic for topic in topics}
            lag[group] = reader.lag([partition for partition in reader.partitions() if partition[0] in read]).total()
        finally:
            reader.close()
    return lag


def _inject(traffic: Traffic, round_: Round, days: int) -> float:
    for shorter in range(5):
        if round_.full_speed:
            traffic.rush(days)
        else:
            traffic.stroll()
        _patiently(lambda: traffic.begun() or None, "the simulation to begin")
        traffic.spoil()
        time.sleep(round_.after / 2**shorter)
        process = traffic.process if round_.fault.victim == PRODUCER else round_.fault.victim
        with suppress(MissedError):
            return inject(traffic.stack, round_.fault, process, traffic.spoil)
    raise UserError(f"{days} days are sent too soon for a fault to fall into them: give it more --days or --sites")


def _recover(traffic: Traffic, round_: Round) -> float:
    """Wait for it; returns the instant."""
    what = f"recovery from {round_.fault}"
    if round_.full_speed:
        _patiently(lambda: traffic.ended() or None, what)
    else:
        sent = _patiently(traffic.sent, what)
        _patiently(lambda: traffic.sent() > sent or None, what)
    probe = traffic.probe(_patiently(traffic.reached, what))
    _patiently(lambda: _works(traffic.stack, probe) or None, what)
    return time.monotonic()


def _works(stack: Stack, probe: Probe) -> bool:
    settings, (reading, origin) = stack.settings, probe
    if not all(process.ready() for process in processes(settings)) or cluster.find(settings, SPEC).state != "RUNNING":
        return False
    with redis_client(settings.redis, "viewer") as client:
        stored = client.execute_command("TS.GET", Series(RAW, reading.site, reading.sensor).key(settings.prefix))
    if not stored or stored[0] < reading.ts:
        return False
    groups = (settings.job.group, settings.ingest.group)
    committed = [offsets.committed_offsets(settings.kafka, settings.prefix + group) for group in groups]
    return all(offsets.get((origin.topic, origin.partition), 0) > origin.offset for offsets in committed)


def _patiently(answer: Callable[[], T | None], what: str) -> T:
    """The first answer that is not None, while this or that is away."""
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while True:
        problem = "not yet"
        try:
            if (found := answer()) is not None:
                return found
        except (UserError, KafkaException, redis.RedisError) as error:
            problem = str(error)
        if time.monotonic() > deadline:
            raise UserError(f"{what}: given up after {GIVE_UP_SECONDS} s ({problem})")
        time.sleep(POLL_SECONDS)
