"""A command that finds nothing under its prefix says under which prefixes there is something."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import redis

from infrastructure.home import ROOT
from infrastructure.settings import Settings
from ingest.records import Point
from ingest.series_writer import SeriesWriter
from scripts.stack.apart import free_ports
from tests.infrastructure.kafka.mock_broker import MockBroker, mock_broker
from tests.redis_alone import MAY, PASSWORD, answers, serve
from tests.running import wait_for
from topics import catalogue
from topics.names import TOPICS
from topics.series import Series

DAY = 86_400_000
START = 1_577_836_800_000  # 2020-01-01T00:00Z
SENSORS = catalogue.read(ROOT / "sensors.toml")
TOLD = "there are topics with the prefixes (none), mine."


def run(settings: Settings, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **settings.environment()}
    return subprocess.run([sys.executable, "-m", *words], cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def broker() -> Iterator[MockBroker]:
    """Kafka with the topics of two prefixes, and one of somebody else."""
    with mock_broker() as running:
        for prefix in ("", "mine."):
            for topic in TOPICS:
                running.create(prefix + topic, 1)
        running.create("orders-history", 1)
        yield running


@pytest.fixture
def kafka(broker: MockBroker) -> Settings:
    return Settings.of(env_file=None, kafka=broker.address, kafka_user="")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["topics", "describe"], "there are no topics with the prefix nosuch."),
        (["topics", "audit"], "there is no topic nosuch."),
        (["topics", "deadletter"], "there is no topic nosuch.deadLetter"),
        (["topics", "deadletter", "resend", "/dev/null"], "there is no topic nosuch.dailyAggr"),
        (["jobs", "replay"], "there is no topic nosuch.dailyAggr"),
    ],
)
def test_what_is_looked_for_under_a_prefix_without_topics_is_an_error(
    kafka: Settings, words: list[str], said: str
) -> None:
    done = run(kafka.replace(prefix="nosuch."), *words)
    assert done.returncode == 1
    assert said in done.stderr
    assert TOLD in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["merge", "nosuch."], "there are no topics with the prefix nosuch., so nothing to merge"),
        (["replay", "--source", "nosuch."], "there is no topic nosuch.dailyAggr"),
    ],
)
def test_so_is_a_backfill_that_there_is_not(kafka: Settings, words: list[str], said: str) -> None:
    done = run(kafka, "jobs", *words)
    assert done.returncode == 1
    assert said in done.stderr
    assert TOLD in done.stderr


@pytest.mark.parametrize("command", ["delete", "migrate"])
def test_nothing_to_delete_or_migrate_is_no_error_and_is_told(kafka: Settings, command: str) -> None:
    done = run(kafka, "topics", command, "--prefix", "nosuch.")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"there are no topics with the prefix nosuch.; {TOLD}" in done.stdout


def test_a_topic_that_is_missing_beside_others_of_its_prefix_is_made(broker: MockBroker, kafka: Settings) -> None:
    broker.create("old.dailyAggr", 1)  # of a system from before there were dead letters
    done = run(kafka.replace(prefix="old."), "topics", "deadletter")
    assert "there is no topic old.deadLetter: `iot topics create` makes it\n" in done.stderr


@pytest.fixture
def flink() -> Iterator[Settings]:
    """A JobManager that answers which jobs it has."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            jobs = [
                {"jid": "1", "name": "mine.daily-aggregates", "state": "RUNNING", "start-time": START},
                {"jid": "2", "name": "old.daily-aggregates", "state": "CANCELED", "start-time": START},
            ]
            body = json.dumps({"jobs": jobs}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Settings.of(env_file=None, flink=f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()


def test_a_job_that_does_not_run_is_told_with_those_that_do(flink: Settings) -> None:
    done = run(flink, "jobs", "stop", "--prefix", "nosuch.")
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert "nosuch.daily-aggregates does not run" in said
    assert said.endswith("; what runs is mine.daily-aggregates")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Redis with series of two prefixes: of the live ones in two sites, and of mine. in a third."""
    directory = tmp_path_factory.mktemp("redis")
    (port,) = free_ports(1)
    process = serve(port, directory)
    try:
        with redis.Redis(port=port) as admin:
            wait_for(lambda: answers(admin), "Redis")
            admin.execute_command("ACL", "SETUSER", "viewer", "on", f">{PASSWORD}", "~*", "-@all", *MAY)
        settings = Settings.of(
            env_file=None, redis=f"redis://127.0.0.1:{port}/0", redis_ingest_user="", redis_viewer_password=PASSWORD
        )
        for prefix, sites in (("", ("home", "cabin")), ("mine.", ("barn",))):
            writer = SeriesWriter(settings.replace(prefix=prefix), SENSORS)
            for site in sites:
                writer.write([Point(Series("AggDay", site, "TH1"), START + day * DAY, 1.0) for day in (0, 4)])
            writer.close()
        yield settings
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize(
    ("prefix", "wanted", "said"),
    [
        (
            "foo.",
            ["AggDay*"],
            (
                "no series matches AggDay* with the prefix foo.: there are series with the prefixes (none), mine.; "
                "sites: barn, cabin, home"
            ),
        ),
        (
            "",
            ["TH1"],
            (
                "no series matches TH1: there are AggDayTH1, cabin:AggDayTH1; sites: cabin, home; "
                "other prefixes (IOT_PREFIX): mine."
            ),
        ),
        (
            "mine.",
            ["site=home"],
            "no series matches site=home: there are barn:AggDayTH1; sites: barn; other prefixes (IOT_PREFIX): (none)",
        ),
    ],
)
def test_an_export_that_matches_nothing_says_what_there_is(
    store: Settings, prefix: str, wanted: list[str], said: str
) -> None:
    done = run(store.replace(prefix=prefix), "ingest", "export", *wanted)
    assert done.returncode == 1
    assert done.stderr == f"error: {said}\n"


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (
            ["AggDayTH1", "--from", "2021-01-01"],
            (
                "no points from 2021-01-01 00:00 UTC: the series that matches has points from 2020-01-01 00:00 UTC to "
                "2020-01-05 00:00 UTC\n"
            ),
        ),
        (
            ["*", "--from", "2020-01-02", "--to", "2020-01-03"],
            (
                "no points from 2020-01-02 00:00 UTC to 2020-01-03 23:59:59.999 UTC: the 2 series that match have "
                "points from 2020-01-01 00:00 UTC to 2020-01-05 00:00 UTC\n"
            ),
        ),
        (["AggDayTH1", "--from", "2020-01-05"], ""),
    ],
)
def test_an_export_of_a_time_without_points_says_which_has_some(store: Settings, wanted: list[str], said: str) -> None:
    done = run(store, "ingest", "export", *wanted)
    assert (done.returncode, done.stderr) == (0, said)
    lines = done.stdout.splitlines()
    assert lines[0] == "series,site,sensor,kind,unit,time,value"
    assert bool(lines[1:]) == (not said)


def test_an_empty_redis_is_told(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    process = serve(port, tmp_path)
    try:
        with redis.Redis(port=port) as admin:
            wait_for(lambda: answers(admin), "Redis")
        empty = Settings.of(env_file=None, redis=f"redis://127.0.0.1:{port}/0", redis_viewer_user="", prefix="foo.")
        done = run(empty, "ingest", "export", "*")
        assert done.stderr == "error: no series matches * with the prefix foo.: there are no series at all\n"
    finally:
        process.terminate()
        process.wait()
