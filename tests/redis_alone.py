"""Redis without the rest of the stack, filled with what a simulation of two houses gives."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

import redis

from infrastructure.home import ROOT
from infrastructure.settings import Settings
from ingest.records import Point
from ingest.series_writer import SeriesWriter
from jobs.tools import INSTALLED
from producer.simulation import Simulation, site_names, ticks_of
from scripts.oracle import Points, expected
from scripts.stack.install import install
from scripts.stack.paths import redis_home
from tests.running import wait_for
from topics import catalogue
from topics.series import OF_NAME, RAW, Series

START = 1577836800000  # 2020-01-01T00:00Z
PASSWORD = "seen-by-nobody"
MAY = ("+ping", "+ts.range", "+ts.mrange", "+ts.mget", "+ts.queryindex")


class Filled(NamedTuple):
    """A Redis as ``viewer`` reads it, and what pandas says it holds."""

    viewer: redis.Redis
    held: dict[Series, Points]


def fill(port: int, directory: Path) -> Filled:
    """Make the user and the series."""
    settings = Settings.of(env_file=None, redis=f"redis://127.0.0.1:{port}/0", data_dir=directory, redis_ingest_user="")
    sensors = catalogue.read(ROOT / "sensors.toml")
    with redis.Redis(port=port) as admin:
        wait_for(lambda: answers(admin), "Redis")
        admin.execute_command("ACL", "SETUSER", "viewer", "on", f">{PASSWORD}", "~*", "-@all", *MAY)
    sites = site_names(2)
    right = expected(Simulation(sensors, seed=1, start=START, sites=sites), ticks_of(14), settings)
    named = {
        series.key(): series
        for kind in OF_NAME
        for site in sites
        for sensor in sensors
        for series in [Series(kind, site, sensor)]
    }
    held = {named[key]: points for key, points in right.items()}
    store = SeriesWriter(settings, sensors)
    store.write([Point(series, ts, value) for series, points in held.items() for ts, value in points.items()])
    store.close()
    beside = SeriesWriter(settings.replace(prefix="again."), sensors)
    beside.write([Point(Series(RAW, "home", "TH1"), START + 1, -99.0)])
    beside.close()
    return Filled(redis.Redis(port=port, username="viewer", password=PASSWORD, lib_name=None, lib_version=None), held)


def serve(port: int, directory: Path) -> subprocess.Popen[bytes]:
    """The stack's Redis, which keeps nothing on disk. On a fresh clone what it needs is installed first."""
    list(install(["openssl"]))
    home = redis_home()
    words = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory), "--save", ""]
    with (directory / "redis.log").open("wb") as log:
        return subprocess.Popen(
            [str(home / "bin" / "redis-server"), *words, "--loadmodule", str(home / "lib" / "redistimeseries.so")],
            env={**os.environ, "LD_LIBRARY_PATH": str(INSTALLED / "openssl")},
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def answers(client: redis.Redis) -> bool:
    """Whether Redis serves commands."""
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
