"""iot replay: compute days again from the readings that Kafka holds."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Late(StrEnum):
    """What becomes of readings that are too late."""

    REJECT = "reject"
    ACCEPT = "accept"


def replay(
    first: Annotated[
        str | None, typer.Option("--from", help="First day, YYYY-MM-DD.", show_default="the first one there is")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", help="Last day, YYYY-MM-DD.", show_default="the last one that is closed")
    ] = None,
    into: Annotated[
        str | None,
        typer.Option(help="Prefix of topics and series of their own.", show_default="correct the live results"),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help="Prefix of a backfill, to replay its readings into it.", show_default="the live readings"),
    ] = None,
    parallelism: Annotated[
        int | None, typer.Option(min=1, help="Instances of each operator.", show_default="IOT_PARALLELISM, 2")
    ] = None,
    late: Annotated[
        Late | None,
        typer.Option(
            help="Readings that are too late; accept needs --into.", show_default="reject; accept with --source"
        ),
    ] = None,
) -> None:
    """Compute days again from the readings that Kafka holds.

    Beside the live job, and by the same SQL. Without --into the live results are corrected, for those days that the
    live job can no more correct itself.
    """
    from commands.replay_session import run

    accept_late = None if late is None else late == Late.ACCEPT
    run(first, last, into=into, source=source, parallelism=parallelism, accept_late=accept_late)
