"""The job over a bounded topic, the same source into blackhole, and the daily windows of others.

The limit reads by Flink's own JSON decoder: so a ratio to it says the same whatever the job's own decoder becomes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from infrastructure.kafka import admin
from jobs.daily_aggregates import SPEC
from jobs.statements import texts
from operations import replay
from scripts.bench import bounded, peers
from scripts.bench.bounded import THE_JOB, Declaration
from scripts.bench.dataset import Daily, Dataset, judge
from scripts.bench.measure import Contender, Goal, Measuring, Outcome, Row, Stage, median, ratios
from scripts.bench.peers import Peer
from scripts.oracle import Points, compare, published
from scripts.stack.supervision import Stack
from topics.errors import UserError
from topics.reading import HEARTBEAT

SQL = Path(__file__).with_name("sql")
INTO_BLACKHOLE = (SQL / "blackhole.sql", SQL / "into_blackhole.sql")
SOURCE = Declaration((SPEC.files[0], *INTO_BLACKHOLE))
"""The job's own source."""

SHARE = 0.5
TIMES_FAST, TIMES_SLOW = 10, 100


@dataclass
class Job:
    """The job over a dataset that stands in its topic, and what must come of it."""

    stack: Stack
    data: Dataset
    wanted: dict[str, Points]

    def warm(self) -> None:
        """Have the JVM compile what the job will run; its source is within it."""
        self._cost(THE_JOB)

    def run(self) -> Outcome:
        """The whole job once, its results compared."""
        cost = self._cost(THE_JOB)
        errors = compare(published(self.data.settings), self.wanted).differences
        return self._outcome(cost, errors)

    def limit(self) -> Outcome:
        """Readings into blackhole, by Flink's JSON decoder."""
        sensors = texts([HEARTBEAT, *self.data.simulation.catalogue])
        files = (SQL / "json_readings.sql", *INTO_BLACKHOLE)
        return self._outcome(self._cost(Declaration(files, {"sensor_texts": sensors})), [])

    def source(self) -> Outcome:
        """Readings into blackhole, by the job's decoder."""
        return self._outcome(self._cost(SOURCE), [])

    def _cost(self, declaration: Declaration) -> bounded.Cost:
        settings = self.data.settings
        replay.clear(settings, SPEC)
        admin.create(settings)
        bounds = bounded.everything(settings, self.data.last_day)
        cost = bounded.run(settings, self.stack.pid("taskmanager"), declaration, bounds)
        if cost is None:
            raise UserError("the job was given up: it takes too long")
        return cost

    def _outcome(self, cost: bounded.Cost, errors: list[str]) -> Outcome:
        readings = self.data.readings
        more = {"processor, µs/reading": cost.processor / readings * 1e6}
        return Outcome(readings / cost.seconds, readings, errors=errors, more=more)


def stage(
    measuring: Measuring, stack: Stack, data: Dataset, warming: Dataset, others: list[tuple[Peer, Dataset]]
) -> Stage:
    """All of it; ``warming`` is run before, and each peer comes with its readings. Raises ``WrongResultError``."""
    job, before = Job(stack, data, data.expected()), Job(stack, warming, {})
    contenders = [
        Contender("source → blackhole", "limit", job.limit, note="Flink's JSON decoder", warm=before.limit),
        Contender("source → blackhole, the job's decoder", "limit", job.source),
        Contender(
            "the job",
            "ours",
            job.run,
            note="all series, gate, lateness, duplicates",
            warm=before.warm,
        ),
    ]
    wanted: dict[str, Daily] = {}
    for peer, its_data in others:
        if its_data.name not in wanted:
            wanted[its_data.name] = its_data.daily()
        contenders.append(_peer(peer, its_data, wanted[its_data.name]))
    rows = measuring.take_turns(contenders)
    limit, source, ours = rows[:3]
    goals = [Goal("job / limit", ratios(ours, limit), SHARE), *_against(ours, rows[3:], [peer for peer, _ in others])]
    notes = [
        f"{data.readings:,} readings of {data.sensors:,} sensors, {data.days} days",
        f"The job reaches {median(ratios(ours, source)):.2f} of its own source into blackhole.",
    ]
    return Stage("job", "Job", rows, goals, notes)


def _peer(peer: Peer, data: Dataset, wanted: Daily) -> Contender:
    def run() -> Outcome:
        found = peers.run(peer, data)
        verdict = judge(wanted, data.settled_day, found.windows, found.rejected)
        of = f"; {len(wanted.rejected):,} are too late"
        return Outcome(data.readings / found.seconds, data.readings, wrong=f"{verdict}{of}")

    return Contender(peer.name, "peer", run, note=peer.note)


def _against(ours: Row, rows: list[Row], those: list[Peer]) -> list[Goal]:
    """Against each product in its best configuration."""
    best: dict[str, tuple[Row, Peer]] = {}
    for row, peer in zip(rows, those, strict=True):
        if row.values and (peer.product not in best or max(row.values) > max(best[peer.product][0].values)):
            best[peer.product] = (row, peer)
    return [
        Goal(f"job / {row.name}", ratios(ours, row), TIMES_FAST if peer.fast else TIMES_SLOW)
        for row, peer in best.values()
    ]
