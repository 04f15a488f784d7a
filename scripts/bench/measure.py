"""How a stage is measured: its contenders take turns, and of each the median and the spread count.

A ratio is taken round by round, between two that ran one after the other on the same machine, and then its median: so
a machine that becomes slower in the middle spoils neither.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from topics.errors import UserError

Role = Literal["limit", "ours", "peer"]


class Outcome(msgspec.Struct):
    """One run: its figure (in the row's unit), how many readings (or points) it was about, and what was wrong.

    ``wrong`` tells what a peer got wrong, in words; ``errors`` are differences from what must come out. ``more`` are
    further figures, by name.
    """

    value: float
    amount: int
    wrong: str = ""
    errors: list[str] = []
    more: dict[str, float] = {}


class Row(msgspec.Struct):
    """A contender with the figures of all its rounds; ``failed`` says why there are none."""

    name: str
    role: Role
    unit: str
    values: list[float]
    amount: int = 0
    wrong: str = ""
    note: str = ""
    failed: str = ""
    more: dict[str, list[float]] = {}


class Goal(msgspec.Struct):
    """What is to be reached: ``values`` (one a round) at least, or at most, ``bar``."""

    name: str
    values: list[float]
    bar: float
    at_least: bool = True
    unit: str = ""

    @property
    def median(self) -> float:
        """The middle of the rounds; NaN when there are none."""
        return median(self.values)

    @property
    def reached(self) -> bool:
        """Whether the median keeps the bar."""
        return self.median >= self.bar if self.at_least else self.median <= self.bar


class Stage(msgspec.Struct):
    """What was measured together."""

    name: str
    title: str
    rows: list[Row]
    goals: list[Goal] = []
    notes: list[str] = []


@dataclass(frozen=True)
class Contender:
    """Something that is measured. ``warm``: it runs once before what counts, as long-lived processes want it."""

    name: str
    role: Role
    run: Callable[[], Outcome]
    unit: str = "readings/s"
    note: str = ""
    warm: Callable[[], object] | None = None


class WrongResultError(UserError):
    """The system's own results are not what they must be."""


@dataclass
class Measuring:
    """Runs contenders in turns and tells what it does. Without ``warm`` the median has to bear a cold first round."""

    rounds: int
    said: Callable[[str], None]
    warm: bool = True
    rows: list[Row] = field(default_factory=list)

    def take_turns(self, contenders: Sequence[Contender]) -> list[Row]:
        """The contenders' rows. A peer that fails is out, and its row says why.

        Raises ``WrongResultError`` when a run of the system's own gave wrong results, and what else happens to it.
        """
        rows = {c.name: Row(c.name, c.role, c.unit, [], note=c.note) for c in contenders}
        for contender in contenders:
            if self.warm and contender.warm is not None:
                self.said(f"{contender.name}: warming up")
                contender.warm()
        for turn in range(self.rounds):
            for contender in contenders:
                row = rows[contender.name]
                if not row.failed:
                    self._run(contender, row, turn)
        self.rows += rows.values()
        return list(rows.values())

    def _run(self, contender: Contender, row: Row, turn: int) -> None:
        self.said(f"{contender.name}: round {turn + 1} of {self.rounds}")
        try:
            outcome = contender.run()
        except UserError as error:
            if contender.role != "peer":
                raise
            row.failed, row.values = str(error), []
            self.said(f"{contender.name}: out: {str(error)[:300]}")
            return
        if outcome.errors:
            shown = "\n".join(outcome.errors[:10])
            raise WrongResultError(f"{contender.name}: {len(outcome.errors):,} results are wrong:\n{shown}")
        row.values.append(outcome.value)
        row.amount, row.wrong = outcome.amount, outcome.wrong or row.wrong
        for name, value in outcome.more.items():
            row.more.setdefault(name, []).append(value)
        shown = f"{outcome.value:,.0f}" if outcome.value >= 100 else f"{outcome.value:.3g}"
        self.said(f"{contender.name}: {shown} {contender.unit} {outcome.wrong}".rstrip())


def median(values: Sequence[float]) -> float:
    """The middle; NaN when there is none."""
    return statistics.median(values) if values else float("nan")


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Smallest and largest; NaN when there are none."""
    return (min(values), max(values)) if values else (float("nan"), float("nan"))


def ratios(of: Row, to: Row) -> list[float]:
    """``of`` in units of ``to``, round by round."""
    return [a / b for a, b in zip(of.values, to.values, strict=False) if b]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` (0 to 1) of the values do not exceed; NaN when there are none."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * share // 1) - 1)]
