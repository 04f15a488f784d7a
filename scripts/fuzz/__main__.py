"""python -m scripts.fuzz: whether the job's decoder, Flink's and the contract judge records alike."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer
from rich.console import Console

from commands import terminal
from scripts.fuzz.records import SENSORS, records
from scripts.fuzz.verdicts import compiled, disagreements
from scripts.stack.hints import hint
from topics.errors import UserError

app = typer.Typer(pretty_exceptions_enable=False)
console = Console(highlight=False, soft_wrap=True, markup=False)

AT_ONCE = 100_000
SHOWN = 10


@app.command()
def main(
    count: Annotated[int, typer.Option(min=1, help="Records.")] = 1_000_000,
    seed: Annotated[int, typer.Option(help="The same one gives the same records.")] = 1,
) -> None:
    """Judge valid records with defects three times. Exits with 1 and the records when the verdicts differ."""
    source, judged = records(seed, count), 0
    with compiled(SENSORS) as decoders:
        while batch := list(islice(source, AT_ONCE)):
            if wrong := list(islice(disagreements(batch, decoders.verdicts(batch), SENSORS), SHOWN)):
                raise UserError("the verdicts differ:\n" + "\n".join(wrong))
            judged += len(batch)
            console.print(f"{judged:,} of {count:,} records: the verdicts agree")


if __name__ == "__main__":
    terminal.run(app, "python -m scripts.fuzz", hint)
