"""Submit jobs from this process, whose JVM is warm after the first one: for those who submit many."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from infrastructure.settings import Settings
from jobs import cluster
from jobs.bounds import Bounds
from jobs.declaration import declare
from jobs.spec import JobSpec
from jobs.tools import Tools, java_home


@contextmanager
def pyflink() -> Iterator[None]:
    """PyFlink knows where Java is, and may warn of the ends of its dependencies, which it imports as it goes."""
    os.environ["JAVA_HOME"] = str(java_home())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def remote(settings: Settings, jar: Path) -> dict[str, str]:
    """Flink's options for a job that goes to the cluster of these settings, with the job's jar."""
    rest = urlsplit(settings.flink.url)
    return {
        "execution.target": "remote",
        "rest.address": str(rest.hostname),
        "rest.port": str(rest.port),
        "pipeline.jars": jar.as_uri(),
    }


def submit(
    settings: Settings, tools: Tools, spec: JobSpec, *, savepoint: str | None = None, bounds: Bounds | None = None
) -> str:
    """The same as ``cluster.submit``, in a second or two instead of ten or twenty."""
    cluster.check_savepoint(settings, savepoint)
    cluster.wait_for_slots(settings, spec)
    options = {
        **remote(settings, tools.jar),
        **cluster.state_options(settings, spec),
        **({"execution.state-recovery.path": savepoint} if savepoint else {}),
    }
    with pyflink():
        job = str(declare(settings, spec, bounds, **options).execute().get_job_client().get_job_id())
    cluster.wait_until_running(settings, job)
    return job


def shut_down() -> None:
    """End the JVM that PyFlink has started in this process, if it has."""
    gateway = sys.modules.get("pyflink.java_gateway")
    if gateway is not None and gateway._gateway is not None:  # noqa: SLF001 - PyFlink has no public way
        gateway._gateway.shutdown()  # noqa: SLF001
