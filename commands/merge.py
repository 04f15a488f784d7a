"""iot merge: take the days of a backfill over into the live results."""

from __future__ import annotations

from typing import Annotated

import typer


def merge(
    prefix: Annotated[str, typer.Argument(help="Prefix of the backfill.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace days that are there already.")] = False,
) -> None:
    """Take the days of a backfill over into the live results.

    Its readings come into the live raw series. A site's day is taken as a whole. Exits with 1 when one was refused.
    """
    from rich.console import Console

    from commands.progress import progress
    from commands.results_report import SHOWN, summary
    from infrastructure.settings import load_settings
    from operations import merge as merging
    from operations.replay import day_text

    console = Console(highlight=False, soft_wrap=True)
    settings = load_settings()
    with console.status("comparing"):
        choice = merging.choose(settings, prefix, overwrite=overwrite)
    with progress("readings") as report:
        copied = merging.take_over(settings, prefix, choice, report)
    days = sorted({day for _, day in choice.taken})
    summary(
        console,
        "days written",
        days,
        (
            (len(choice.taken), "days of a site taken over"),
            (len(choice.changes), "results written"),
            (copied, "readings copied to history"),
            (len(choice.same), "days of a site that were there already, the same"),
            (len(choice.refused), "days of a site refused"),
        ),
    )
    for why in dict.fromkeys(choice.refused.values()):
        units = sorted((day, site) for (site, day), reason in choice.refused.items() if reason == why)
        for day, site in units[:SHOWN]:
            console.print(f"refused: {site} {day_text(day)}")
        if len(units) > SHOWN:
            console.print(f"… and {len(units) - SHOWN:,} more")
        console.print(f"[red]{why}[/]")
    if choice.refused:
        raise typer.Exit(1)
