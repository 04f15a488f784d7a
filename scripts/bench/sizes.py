"""How much a run measures."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from scripts.bench import peers, report
from scripts.bench.ground import ROOMY
from scripts.bench.peers import Peer


class StageName(StrEnum):
    """What can be measured for itself."""

    PRODUCER = "producer"
    JOB = "job"
    INGEST = "ingest"
    GROWTH = "growth"
    LATENCY = "latency"
    END_TO_END = "end_to_end"
    FOOTPRINT = "footprint"


@dataclass(frozen=True)
class Size:
    """How much is measured: houses (of ten sensors) and days of each stage's readings, rounds, and by whom.

    ``whole_rounds``: of the whole way, where they are others. ``warm``: contenders that want it run once before.
    """

    name: str
    rounds: int
    sent: tuple[int, int]
    job: tuple[int, int]
    fast: tuple[int, int]
    slow: tuple[int, int]
    stored: tuple[int, int]
    few: tuple[int, int]
    whole: tuple[int, int]
    paced_days: int
    growth: int
    growing: tuple[int, ...]
    days_open: tuple[int, ...]
    windows: tuple[Peer, ...]
    sinks: tuple[Peer, ...]
    stages: tuple[StageName, ...]
    roomy: dict[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    warm: bool = True
    whole_rounds: int | None = None


FULL = Size(
    name=report.FULL,
    rounds=3,
    sent=(500, 20),
    job=(500, 84),
    fast=(500, 6),
    slow=(30, 7),
    stored=(500, 10),
    few=(20, 4),
    whole=(500, 10),
    paced_days=6,
    growth=4_000_000,
    growing=(10, 100, 1_000, 10_000),
    days_open=(1, 10, 60),
    windows=peers.WINDOWS,
    sinks=(peers.TS_ADD, peers.QUIX_REDIS),
    stages=tuple(StageName),
    roomy=ROOMY,
)
QUICK = Size(
    name="quick: far fewer readings",
    rounds=3,
    warm=False,
    whole_rounds=1,
    sent=(250, 1),
    job=(100, 2),
    fast=(50, 4),
    slow=(5, 7),
    stored=(250, 1),
    few=(1, 4),
    whole=(100, 2),
    paced_days=1,
    growth=0,
    growing=(),
    days_open=(),
    windows=(peers.BYTEWAX_PROCESSES, peers.QUIX),
    sinks=(peers.TS_ADD,),
    stages=tuple(stage for stage in StageName if stage is not StageName.GROWTH),
    left_out=(
        "cost as work grows",
        "Pathway, PyFlink and Bytewax's slower configurations",
        "Redis sink of Quix Streams",
    ),
)
TINY = Size(
    name="tiny: a try, no measurement",
    rounds=1,
    warm=False,
    sent=(20, 2),
    job=(20, 7),
    fast=(20, 7),
    slow=(2, 7),
    stored=(20, 2),
    few=(2, 2),
    whole=(20, 3),
    paced_days=2,
    growth=100_000,
    growing=(2, 20),
    days_open=(1, 10),
    windows=peers.WINDOWS,
    sinks=(peers.TS_ADD, peers.QUIX_REDIS),
    stages=tuple(StageName),
)
