"""A run as JSON, as Markdown, and as a plot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from scripts.bench.hardware import BUSY
from scripts.bench.measure import Goal, Stage, median, spread
from scripts.bench.plot import drawn
from topics.errors import UserError

PLOT = "benchmarks.svg"
QUIET_PERCENT = 20
FULL = "full size"
"""Name of the size whose figures count."""


class Report(msgspec.Struct):
    """One run of the benchmarks. ``made`` is its date; ``size`` says how large it was (full, quick, …)."""

    made: str
    size: str
    command: str
    seconds: float
    rounds: int
    machine: dict[str, str]
    versions: dict[str, str]
    stages: list[Stage]
    left_out: list[str] = []

    @property
    def missed(self) -> list[Goal]:
        """Goals that were not reached."""
        return [goal for stage in self.stages for goal in stage.goals if not goal.reached]


def write(report: Report, directory: Path, name: str) -> Path:
    """Write ``name``.json, its Markdown and the plot; returns the path of the Markdown."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
    (directory / PLOT).write_text(drawn(report.stages), encoding="utf-8")
    markdown = directory / f"{name}.md"
    markdown.write_text("\n".join(lines(report)) + "\n", encoding="utf-8")
    return markdown


def read(file: Path) -> Report:
    """A run that was written. Raises ``UserError`` when the file holds none."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Report)
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise UserError(f"{file} is no report of `python -m scripts.bench`: {error}") from error


def lines(report: Report) -> Iterator[str]:
    """The Markdown."""
    yield "# Benchmarks"
    yield ""
    yield (
        f"Made by `{report.command}` on {report.made} in {report.seconds / 60:.0f} min: {report.size}, "
        f"{report.rounds} rounds. Contenders of a stage take turns; figures are medians, with the smallest and the "
        "largest; ratios are taken round by round. After each run of the system its results were compared with what "
        "pandas computes; one that differs ends the benchmark."
    )
    yield ""
    yield from _cautions(report)
    yield from _table(["to reach", "", "measured", "", ""], [_goal(goal) for s in report.stages for goal in s.goals])
    yield f"![speeds]({PLOT})"
    yield ""
    if report.left_out:
        yield f"Left out: {'; '.join(report.left_out)}."
        yield ""
    for stage in report.stages:
        yield f"## {stage.title}"
        yield ""
        for note in stage.notes:
            yield f"{note}  "
        yield ""
        yield from _table(*_rows(stage))
    yield "## Machine and versions"
    yield ""
    both = [*report.machine.items(), *report.versions.items()]
    yield from _table(["what", "which"], [[name, value] for name, value in both])


def _cautions(report: Report) -> Iterator[str]:
    """What keeps a run from being one to quote."""
    cautions = []
    if report.size != FULL:
        cautions.append(f"it is not of full size ({report.size})")
    busy = report.machine.get(BUSY, "0 %")
    if float(busy.removesuffix(" %")) > QUIET_PERCENT:
        cautions.append(f"other work went on: the processors were {busy} busy when it began")
    if cautions:
        yield f"**Not a run to quote:** {', and '.join(cautions)}."
        yield ""


def _goal(goal: Goal) -> list[str]:
    low, high = spread(goal.values)
    bar = f"{'≥' if goal.at_least else '≤'} {goal.bar:,g}{_unit(goal)}"
    between = f"{number(low)}–{number(high)}" if len(goal.values) > 1 else ""
    return [goal.name, bar, number(goal.median) + _unit(goal), between, "reached" if goal.reached else "**missed**"]


def _unit(goal: Goal) -> str:
    return f" {goal.unit}" if goal.unit else "×"


def _rows(stage: Stage) -> tuple[list[str], list[list[str]]]:
    """The columns that something stands in."""
    limit = next((row for row in stage.rows if row.role == "limit"), None)
    more = list(dict.fromkeys(name for row in stage.rows for name in row.more))
    head = ["", "median", "min–max", "unit", "of the limit", "readings", *more, "wrong", "remark"]
    body = []
    for row in stage.rows:
        low, high = spread(row.values)
        share = (
            f"{median(row.values) / median(limit.values):.2f}"
            if limit and row.values and row.unit == limit.unit
            else ""
        )
        body.append(
            [
                f"**{row.name}**" if row.role == "ours" else row.name,
                number(median(row.values)) if row.values else "failed",
                f"{number(low)}–{number(high)}" if len(row.values) > 1 else "",
                row.unit,
                share,
                f"{row.amount:,}" if row.amount else "",
                *(number(median(row.more[name])) if name in row.more else "" for name in more),
                row.wrong,
                row.failed.splitlines()[-1][:120] if row.failed else row.note,
            ]
        )
    used = [n for n in range(len(head)) if n < 2 or any(cells[n] for cells in body)]
    return [head[n] for n in used], [[cells[n] for n in used] for cells in body]


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> Iterator[str]:
    if not body:
        return
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for cells in body:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def number(value: float) -> str:
    """As many digits as one reads."""
    if value != value:  # noqa: PLR0124 - not a number
        return "–"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"
