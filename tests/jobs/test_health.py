"""Why the job is not well, by its account; and that the exporter says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from infrastructure.settings import Settings
from jobs import health
from jobs import metrics as exporter
from jobs.account import Account, Checkpoint, Task
from jobs.cluster import ClusterError
from jobs.daily_aggregates import SPEC
from scripts.stack.apart import free_ports

SETTINGS = Settings.of(env_file=None)
NOW = 10_000.0
WELL = Account(
    state="RUNNING",
    started=1000.0,
    restarts=0,
    completed_checkpoints=900,
    failed_checkpoints=0,
    checkpoint=Checkpoint(NOW - 5, 0.1, 1000),
    accepted=1,
    rejected=0,
    dropped=0,
    watermark=0,
    tasks=[Task("Source", 2, 2, 0.5, 0.0), Task("Sink", 2, 2, 0.5, 0.0)],
)


def reasons(found: Account | ClusterError, settings: Settings = SETTINGS) -> list[str]:
    return list(health.reasons(settings, found, now=NOW))


def test_a_job_that_runs_and_takes_checkpoints_is_well() -> None:
    assert reasons(WELL) == []


def test_dropped_readings_do_not_make_it_unwell_for_ever() -> None:
    assert reasons(replace(WELL, dropped=3)) == []


def test_tasks_that_do_not_run_are_counted() -> None:
    (reason,) = reasons(replace(WELL, state="RESTARTING", tasks=[WELL.tasks[0], replace(WELL.tasks[1], running=1)]))
    assert reason.startswith("of the job's tasks 3 of 4 run; it is restarting")
    assert "the JobManager's log" in reason
    (reason,) = health.reasons(SETTINGS, replace(WELL, state="FAILING"), "/logs/jobmanager.log", NOW)
    assert reason.endswith("see /logs/jobmanager.log")


@pytest.mark.parametrize(
    ("interval", "age", "told"), [(10, 60, None), (10, 61, "61 seconds"), (30, 179, None), (30, 181, "3 minutes")]
)
def test_a_checkpoint_is_missed_after_a_minute_and_six_intervals(interval: int, age: int, told: str | None) -> None:
    settings = Settings.of(env_file=None, checkpoint_interval=interval, flink="http://192.0.2.1:8081")
    found = reasons(replace(WELL, checkpoint=Checkpoint(NOW - age, 0.1, 1000)), settings)
    assert (found == []) == (told is None)
    if told is not None:
        assert found[0].startswith(f"the job has completed no checkpoint for {told}; it goes on")
        assert "http://192.0.2.1:8081" in found[0]


def test_a_job_that_has_just_started_need_not_have_one() -> None:
    assert reasons(replace(WELL, started=NOW - 50, checkpoint=None)) == []
    assert reasons(replace(WELL, started=NOW - 70, checkpoint=None)) != []


def test_without_flink_or_a_job_the_error_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    away = Settings.of(env_file=None, flink=f"http://127.0.0.1:{port}")
    (reason,) = reasons(health.look(away, SPEC))
    assert reason.startswith(f"Flink does not answer at http://127.0.0.1:{port}")
    monkeypatch.setattr("jobs.cluster.jobs", lambda _: [])
    (reason,) = reasons(health.look(away, SPEC))
    assert reason.startswith("daily-aggregates does not run: `iot jobs submit")


def test_the_exporter_serves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    given: dict[str, Any] = {}

    def serve(_collector: object, host: str, port: int, setting: str, health: object) -> bool:
        given.update(host=host, port=port, setting=setting, health=health)
        return True

    monkeypatch.setattr("jobs.metrics.metrics_endpoint.serve", serve)
    monkeypatch.setattr("jobs.metrics.signal.signal", lambda *_: None)
    monkeypatch.setattr("jobs.metrics.threading.Event.wait", lambda _: True)
    settings = Settings.of(env_file=None, flink=f"http://127.0.0.1:{port}", kafka_user="", metrics_host="0.0.0.0")
    exporter.serve(settings, SPEC)
    assert (given["host"], given["port"], given["setting"]) == ("0.0.0.0", 9250, "IOT_JOB_METRICS")
    assert "Flink does not answer" in given["health"]()[0]
