"""What becomes of the jobs that come back with the stack."""

from __future__ import annotations

from datetime import timedelta

import pytest

from infrastructure.kafka.writer import Record, write_records
from infrastructure.settings import Settings
from jobs import cluster
from jobs.bounds import Bounds
from jobs.daily_aggregates import SPEC
from jobs.tools import local_tools
from scripts import warm
from scripts.stack.job import ChangedError, refuse_old_results, sift_jobs, start_job
from tests.running import submit_quickly, wait_for
from topics.names import AGGREGATES
from topics.results import OldResultError


@pytest.mark.usefixtures("stack")
def test_jobs_that_came_back_stay_unless_they_are_declared_otherwise_or_bounded(settings: Settings) -> None:
    beside = settings.replace(prefix=settings.prefix + "replay.")
    never_there = dict.fromkeys(range(settings.partitions), 1)
    bounds = Bounds(
        source=settings.prefix, start=dict.fromkeys(never_there, 0), end=never_there, first_day=0, last_day=0
    )
    said: list[str] = []
    settings = settings.replace(checkpoint_interval=timedelta(seconds=1))
    job = submit_quickly(settings)
    replay = warm.submit(beside, local_tools(beside), SPEC, bounds=bounds)
    assert {each.id for each in cluster.jobs(settings)} >= {job, replay}

    sift_jobs(settings, said.append)
    assert cluster.find(settings, SPEC).id == job
    assert replay not in {each.id for each in cluster.jobs(settings)}
    assert not said

    start_job(settings, said.append)
    start_job(
        settings.replace(parallelism=settings.job.parallelism + 1), said.append
    )  # as `iot jobs submit` can ask for
    with pytest.raises(ChangedError, match="are not in force: `iot down`, then `iot up`"):
        start_job(settings.replace(catch_up=timedelta(days=8)), said.append)
    assert cluster.find(settings, SPEC).id == job, "it goes on meanwhile"

    wait_for(lambda: cluster.last_checkpoint(settings, job), "a checkpoint")
    sift_jobs(settings.replace(catch_up=timedelta(days=8)), said.append)
    with pytest.raises(cluster.ClusterError, match="does not run"):
        cluster.find(settings, SPEC)
    assert f"/checkpoints/{job}/" in str(cluster.newest_state(settings, SPEC))
    assert len(said) == 1


def test_results_of_an_earlier_version_end_their_job_and_are_to_be_migrated(settings: Settings) -> None:
    """A job that came back with the stack would go on writing what the migration rewrites."""
    said: list[str] = []
    submit_quickly(settings)
    refuse_old_results(settings, said.append)
    key = b'{"series":"AggDay","site":"home","sensor":"TH1","window_start":"2020-01-01 00:00:00Z"}'
    write_records(settings.kafka, [Record(settings.prefix + AGGREGATES, key, None, 0)])
    with pytest.raises(OldResultError, match="topics migrate"):
        refuse_old_results(settings.replace(catch_up=timedelta(days=8)), said.append)
    with pytest.raises(cluster.ClusterError, match="does not run"):
        cluster.find(settings, SPEC)
    assert len(said) == 1
