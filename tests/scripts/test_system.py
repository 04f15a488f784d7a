"""What becomes of the jobs that come back with the stack."""

from __future__ import annotations

from datetime import timedelta

import pytest

from infrastructure.settings import Settings
from jobs import cluster
from jobs.bounds import Bounds
from jobs.daily_aggregates import SPEC
from jobs.tools import local_tools
from scripts import warm
from scripts.stack.job import sift_jobs
from tests.running import submit_quickly, wait_for


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

    wait_for(lambda: cluster.last_checkpoint(settings, job), "a checkpoint")
    sift_jobs(settings.replace(catch_up=timedelta(days=8)), said.append)
    with pytest.raises(cluster.ClusterError, match="does not run"):
        cluster.find(settings, SPEC)
    assert f"/checkpoints/{job}/" in str(cluster.newest_state(settings, SPEC))
    assert len(said) == 1
