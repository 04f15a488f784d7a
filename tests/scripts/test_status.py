"""`iot status` and the /metrics of a whole system say what was sent, and know when something is not well."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import requests
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from rich.console import Console
from typer.testing import CliRunner

from infrastructure import health, metrics_endpoint
from infrastructure.kafka import admin, offsets
from infrastructure.kafka.publisher import Publisher
from infrastructure.metrics_endpoint import Samples
from infrastructure.redis.client import redis_client
from infrastructure.settings import Settings
from iot.__main__ import app
from jobs import cluster
from jobs.cluster import ClusterError
from producer.run import run
from producer.simulation import Simulation, ticks_of
from scripts import oracle
from scripts.stack.apart import free_ports
from scripts.stack.status import Rates, Status, show
from scripts.stack.supervision import Stack
from tests.exposition import Labels, of, samples
from tests.ingest.traffic import SENSORS, garbage, send
from tests.running import submit_quickly, wait_for
from topics.names import AGGREGATES, READINGS, REJECTED, SERIES_TOPICS, TOPICS

START = 1_577_836_800_000
DAYS = 3


@pytest.fixture
def whole(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The whole system of the stack, its supervised bridge and exporter included, with its topics and its job."""
    settings = stack.settings.replace(checkpoint_interval=timedelta(seconds=1))
    monkeypatch.setattr("infrastructure.settings.load_settings", lambda **_: settings)
    with ExitStack() as cleaning:
        admin.create(settings)
        cleaning.callback(admin.delete, settings)
        client = cleaning.enter_context(redis_client(settings.redis, "admin"))
        cleaning.callback(lambda: client.delete(*client.execute_command("TS.QUERYINDEX", "site=home", "prefix=")))
        for name in ("ingest", "exporter"):
            cleaning.callback(stack.stop, name)
            stack.start(name)
        job = submit_quickly(settings)
        cleaning.callback(cluster.cancel, settings, job)
        yield settings


def served(port: int) -> dict[tuple[str, Labels], float]:
    try:
        return samples(requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text)
    except requests.ConnectionError:
        return {}


def ends(settings: Settings) -> dict[str, int]:
    return {topic: sum(offsets.end_offsets(settings.kafka, topic).values()) for topic in TOPICS}


