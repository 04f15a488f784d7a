"""iot deadletter: the records that held no valid reading."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.default_group import group


def list_(
    reason: Annotated[list[str] | None, typer.Option(metavar="REASON", help="Only those; may be repeated.")] = None,
    topic: Annotated[
        str | None, typer.Option(metavar="TOPIC", help="Only those of this topic, without IOT_PREFIX.")
    ] = None,
    pending: Annotated[
        bool, typer.Option("--pending", help="Only those that were not resent yet; reads all of dailyAggr.")
    ] = False,
    last: Annotated[int, typer.Option(min=0, metavar="N", help="Newest letters that are shown.")] = 20,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all of them to a file, to be repaired: JSON, one a line.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """List the records that held no valid reading.

    Where they stood, when they were received (UTC), why they are none, and how they begin. A file that --output has
    written is repaired with an editor or a script; the command resend sends what is in it.
    """
    from commands.dead_letters_session import show

    show(reason or (), topic, pending=pending, last=last, output=output, force=force)


def resend_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What --output has written, repaired.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would become of each; send nothing.")] = False,
) -> None:
    """Send repaired dead letters to dailyAggr, each once.

    The ones that an earlier run has sent are left out. Readings that the job would reject by now as too late are
    not sent: they go to FILE.history.csv, for a backfill. What is no valid reading yet is listed and not sent; the
    exit code is 1 then.
    """
    from commands.dead_letters_session import resend

    resend(file, dry_run=dry_run)


HELP = """List the records that held no valid reading; send them again, repaired.

Without a command: list."""

app = group(HELP, list_, resend_)
