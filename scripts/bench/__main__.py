"""python -m scripts.bench: the system beside its limits, and beside what else one would use."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from commands import terminal
from infrastructure.home import ROOT
from infrastructure.kafka import admin
from scripts import warm
from scripts.bench import end_to_end, footprint, growth, hardware, ingest, job, latency, peers, producer, report
from scripts.bench.dataset import Dataset
from scripts.bench.ground import Ground, ground
from scripts.bench.measure import Measuring, Row, Stage
from scripts.bench.sizes import FULL, QUICK, TINY, Size, StageName
from scripts.stack.hints import hint

app = typer.Typer(pretty_exceptions_enable=False)
console = Console(highlight=False, stderr=True)
DOCS = ROOT / "docs" / "operations"
NAME = "benchmarks"


SPEED = (StageName.PRODUCER, StageName.JOB, StageName.INGEST, StageName.GROWTH)
"""Stages on a roomy stack. The others run on one as it is shipped."""


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer readings, fewer peers: three minutes.")] = False,
    tiny: Annotated[bool, typer.Option("--tiny", help="Everything once, over next to nothing: does it work?")] = False,
    stages: Annotated[
        list[StageName] | None, typer.Option("--stage", help="A stage to run.", show_default="all")
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="Rounds of each contender.", show_default="3")] = None,
    output: Annotated[Path, typer.Option(help="Directory for the results.")] = ROOT / ".local" / "bench",
    record: Annotated[bool, typer.Option("--record", help="Write docs/operations/benchmarks.* as well.")] = False,
) -> None:
    """Measure, compare every result with pandas, and write JSON, Markdown and a plot.

    ``--quick`` runs the whole way once and warms nothing up. It leaves out growth, which shows in many readings only;
    PyFlink and Pathway, which start for longer than they would then work; and slower configurations of Bytewax.

    On stacks of its own, which are gone in the end; what runs meanwhile on this machine spoils the figures. Exits with
    1 when a result of the system is wrong. A bar that is missed is told, and is no error.
    """
    if context.invoked_subcommand is not None:
        return
    size = TINY if tiny else QUICK if quick else FULL
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended by whomever, it leaves nothing behind
    began, made = time.monotonic(), datetime.now(UTC)
    machine = hardware.machine()
    said = _saying(began)
    wanted = tuple(stages or size.stages)
    if {StageName.JOB, StageName.INGEST} & set(wanted):
        peers.install(said)
    measuring = Measuring(rounds or size.rounds, said, size.warm)

    def result(found: list[Stage]) -> report.Report:
        there = {stage.name for stage in found}
        return report.Report(
            made=f"{made:%Y-%m-%d}",
            size=size.name,
            command=" ".join(
                ["python -m scripts.bench", *_options(quick=quick, tiny=tiny), *(f"--stage {n}" for n in stages or ())]
            ),
            seconds=time.monotonic() - began,
            rounds=measuring.rounds,
            machine=machine,
            versions=hardware.versions(),
            stages=found,
            left_out=[*size.left_out, *(name.value for name in size.stages if name.value not in there)],
        )

    found: list[Stage] = []
    try:
        for found in Session(size, measuring).run(wanted):
            report.write(result(found), output, NAME)  # what a run has that does not come to its end
    finally:
        warm.shut_down()
    whole = result(found)
    told = report.write(whole, output, NAME)
    if record:
        report.write(whole, DOCS, NAME)
    for goal in whole.missed:
        said(f"missed: {goal.name}: {report.number(goal.median)}, the bar is {report.number(goal.bar)}")
    console.print(f"{told}, beside it {NAME}.json and {report.PLOT}", soft_wrap=True)


@app.command("report")
def shown(
    file: Annotated[Path, typer.Argument(help="benchmarks.json of a run.")],
    into: Annotated[Path, typer.Option(help="Directory.")] = DOCS,
) -> None:
    """Write a run's Markdown and plot again."""
    report.write(report.read(file), into, NAME)


@dataclass
class Session:
    """The stages of one run, on the stacks that they want."""

    size: Size
    measuring: Measuring
    stages: list[Stage] = field(default_factory=list)
    memory: footprint.Memory | None = None

    def run(self, wanted: tuple[StageName, ...]) -> Iterator[list[Stage]]:
        """All of them, told after each; those that need no roomy stack come last."""
        speed = [name for name in SPEED if name in wanted]
        rest = [name for name in StageName if name in wanted and name not in SPEED]
        turns = [(self.size.roomy, speed), ({}, rest)] if self.size.roomy else [({}, speed + rest)]
        for others, names in turns:
            if names:
                with ExitStack() as around:
                    if StageName.JOB in names:
                        around.enter_context(peers.python_operators())
                    stack = around.enter_context(ground(self.measuring.said, **others))
                    for name in names:
                        self.measuring.said(f"== {name}")
                        self.stages.append(self._stage(name, stack))
                        yield self.stages

    def _stage(self, name: StageName, stack: Ground) -> Stage:
        size, measuring = self.size, self.measuring

        def data(called: str, of: tuple[int, int]) -> Dataset:
            return Dataset(stack.settings, called, *of)

        match name:
            case StageName.PRODUCER:
                return producer.stage(measuring, data("sent", size.sent))
            case StageName.JOB:
                with filled(
                    measuring.said, data("job", size.job), data("fast", size.fast), data("slow", size.slow)
                ) as d:
                    whole, fast, slow = d
                    others = [(peer, fast if peer.fast else slow) for peer in size.windows]
                    return job.stage(measuring, stack.stack, whole, fast, others)
            case StageName.INGEST:
                with filled(measuring.said, data("stored", size.stored), data("few", size.few)) as d:
                    return ingest.stage(measuring, d[0], d[1], list(size.sinks))
            case StageName.GROWTH:
                return growth.stage(measuring, stack, size.growth, size.growing, size.days_open)
            case StageName.LATENCY:
                return latency.stage(data("paced", (latency.SITES, size.paced_days)))
            case StageName.END_TO_END:
                few = replace(measuring, rounds=size.whole_rounds or measuring.rounds)
                return end_to_end.stage(few, data("whole", size.whole), self._alone(), self._memory(stack))
            case StageName.FOOTPRINT:
                if not (memory := self._memory(stack)).most:
                    end_to_end.Run(data("whole", size.whole), memory).once()
                return footprint.stage(stack, memory)

    def _memory(self, stack: Ground) -> footprint.Memory:
        self.memory = self.memory or footprint.Memory(stack.stack)
        return self.memory

    def _alone(self) -> list[Row]:
        """What the stages of the way have reached for themselves."""
        way = (StageName.PRODUCER, StageName.JOB, StageName.INGEST)
        return [row for stage in self.stages if stage.name in way for row in stage.rows if row.role == "ours"]


@contextmanager
def filled(said: Callable[[str], None], *data: Dataset) -> Iterator[tuple[Dataset, ...]]:
    """Datasets in their topics, until the block is left."""
    try:
        for each in data:
            each.fill(said)
        yield data
    finally:
        for each in data:
            admin.delete(each.settings)


def _options(**given: bool) -> Iterator[str]:
    return (f"--{name}" for name, is_given in given.items() if is_given)


def _saying(began: float) -> Callable[[str], None]:
    return lambda line: console.print(f"{time.monotonic() - began:7.1f} s  {line}", soft_wrap=True, markup=False)


if __name__ == "__main__":
    terminal.run(app, "python -m scripts.bench", hint)
