"""What is done to the processes, and when: drawn from a seed, so that a run can be had again."""

from __future__ import annotations

import os
import random
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

from scripts.stack.supervision import Stack
from topics.errors import UserError

PRODUCER = "producer"
VICTIMS = (PRODUCER, "kafka", "jobmanager", "taskmanager", "ingest", "redis", "zookeeper")
WRITERS = ("jobmanager", "taskmanager")
"""Who writes checkpoints."""

WAIT_SECONDS = (1.0, 8.0)
"""Between the beginning of a round at the original pace and its fault."""
RUSH_SECONDS = (0.0, 2.0)
"""The same at full speed, where a round is over soon; from the first reading on."""


class Kind(StrEnum):
    """What can be done."""

    KILL = "kill -9"
    FREEZE = "freeze"
    AWAY = "away"
    FULL = "disk full"


@dataclass(frozen=True)
class Fault:
    """What is done to whom, and for how many seconds (a kill takes none)."""

    kind: Kind
    victim: str
    seconds: float = 0.0

    def __str__(self) -> str:
        """As the table has it."""
        lasting = f", {self.seconds:g} s" if self.seconds else ""
        return f"{self.victim}: {self.kind}{lasting}"


@dataclass(frozen=True)
class Round:
    """A fault, ``after`` so many seconds; while the simulation runs at its pace, or at full speed."""

    fault: Fault
    full_speed: bool
    after: float


class MissedError(Exception):
    """The victim did not run when its moment came: a producer at full speed may be done before."""


def faults(frozen: float, away: float, full: float) -> list[Fault]:
    """Every fault that there is; the parameters are seconds."""
    return [
        *(Fault(Kind.KILL, victim) for victim in VICTIMS),
        *(Fault(Kind.FREEZE, victim, frozen) for victim in VICTIMS),
        Fault(Kind.AWAY, "redis", away),
        Fault(Kind.FULL, "checkpoints", full),
    ]


def rounds(count: int, seed: int, kinds: list[Fault]) -> list[Round]:
    """``count`` rounds in an order drawn from ``seed``: every fault at both paces before one comes again."""
    draw = random.Random(seed)
    drawn = list[Round]()
    while len(drawn) < count:
        cases = [
            Round(fault, full_speed, draw.uniform(*(RUSH_SECONDS if full_speed else WAIT_SECONDS)))
            for fault, full_speed in product(kinds, (False, True))
        ]
        draw.shuffle(cases)
        drawn += cases
    return drawn[:count]


def inject(stack: Stack, fault: Fault, process: str, meanwhile: Callable[[], None]) -> float:
    """Do it to ``process``, supervisor's name of the victim; ``meanwhile`` is called when it has begun.

    Returns when it is over, with the instant (monotonic, seconds) from which recovery counts: that of a kill, the end
    of everything else. Raises ``MissedError``.
    """
    with _DOING[fault.kind](stack, process):
        began = time.monotonic()
        meanwhile()
        time.sleep(max(0.0, began + fault.seconds - time.monotonic()))
    return began if fault.kind == Kind.KILL else time.monotonic()


@contextmanager
def _killed(stack: Stack, process: str) -> Iterator[None]:
    os.kill(_pid(stack, process), signal.SIGKILL)
    yield


@contextmanager
def _frozen(stack: Stack, process: str) -> Iterator[None]:
    pid = _pid(stack, process)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@contextmanager
def _away(stack: Stack, process: str) -> Iterator[None]:
    stack.stop(process)
    try:
        yield
    finally:
        stack.start(process)


@contextmanager
def _full(stack: Stack, _process: str) -> Iterator[None]:
    """No file of those who write checkpoints may have a single byte: their writes fail, as on a disk that is full.

    A small file system in memory would have to be mounted, which takes root; this takes none. Their logs go through
    supervisor's pipe and go on.
    """
    pids = [_pid(stack, process) for process in WRITERS]
    before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids}
    for pid, (_, hard) in before.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        for pid, limit in before.items():
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)


_DOING = {Kind.KILL: _killed, Kind.FREEZE: _frozen, Kind.AWAY: _away, Kind.FULL: _full}


def _pid(stack: Stack, process: str) -> int:
    if not (pid := stack.pid(process)):
        if process.startswith(PRODUCER):
            raise MissedError
        raise UserError(f"{process} does not run ({stack.state(process)}): see {stack.log(process)}")
    return pid
