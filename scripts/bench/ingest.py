"""Readings into RedisTimeSeries: the bridge, redis-benchmark with the same batch, and what others would write."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from infrastructure.passwords import password_of
from infrastructure.redis.client import redis_client
from infrastructure.settings import Settings
from jobs.tools import INSTALLED
from scripts import oracle
from scripts.bench import bridge_run, peers
from scripts.bench.dataset import Dataset
from scripts.bench.measure import Contender, Goal, Measuring, Outcome, Stage, WrongResultError, ratios
from scripts.bench.peers import Peer
from scripts.stack.paths import redis_home
from topics.errors import UserError
from topics.names import sensor_key
from topics.series import RAW, Series

SHARE = 0.6
CONNECTIONS = 2
"""Of redis-benchmark: the server never waits for a client."""
LEAST_CALLS = 400
"""Fewer are over before its clock has moved."""
CHECKED = 3
"""Houses whose raw series are compared point by point; of all of them the number of points is."""
AT_ONCE = 10_000


def stage(measuring: Measuring, data: Dataset, few: Dataset, others: list[Peer]) -> Stage:
    """All of them; the peers store ``few``. Raises ``WrongResultError``."""
    settings = data.settings
    turn = iter(range(10**6))

    def limit() -> Outcome:
        return Outcome(_madd(settings, data), data.readings)

    def ours() -> Outcome:
        clear(settings)
        own = settings.replace(ingest_group=f"ingest-{next(turn)}")
        writes = bridge_run.Writes(settings)
        with bridge_run.running(own, bridge_run.BRIDGE):
            began, ended = bridge_run.watch(writes, lambda: bridge_run.caught_up(own))
        writes.close()
        return Outcome(data.readings / (ended - began), data.readings, errors=wrong(data))

    contenders = [
        Contender("redis-benchmark TS.MADD", "limit", limit, "points/s", f"batches of {settings.ingest.batch:,}"),
        Contender("the bridge", "ours", ours, "points/s", "decodes, judges, writes, knows that it is on disk"),
        *(_peer(peer, few) for peer in others),
    ]
    rows = measuring.take_turns(contenders)
    clear(settings)
    goals = [Goal("bridge / limit", ratios(rows[1], rows[0]), SHARE)]
    notes = [f"{data.readings:,} readings of {data.sensors:,} sensors; others {few.readings:,}"] if others else []
    return Stage("ingest", "Kafka → RedisTimeSeries", rows, goals, notes)


def wrong(data: Dataset) -> list[str]:
    """What is wrong with the raw series that Redis holds."""
    with redis_client(data.settings.redis, "admin") as client:
        pipeline = client.pipeline(transaction=False)
        for key in client.execute_command("TS.QUERYINDEX", f"series={RAW}", f"prefix={data.settings.prefix}"):
            pipeline.execute_command("TS.INFO", key)
        count = sum(dict(zip(flat[::2], flat[1::2], strict=True))[b"totalSamples"] for flat in pipeline.execute())
    errors = [] if count == data.readings else [f"{count:,} raw points are stored, {data.readings:,} were sent"]
    sites = data.simulation.sites[:: max(1, data.sites // CHECKED)][:CHECKED]
    wanted = _raw(data, sites)
    found = {key: points for key, points in oracle.stored(data.settings, sites).items() if key in wanted}
    return errors + oracle.compare(found, wanted).differences


def refuse(errors: list[str]) -> None:
    """Raise ``WrongResultError`` when there are any."""
    if errors:
        shown = "\n".join(errors[:10])
        raise WrongResultError(f"{len(errors):,} points are wrong:\n{shown}")


def clear(settings: Settings) -> None:
    """Delete every key of the prefix."""
    with redis_client(settings.redis, "admin") as client:
        keys: list[bytes] = []
        for key in client.scan_iter(f"{settings.prefix}*", count=AT_ONCE):
            keys.append(key)
            if len(keys) == AT_ONCE:
                client.unlink(*keys)
                keys.clear()
        if keys:
            client.unlink(*keys)


def _raw(data: Dataset, sites: Sequence[str]) -> dict[str, oracle.Points]:
    """Raw series of some houses, by key in Redis."""
    whole = data.simulation
    frame = oracle.readings(type(whole)(whole.catalogue, whole.seed, whole.start, list(sites)), data.ticks)
    return {
        Series(RAW, str(site), str(sensor)).key(data.settings.prefix): dict(
            zip(group.ts.tolist(), group.value.tolist(), strict=True)
        )
        for (site, sensor), group in frame.groupby(["site", "sensor"], observed=True)
    }


def _madd(settings: Settings, data: Dataset) -> float:
    """Points a second of redis-benchmark: the bridge's batch, into the same log.

    Each point of a batch has a series of its own: they all have one time, and would be duplicates otherwise.
    """
    prefix = f"{settings.prefix}limit."
    keys = [f"{prefix}{number}" for number in range(settings.ingest.batch)]
    with redis_client(settings.redis, "admin") as client:
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            pipeline.execute_command("TS.CREATE", key, "DUPLICATE_POLICY", "FIRST", "LABELS", "site", "limit")
        pipeline.execute()
    points = [word for key in keys for word in (key, "*", "21.5")]
    calls = max(LEAST_CALLS, data.readings // settings.ingest.batch)
    command = [str(redis_home() / "bin" / "redis-benchmark"), "-p", str(settings.redis.port), "--csv", "-P", "1"]
    command += ["--user", settings.redis.ingest_user, "-a", password_of(settings, "redis_ingest_password")]
    done = subprocess.run(
        [*command, "-c", str(CONNECTIONS), "-n", str(calls), "TS.MADD", *points],
        env={**os.environ, "LD_LIBRARY_PATH": str(INSTALLED / "openssl")},
        capture_output=True,
        text=True,
    )
    clear(settings.replace(prefix=prefix))
    try:
        last = done.stdout.strip().splitlines()[-1].split('","')
        return float(last[1]) * settings.ingest.batch
    except (IndexError, ValueError):
        raise UserError(f"redis-benchmark has failed: {(done.stdout + done.stderr)[-300:]}") from None


def _peer(peer: Peer, data: Dataset) -> Contender:
    settings = data.settings

    def run() -> Outcome:
        clear(settings)
        with tempfile.TemporaryDirectory(prefix="iot-peer-") as directory:
            told = peers.program(peer, data, Path(directory), prefix=settings.prefix, batch=settings.ingest.batch)
        right = COUNTED[peer.program](data)
        clear(settings)
        return Outcome(data.readings / float(told["seconds"]), data.readings, wrong=right)

    return Contender(peer.name, "peer", run, "points/s", peer.note)


def _series(data: Dataset) -> str:
    """How many points are right, of a peer that writes series."""
    right = total = 0
    wanted = _raw(data, data.simulation.sites)
    with redis_client(data.settings.redis, "admin") as client:
        pipeline = client.pipeline(transaction=False)
        for key in wanted:
            pipeline.execute_command("TS.RANGE", key, "-", "+")
        for (_, points), answer in zip(wanted.items(), pipeline.execute(raise_on_error=False), strict=True):
            found = {} if isinstance(answer, Exception) else {int(ts): float(value) for ts, value in answer}
            total += len(points)
            right += sum(found.get(ts) == value for ts, value in points.items())
    return f"{total - right:,} points"


def _keys(data: Dataset) -> str:
    """The same of one that writes keys: it has no series."""
    right = total = 0
    prefix = data.settings.prefix
    with redis_client(data.settings.redis, "admin") as client:
        for site in data.simulation.sites:
            for key, points in _raw(data, [site]).items():
                sensor = key.removeprefix(prefix).split(":")[-1]
                names = [f"{prefix}{sensor_key(site, sensor)}@{ts}" for ts in points]
                values = client.mget(names)
                total += len(points)
                pairs = zip(values, points.values(), strict=True)
                right += sum(value is not None and float(value) == point for value, point in pairs)
    return f"{total - right:,} values; all {total:,} points are plain keys, not series"


COUNTED: dict[str, Callable[[Dataset], str]] = {"ts_add.py": _series, "quix_redis.py": _keys}
"""How the points of each program are counted."""
