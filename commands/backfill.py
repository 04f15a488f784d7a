"""iot backfill: send the readings of files to topics of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def backfill(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="CSV, also packed with gzip, or Parquet.")],
    into: Annotated[str, typer.Option(metavar="PREFIX", help="Put before the names of the topics, which it creates.")],
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=COLUMN,…",
            help="What the files call sensor, ts, value and site, for instance ts=time,value=reading,sensor=name; "
            "in the wide form sensors too: TH1=bedroom.",
        ),
    ] = None,
    sensors: Annotated[
        Path | None, typer.Option(help="The sensor catalogue.", show_default="IOT_SENSORS", resolve_path=True)
    ] = None,
) -> None:
    """Send the readings of files to topics of their own.

    Long form: columns sensor, ts, value. Wide form: ts and a column for each sensor. Both with or without site.
    ts is in epoch milliseconds, or ISO 8601 (UTC where no offset stands).

    Rows that are no readings go to FILE.rejected.csv, with line and reason. Interrupted, the same command goes on
    where it was. Exits with 1 when sensors are unknown, a file breaks off, or a reading was not acknowledged.
    """
    # pandas takes half a second, which the simulation need not wait for.
    from commands.backfill_session import send

    send(files, into=into, columns=columns, sensors=sensors)
