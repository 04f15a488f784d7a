"""The job's state survives: stopped with a savepoint, cancelled, killed."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from infrastructure.settings import Settings
from jobs import cluster
from jobs.daily_aggregates import SPEC
from jobs.tools import local_tools
from producer.resume import marks
from producer.run import run
from producer.simulation import Simulation, site_names, ticks_of
from scripts import oracle, warm
from scripts.bench.deduplication import FORMS
from scripts.repeats import RepeatingPublisher, Repeats
from scripts.stack.jobmanager import DIRTY
from scripts.stack.processes import processes
from scripts.stack.supervision import Stack
from tests.running import Bridging, submit, submit_quickly, wait_for
from topics import catalogue
from topics.errors import UserError
from topics.names import READINGS


def simulate(settings: Settings, simulation: Simulation, days: int, repeats: Repeats) -> None:
    topic = settings.prefix + READINGS
    before = marks(settings, topic, simulation.identity)
    run(
        simulation,
        RepeatingPublisher(settings, simulation.catalogue, repeats),
        ticks=ticks_of(days),
        ticks_per_second=None,
        marks=before,
    )


def wait_until_equal(settings: Settings, simulation: Simulation, days: int) -> None:
    wanted = oracle.expected(simulation, ticks_of(days), settings)
    wait_for(
        lambda: not oracle.compare(oracle.stored(settings), wanted).differences, f"{days} days to be as pandas says"
    )


def test_state_survives_savepoint_cancellation_and_a_killed_taskmanager(
    stack: Stack, settings: Settings, bridge: Bridging
) -> None:
    """Were state lost, too-late readings would be accepted, open days would lose their beginning, and what comes again
    would count again."""
    repeats = Repeats()
    simulation = Simulation(catalogue.read(settings.sensors), 11, 1577836800000, site_names(1))
    settings = settings.replace(parallelism=1, checkpoint_interval=timedelta(seconds=1))
    job = submit_quickly(settings)
    with pytest.raises(UserError, match="runs already"):
        submit(settings)
    simulate(settings, simulation, 11, repeats)
    wait_until_equal(settings, simulation, 11)

    savepoint = cluster.stop(settings, SPEC, job)
    assert cluster.newest_state(settings, SPEC) == savepoint.replace("file:/", "file:///", 1)
    with pytest.raises(UserError, match="does not run"):
        cluster.find(settings, SPEC)
    simulate(settings, simulation, 14, repeats)
    job = submit(settings, savepoint)
    wait_until_equal(settings, simulation, 14)

    wait_for(lambda: _checkpointed(settings, job), "a checkpoint")
    cluster.cancel(settings, job)
    simulate(settings, simulation, 17, repeats)
    job = submit_quickly(settings, cluster.newest_state(settings, SPEC))
    wait_until_equal(settings, simulation, 17)

    wait_for(lambda: _checkpointed(settings, job), "a checkpoint")
    os.kill(stack.pid("taskmanager"), signal.SIGKILL)
    simulate(settings, simulation, 20, repeats)
    wait_until_equal(settings, simulation, 20)
    assert cluster.find(settings, SPEC).state == "RUNNING"


def test_a_start_from_nowhere_says_so(settings: Settings) -> None:
    for savepoint in ("file:///nowhere/savepoint", "nowhere"):
        with pytest.raises(UserError, match=f"there is no savepoint or checkpoint at {savepoint}: `--from latest`"):
            submit(settings, savepoint)
    assert cluster.newest_state(settings, SPEC) is None


def test_a_job_that_failed_before_it_ran_does_not_keep_the_jobmanager_away(
    stack: Stack, settings: Settings, tmp_path: Path
) -> None:
    """Flink refuses, at its next start, what it has written of such a job."""
    (tmp_path / "_metadata").write_bytes(b"no savepoint")
    with pytest.raises(UserError, match="Flink did not take the job"):
        submit(settings, tmp_path.as_uri())
    assert list((stack.paths.data / "flink-ha").rglob(f"*{DIRTY}"))
    killed = stack.pid("jobmanager")
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: stack.pid("jobmanager") not in (0, killed), "the supervisor to start it again")
    [jobmanager] = (process for process in processes(stack.settings) if process.name == "jobmanager")
    wait_for(jobmanager.ready, "the JobManager to serve")


def test_state_of_another_version_is_refused(settings: Settings, tmp_path: Path) -> None:
    """The job before it knew duplicates: its clocks are numbers."""
    for file in SPEC.files:
        shutil.copy(FORMS / "none.sql" if file.stem.endswith("clock") else file, tmp_path / file.name)
    before = replace(SPEC, sql=str(tmp_path))
    job = warm.submit(settings, local_tools(settings), before)
    simulate(settings, Simulation(catalogue.read(settings.sensors), 11, 1577836800000, site_names(1)), 1, Repeats())
    savepoint = cluster.stop(settings, SPEC, job)
    with pytest.raises(UserError, match="another version of the job"):
        warm.submit(settings, local_tools(settings), SPEC, savepoint=savepoint)
    with pytest.raises(UserError, match="does not run"):
        cluster.find(settings, SPEC)


def test_a_job_that_finds_no_slots_is_not_submitted(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "SLOT_SECONDS", 1)
    total = cluster.ask(settings, "/overview")["slots-total"]
    wide = settings.replace(parallelism=total + 1)
    said = rf"needs {total + 1} task slots, and \d+ of {total} are free: .*IOT_TASK_SLOTS"
    with pytest.raises(UserError, match=said):
        cluster.submit(wide, local_tools(settings), SPEC)
    assert SPEC.named(settings) not in {job.name for job in cluster.jobs(settings)}


def _checkpointed(settings: Settings, job: str) -> bool:
    return cluster.last_checkpoint(settings, job) is not None
