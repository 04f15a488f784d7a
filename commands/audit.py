"""iot audit: account for every record of dailyAggr."""

from __future__ import annotations

import typer

from commands.options import Prefix


def audit(prefix: Prefix = None) -> None:
    """Account for every reading.

    Each record of dailyAggr is counted in its day, rejected, a dead letter, or a duplicate of such a one. Exits
    with 1 when one is in none of them, or in more than one.
    """
    from rich.console import Console

    from infrastructure.settings import load_settings
    from operations import audit as accounting
    from topics import catalogue

    console = Console(soft_wrap=True)
    settings = load_settings(prefix=prefix)
    with console.status("reading the topics"):
        account = accounting.audit(settings, catalogue.read(settings.sensors))
    for number, what in (
        (account.records, "records in dailyAggr and history"),
        (account.heartbeats, "heartbeats"),
        (account.invalid, "invalid"),
        (account.repeated, "repeat a reading that was there already"),
        (account.readings + account.history, "readings, each once, of which"),
        (account.history, "  came from backfills"),
        (account.counted, "  are counted in their day"),
        (account.rejected, "  are in lateRej: too late, or their day's state was gone"),
        (account.open, "  belong to a day that is still open"),
        (account.replaced, "  belong to a day that a backfill has replaced"),
        (account.dead_letters, "dead letters, of which"),
        (account.resendable, "  would be valid by now: `iot deadletter --pending`"),
    ):
        console.print(f"{number:>14,}  {what}", highlight=False)
    for line in account.unexplained:
        console.print(f"[red]{line}[/]", highlight=False)
    if account.unexplained:
        raise typer.Exit(1)
    console.print("every reading is accounted for")