def test_they_say_what_was_sent_and_what_is_not_well(
    stack: Stack, whole: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulation = Simulation(SENSORS, 1, START, ["home"])
    frame = oracle.readings(simulation, ticks_of(DAYS))
    late = int(oracle.too_late(frame, whole).sum())
    assert late > 0
    wrong = [garbage(n) for n in range(3)]
    send(whole, *wrong)
    publisher = Publisher(whole, simulation.catalogue)
    run(simulation, publisher, ticks=ticks_of(DAYS), ticks_per_second=None, marks={})

    def judged() -> dict[str, float]:
        return of(served(whole.monitoring.job_port), "iot_job_readings_total")

    verdicts = {"accepted": len(frame) - late, "rejected": late, "dropped": 0}
    wait_for(lambda: judged() == verdicts, f"the job to have judged {verdicts}")
    wanted = oracle.expected(simulation, ticks_of(DAYS), whole)
    wait_for(lambda: not oracle.compare(oracle.stored(whole), wanted).differences, "every point")
    wait_for(
        lambda: of(served(whole.monitoring.job_port), "iot_job_lag_records") == {READINGS: 0},
        "a checkpoint of all of it",
    )
    carried = SERIES_TOPICS
    wait_for(
        lambda: of(served(whole.monitoring.ingest_port), "iot_ingest_lag_records") == dict.fromkeys(carried, 0),
        "the bridge",
    )

    bridge, job, end = served(whole.monitoring.ingest_port), served(whole.monitoring.job_port), ends(whole)
    assert of(bridge, "iot_ingest_records_total") == {topic: end[topic] for topic in carried}
    assert end[READINGS] == publisher.sent + len(wrong)
    assert of(bridge, "iot_ingest_points_total")["raw"] == len(frame)
    assert of(bridge, "iot_ingest_rejected_total") == {"too_late": late, "window_purged": 0}
    assert of(bridge, "iot_ingest_dead_letters_total")["not_json"] == len(wrong)
    newest = frame.groupby("sensor", observed=True).ts.max()
    by_class = Counter[str]()
    for sensor in SENSORS.values():
        by_class[sensor.partition_class] = max(by_class[sensor.partition_class], newest[sensor.name] / 1000)
    assert of(bridge, "iot_ingest_last_event_timestamp_seconds") == by_class
    delays = of(bridge, "iot_ingest_delay_seconds_count")
    assert all(delays[topic] > 0 for topic in (READINGS, AGGREGATES, REJECTED)), delays
    assert of(job, "iot_job_running") == {"": 1}
    assert of(job, "iot_job_restarts_total") == {"": 0}
    assert of(job, "iot_job_checkpoint_size_bytes")[""] > 0
    watermark = simulation.time(ticks_of(DAYS) - 1) / 1000 - whole.time.watermark_delay.total_seconds()
    assert of(job, "iot_job_watermark_timestamp_seconds") == {"": watermark}
    assert of(job, "iot_flink_taskmanagers") == {"": 1}

    assert health.read(whole.monitoring.ingest_url) == []
    assert health.read(whole.monitoring.job_url) == []
    well = CliRunner().invoke(app, ["status"])
    assert well.exit_code == 0, well.output
    assert "all is well" in well.output
    text = " ".join(well.output.split())
    for process in stack.states():
        if process["pid"]:
            assert f"{process['name']} running {process['pid']} " in text
    assert "0 restarts, checkpoint " in text
    assert f"judged {len(frame) - late:,} readings accepted, {late} rejected, 0 dropped" in text
    assert f"dailyAggr {end[READINGS]:,} 0 0 0" in text
    assert f"rejected {late} too_late; dead letters: {len(wrong)} not_json" in text
    assert "times, UTC 2020-01-04 00:15 hvac mean miac water" in text
    assert "2020-01-04 00:14 watermark" in text
    assert len(well.output.splitlines()) <= 24 + 1, "a screen, and a line for the data, which are not at home here"
    assert max(map(len, well.output.splitlines())) <= 80

    changed = whole.replace(checkpoint_interval=timedelta(seconds=7))
    with monkeypatch.context() as patched:
        patched.setattr("infrastructure.settings.load_settings", lambda **_: changed)
        told = CliRunner().invoke(app, ["status"])
    assert told.exit_code == 1
    assert "not well: settings, sensors or SQL have changed" in " ".join(told.output.split())

    stack.stop("ingest")
    send(whole, *wrong)
    wait_for(
        lambda: of(served(whole.monitoring.job_port), "iot_job_lag_records") == {READINGS: 0},
        "the job to have read them",
    )
    unwell = CliRunner().invoke(app, ["status"])
    assert unwell.exit_code == 1
    text = " ".join(unwell.output.split())
    assert "not well: ingest is stopped: `iot up` starts it" in text
    assert f"dailyAggr {end[READINGS] + len(wrong):,} 0 0 {len(wrong)}" in text
    assert judged() == verdicts


def test_without_a_job_and_its_bridge_it_says_what_to_do(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infrastructure.settings.load_settings", lambda **_: stack.settings)
    done = CliRunner().invoke(app, ["status"])
    text = " ".join(done.output.split())
    assert done.exit_code == 1
    assert "not well: ingest is stopped: `iot up` starts it" in text
    assert "not well: daily-aggregates does not run: `iot jobs submit --from latest`" in text
    assert "not well: there are no topics: `iot topics create` makes them" in text


def test_what_a_process_says_of_itself_is_shown(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    class Nothing(Collector):
        def collect(self) -> Iterator[Metric]:
            yield from ()

    reasons = ["the producer has no electricity: plug it in"]
    (port,) = free_ports(1)
    own = stack.settings.replace(producer_metrics=port)
    assert metrics_endpoint.serve(Nothing(), "127.0.0.1", port, "IOT_PRODUCER_METRICS", lambda: reasons)
    monkeypatch.setattr("infrastructure.settings.load_settings", lambda **_: own)
    assert f"not well: {reasons[0]}" in CliRunner().invoke(app, ["status"]).output
    reasons.clear()
    assert "electricity" not in CliRunner().invoke(app, ["status"]).output


@pytest.mark.parametrize("name", ["kafka", "jobmanager", "taskmanager"])
def test_the_logs_of_kafka_and_flink_are_json_when_that_is_asked_for(stack: Stack, name: str) -> None:
    assert stack.settings.monitoring.log_format == "json"
    lines = [line for line in stack.log(name).read_text().splitlines() if line.startswith("{")]
    found: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert len(found) > 10
    assert all(line.keys() == {"time", "level", "logger", "message", "exception"} for line in found)
    assert {line["level"] for line in found} <= {"info", "warn", "error"}


def test_the_bucket_that_holds_a_share_of_the_observations() -> None:
    buckets: dict[tuple[str, ...], float] = {
        ("0.1", "a"): 1.0,
        ("0.5", "a"): 3.0,
        ("+Inf", "a"): 4.0,
        ("0.1", "b"): 0.0,
        ("0.5", "b"): 6.0,
    }
    rates = Rates({}, {"delay_bucket": {**buckets, ("+Inf", "b"): 6.0}}, 1.0)
    assert rates.within("delay", 0.1) == 0.1
    assert rates.within("delay", 0.5) == 0.5
    assert rates.within("delay", 0.95) == float("inf")
    assert Rates({}, {}, 1.0).within("delay", 0.5) is None


@pytest.mark.parametrize("bound", ["0.05", "1800", "3600"])
def test_the_bridge_takes_one_line_of_eighty_columns(bound: str) -> None:
    found: Samples = {
        "iot_ingest_points_total": {("raw",): 999_999.0},
        "iot_ingest_delay_seconds_bucket": {(bound, "dailyAggr"): 9.0, ("+Inf", "flinkAggr"): 9.0},
    }
    bridge = Rates({}, found, 1.0)
    screen = Console(file=StringIO(), width=80)
    show(Status([], ClusterError("away"), None, bridge, None), screen)
    assert isinstance(screen.file, StringIO)
    lines = screen.file.getvalue().splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["bridge", "rejected", "times,", "all"]
