"""From a file to the live series: backfill, replay, merge, against pandas."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from confluent_kafka import Consumer, TopicPartition

from infrastructure.home import ROOT
from infrastructure.kafka import admin, offsets
from infrastructure.kafka.client import kafka_options
from infrastructure.settings import Settings
from operations import audit, merge, results
from scripts import oracle
from tests.jobs.test_lateness import DAY, HOUR, House
from tests.operations.test_replay import SENSORS, command, same, spoil
from tests.running import Bridging, wait_for
from topics.errors import UserError
from topics.names import READINGS
from topics.series import Series

FIRST = 1_546_300_800_000
"""2019-01-01"""
DAYS = 12


def history(path: Path) -> pd.DataFrame:
    """Twelve days of a house in a file, sensor after sensor and backwards in time: no clock could judge that."""
    rng = np.random.default_rng(1)
    frames = []
    for sensor, step in (("TH1", 15), ("HVAC1", 15), ("HVAC2", 15), ("MiAC1", 30), ("MiAC2", 60), ("Etot", 1440)):
        ts = np.arange(FIRST, FIRST + DAYS * DAY, step * 60_000)[::-1]
        value = np.arange(len(ts))[::-1] * 60_000.5 if sensor == "Etot" else rng.uniform(0, 100, len(ts)).round(1)
        frames.append(pd.DataFrame({"sensor": sensor, "ts": ts, "value": value}))
    frame = pd.concat(frames, ignore_index=True)
    frame.to_csv(path, index=False)
    return frame


def expected(frame: pd.DataFrame) -> dict[str, oracle.Points]:
    """Raw and derived series of a history that is counted as a whole."""
    points: dict[str, oracle.Points] = {}

    def put(kind: str, sensor: str, values: pd.Series[float]) -> None:
        points[Series(kind, "home", sensor).key()] = {int(ts): float(v) for ts, v in values.items()}  # type: ignore[call-overload]

    for sensor, rows in frame.groupby("sensor"):
        days = rows.groupby(rows.ts // DAY * DAY).value
        put("raw", str(sensor), rows.set_index("ts").value)
        put("AggDayCount", str(sensor), days.count().astype(float))
        if sensor == "Etot":
            put("AggDayDiff", "Etot", days.max().sort_index().diff().dropna())
        else:
            put("AggDay", str(sensor), days.mean() if sensor == "TH1" else days.sum())
    consumed = sum(pd.Series(points[f"AggDay{sensor}"]) for sensor in ("HVAC1", "HVAC2", "MiAC1", "MiAC2"))
    put("AggDayRest", "Etot", (pd.Series(points["AggDayDiffEtot"]) - consumed).dropna())
    return points


def process(settings: Settings, *words: str) -> str:
    """A command as users run it; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env={**os.environ, **settings.environment()},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def stored(settings: Settings) -> dict[str, oracle.Points]:
    return {key.removeprefix(settings.prefix): points for key, points in oracle.stored(settings).items()}


@pytest.mark.timeout(300)
def test_history_of_a_file_becomes_part_of_the_live_series(
    settings: Settings, bridge: Bridging, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "house.csv"
    wanted = expected(history(path))
    source = f"old-{settings.prefix}"
    old = settings.replace(prefix=source)
    try:
        process(settings, "producer", "backfill", str(path), "--into", source)
        said = process(settings, "jobs", "replay", "--source", source)
        assert "12  days computed: 2019-01-01 to 2019-01-12" in said
        assert same(stored(old), wanted), "the series of the prefix"

        # The live results have another value for one day: that site's day is refused, all others are taken.
        one = merge.choose(settings, source, overwrite=False)
        assert (len(one.taken), one.refused) == (DAYS, {})
        third = FIRST + 2 * DAY
        mean = next(c for c in one.changes if c.point[0] == "AggDay" and c.point[2:4] == ("TH1", third))
        assert mean.new is not None
        record = mean.new.record.replace(b'"count":96', b'"count":95')
        results.write(settings, [mean._replace(new=mean.new._replace(record=record))])
        with pytest.raises(SystemExit):
            command(settings, monkeypatch, "merge", source)
        wait_for(lambda: len(stored(settings).get("AggDayCountTH1", {})) == DAYS - 1, "eleven days")
        assert third not in stored(settings)["AggDayCountTH1"]
        assert third not in stored(settings)["TH1"], "its readings were left out too"

        said = command(settings, monkeypatch, "merge", source, "--overwrite")
        assert "1  days of a site taken over" in said
        wait_for(lambda: same(stored(settings), wanted), "the live series")
        account = audit.audit(settings, SENSORS)
        assert (account.unexplained, account.history) == ([], sum(len(wanted[s]) for s in SENSORS if s in wanted))
        assert "0  results written" in command(settings, monkeypatch, "merge", source)

        # The same file into another prefix: what is there already is not written or copied again.
        twin = settings.replace(prefix=f"twin-{settings.prefix}")
        admin.create(twin)
        results.write(twin, results.differences(results.Results(), results.read(old)))
        choice = merge.choose(settings, twin.prefix, overwrite=True)
        assert (choice.taken, len(choice.same)) == (set(), DAYS)
        admin.delete(twin)

        # A replay of the live readings leaves these days alone.
        live(settings, FIRST + 40 * DAY)
        said = command(settings, monkeypatch, "replay", "--from", "2018-12-01")
        assert "results of a backfill left as they are" in said
        assert same({k: p for k, p in oracle.published(settings).items() if k in wanted}, derived(wanted))

        # Days that the live job may still correct are not taken.
        spoil(settings, FIRST, FIRST + DAYS * DAY)
        choice = merge.choose(settings, source, overwrite=True)
        assert choice.refused == {}
        live(settings, FIRST + 40 * DAY, upto=FIRST + 5 * DAY)
        choice = merge.choose(settings, source, overwrite=True)
        assert choice.taken == set()
        assert "the live job may still correct them: it is at 2019-01-04 23:59:50" in next(
            iter(choice.refused.values())
        )
    finally:
        admin.delete(old)


def derived(points: dict[str, oracle.Points]) -> dict[str, oracle.Points]:
    return {key: of for key, of in points.items() if key not in SENSORS}


def live(settings: Settings, end: int, upto: int | None = None) -> None:
    """Live readings from forty days after the history on, which the live job has read up to a time."""
    topic = settings.prefix + READINGS
    if not any(offsets.end_offsets(settings.kafka, topic).values()):
        house = House(settings)
        for hour in range((end - FIRST) // HOUR + 1):
            house.time_is(FIRST + hour * HOUR) if hour % 24 == 0 else None
        for hour in range(72):
            house.send("TH2", end + hour * HOUR)
            house.time_is(end + hour * HOUR)
    committed = (
        offsets.end_offsets(settings.kafka, topic) if upto is None else offsets.offsets_at(settings.kafka, topic, upto)
    )
    group = Consumer({**kafka_options(settings.kafka), "group.id": settings.prefix + settings.job.group})
    group.commit(offsets=[TopicPartition(topic, p, offset) for p, offset in committed.items()], asynchronous=False)
    group.close()


def test_what_has_no_results_cannot_be_merged(settings: Settings) -> None:
    with pytest.raises(UserError, match="holds no results: `iot replay --source"):
        merge.choose(settings, settings.prefix, overwrite=False)
