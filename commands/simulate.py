"""iot simulate, python -m producer: simulated sensors that publish to dailyAggr."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

START = "2020-01-01"


def simulate(
    days: Annotated[
        int | None,
        typer.Option(min=1, help="Days that are closed downstream in the end.", show_default="until Ctrl-C"),
    ] = None,
    start: Annotated[str, typer.Option(help="First day of the simulation, YYYY-MM-DD, UTC.")] = START,
    speed: Annotated[
        str, typer.Option(help="Ticks of 15 minutes in a second, or max: as fast as the broker takes them.")
    ] = "1",
    seed: Annotated[int, typer.Option(help="Names the values: the same seed gives the same readings.")] = 1,
    sites: Annotated[int, typer.Option(min=1, help="Houses: home, site-0002, site-0003, …")] = 1,
    sensors: Annotated[
        Path | None, typer.Option(help="The sensor catalogue.", show_default="IOT_SENSORS", resolve_path=True)
    ] = None,
) -> None:
    """Simulate houses and publish their readings to dailyAggr.

    Stopped (Ctrl-C, SIGTERM) and started again it goes on where the topic ends: no gap, no double. Exits with 1 when
    a reading was not acknowledged.
    """
    from commands.simulate_session import simulate as run

    run(days=days, start=start, speed=speed, seed=seed, sites=sites, sensors=sensors)
