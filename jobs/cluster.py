"""The Flink cluster: submit a job, list what runs, stop one with a savepoint."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from tenacity import retry, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from infrastructure.proxies import through_proxy
from infrastructure.settings import Settings
from jobs.bounds import Bounds
from jobs.declaration import BOUNDED, DIGEST
from jobs.spec import JobSpec
from jobs.tools import Tools
from topics.errors import UnavailableError, UserError
from topics.wording import listed

TIMEOUT = 10
STOP_SECONDS = 120
START_SECONDS = 90
SLOT_SECONDS = 10
"""The slots of a job that has just ended, or of a TaskManager that was killed, are free in less."""
AWAY_SECONDS = 90
"""A JobManager that was killed is back by itself in less."""
STATE_REFUSED = "StateMigrationException"
"""In the stack trace of a job that cannot read a checkpoint's state."""
JOB_NOT_FOUND = "FlinkJobNotFoundException"


class ClusterError(UserError):
    """The cluster cannot be reached, or refuses; the message says what to do."""


class AwayError(ClusterError, UnavailableError):
    """The JobManager does not answer, or is still taking over from one that was killed."""


class UnknownJobError(ClusterError):
    """The cluster knows no such job."""


@dataclass(frozen=True)
class Reading:
    """How far a bounded run has read: the next offset of each partition that is being read.

    ``known_since``: when its JobManager took the run up (epoch ms); one that takes over has a time of its own.
    ``restored``: it has gone on from a checkpoint, under this JobManager.
    """

    offsets: dict[int, int]
    known_since: int
    restored: bool


@dataclass(frozen=True)
class Job:
    """A job on the cluster. ``state`` is Flink's word (RUNNING, RESTARTING, …), ``started`` epoch ms."""

    id: str
    name: str
    state: str
    started: int


def submit(
    settings: Settings, tools: Tools, spec: JobSpec, *, savepoint: str | None = None, bounds: Bounds | None = None
) -> str:
    """Submit a job by ``flink run``; returns its id when all of its tasks run.

    ``savepoint``: path of a savepoint or checkpoint to start from, or None to read its topic from the beginning.
    With ``bounds`` it ends by itself. Raises ``ClusterError`` when one of the same name runs already, task slots are
    missing, or Flink refuses.
    """
    name = spec.named(settings)
    if running := [job for job in jobs(settings) if job.name == name and not job.state.startswith(("CANCEL", "FAIL"))]:
        raise ClusterError(f"{name} runs already ({running[0].id}): `iot jobs stop` stops it with a savepoint")
    check_savepoint(settings, savepoint)
    wait_for_slots(settings, spec)
    rest = urlsplit(settings.flink.url)
    options = {
        "rest.address": rest.hostname,
        "rest.port": rest.port or 8081,
        "high-availability.type": "NONE",  # of the client: it need not ask ZooKeeper where the JobManager is
        **state_options(settings, spec),
    }
    command = [str(tools.flink), "run", "--target", "remote", "--detached"]
    command += [f"-D{option}={value}" for option, value in options.items()]
    command += ["--fromSavepoint", savepoint] if savepoint else []
    command += ["--jarfile", str(tools.jar), "--pyClientExecutable", sys.executable, "--python", str(spec.script)]
    command += ["--bounds", bounds.encode()] if bounds else []
    done = subprocess.run(
        command,
        env={**os.environ, **tools.environment, **settings.environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    found = re.search(r"submitted with JobID ([0-9a-f]{32})", done.stdout)
    if done.returncode or not found:
        raise ClusterError(f"Flink did not take the job:\n{_cause(done.stdout)}")
    wait_until_running(settings, found[1])
    return found[1]


def jobs(settings: Settings) -> list[Job]:
    """The jobs that have not ended. Raises ``ClusterError`` when the cluster does not answer."""
    return [
        Job(id=job["jid"], name=job["name"], state=job["state"], started=job["start-time"])
        for job in _get(settings, "/jobs/overview")["jobs"]
        if job["state"] not in ("FINISHED", "CANCELED", "FAILED")
    ]


def find(settings: Settings, spec: JobSpec) -> Job:
    """The job of these settings. Raises ``ClusterError`` when it does not run."""
    name = spec.named(settings)
    running = jobs(settings)
    for job in running:
        if job.name == name:
            return job
    others = f"; what runs is {listed(sorted(job.name for job in running))}" if running else ""
    raise ClusterError(f"{name} does not run: `iot jobs submit --from latest` starts it{others}")


def last_checkpoint(settings: Settings, job: str) -> dict[str, Any] | None:
    """Flink's account of the newest completed checkpoint of a job, None when there is none."""
    found = _get(settings, f"/jobs/{job}/checkpoints")["latest"]["completed"]
    return dict(found) if found else None


def stop(settings: Settings, spec: JobSpec, job: str) -> str:
    """Stop a job with a savepoint; returns the savepoint's path. Raises ``ClusterError`` when that fails."""
    if not re.fullmatch("[0-9a-f]{32}", job):
        raise UnknownJobError(f"{job!r} is no job's id, which has 32 hexadecimal digits: `iot jobs list` shows them")
    directory = f"{_state_uri(settings, spec)}/savepoints"
    request = _post(settings, f"/jobs/{job}/stop", {"targetDirectory": directory, "drain": False})["request-id"]

    @retry(
        retry=retry_if_result(lambda status: status["status"]["id"] != "COMPLETED"),
        wait=wait_fixed(0.1),
        stop=stop_after_delay(STOP_SECONDS),
        retry_error_callback=lambda _: None,
    )
    def outcome() -> Any:
        return _get(settings, f"/jobs/{job}/savepoints/{request}")

    status = outcome()
    if status is None:
        raise ClusterError(f"job {job} took no savepoint in {STOP_SECONDS} s and goes on: see the JobManager's log")
    if "failure-cause" in status["operation"]:
        cause = status["operation"]["failure-cause"]["stack-trace"].splitlines()[0]
        raise ClusterError(f"job {job} could not be stopped: {cause}")
    _wait_until_ended(settings, job)
    return str(status["operation"]["location"])


def cancel(settings: Settings, job: str) -> None:
    """End a job without a savepoint; its checkpoints are kept. One that the cluster does not know has ended."""
    with suppress(UnknownJobError):
        _call(settings, "PATCH", f"/jobs/{job}", params={"mode": "cancel"})
    _wait_until_ended(settings, job)


@dataclass(frozen=True)
class Declared:
    """How a job was declared: the digest of its declaration (empty when it has none), and whether it ends by itself.

    ``parallelism``: instances of each operator, 0 where Flink does not say.
    """

    digest: str
    bounded: bool
    parallelism: int


def declared(settings: Settings, job: str) -> Declared:
    """How a job was declared. Waits for one that has just come back: Flink does not know it at once."""

    @retry(
        retry=retry_if_result(lambda known: not known) | retry_if_exception_type(AwayError),
        wait=wait_fixed(0.1),
        stop=stop_after_delay(START_SECONDS),
        retry_error_callback=lambda _: None,
    )
    def known() -> bool:
        return bool(_get(settings, f"/jobs/{job}")["state"] != "INITIALIZING")

    known()
    found = _get(settings, f"/jobs/{job}/config").get("execution-config", {})
    parameters = found.get("user-config", {})
    return Declared(parameters.get(DIGEST, ""), BOUNDED in parameters, int(found.get("job-parallelism", 0)))


def state_options(settings: Settings, spec: JobSpec) -> dict[str, str]:
    """Flink's options for where the job's checkpoints and savepoints go."""
    return {
        "execution.checkpointing.dir": f"{_state_uri(settings, spec)}/checkpoints",
        "execution.checkpointing.savepoint-dir": f"{_state_uri(settings, spec)}/savepoints",
    }


def newest_state(settings: Settings, spec: JobSpec) -> str | None:
    """Path of the newest completed checkpoint or savepoint of the job of these settings; None when it has none.

    Raises ``ClusterError`` when they are not kept on this machine.
    """
    uri = urlsplit(_state_uri(settings, spec))
    if uri.scheme not in ("", "file"):
        raise ClusterError(f"{settings.job.checkpoint_uri} is not on this machine: name the checkpoint's path")
    directory = Path(unquote(uri.path))
    states = [*directory.glob("checkpoints/*/chk-*/_metadata"), *directory.glob("savepoints/*/_metadata")]
    return max(states, key=lambda path: path.stat().st_mtime_ns).parent.as_uri() if states else None


def check_savepoint(settings: Settings, savepoint: str | None) -> None:
    """Raise ``ClusterError`` when there is none; that of another cluster or in a storage service is not looked for."""
    path = urlsplit(savepoint or "")
    here = path.scheme in ("", "file") and urlsplit(settings.flink.url).hostname in ("127.0.0.1", "localhost")
    if savepoint and here and not (Path(unquote(path.path)) / "_metadata").is_file():
        raise ClusterError(f"there is no savepoint or checkpoint at {savepoint}: `--from latest` takes the newest one")


def wait_for_slots(settings: Settings, spec: JobSpec) -> None:
    """Return when as many task slots are free as the job needs, or there is none at all: TaskManagers are starting.

    Raises ``ClusterError`` when others keep them: submitted now, the job would wait for minutes and say nothing.
    """

    @retry(
        retry=retry_if_result(lambda of: of["slots-total"] > 0 and of["slots-available"] < settings.job.parallelism),
        wait=wait_fixed(0.1),
        stop=stop_after_delay(SLOT_SECONDS),
        retry_error_callback=lambda last: last.outcome and last.outcome.result(),
    )
    def slots() -> Any:
        return _get(settings, "/overview")

    found = slots()
    free, total = found["slots-available"], found["slots-total"]
    if total and free < settings.job.parallelism:
        fewer = f"do with fewer (`--parallelism {free}`), " if free else ""
        raise ClusterError(
            f"{spec.named(settings)} needs {settings.job.parallelism} task slots, and {free} of {total} are free: "
            f"{fewer}stop a job (`iot jobs list`), or have {total - free + settings.job.parallelism} slots "
            "(IOT_TASK_SLOTS of a local one)"
        )


def _state_uri(settings: Settings, spec: JobSpec) -> str:
    return f"{settings.job.checkpoint_uri}/{spec.named(settings)}"


def wait_until_running(settings: Settings, job: str) -> None:
    """Return when every task of a job runs, or has done its work.

    Raises ``ClusterError`` when it ends otherwise, finds no free slots, or cannot read the state to start from; then
    it is cancelled.
    """

    @retry(
        retry=retry_if_result(lambda states: states != {"RUNNING"}) | retry_if_exception_type(AwayError),
        wait=wait_fixed(0.1),
        stop=stop_after_delay(START_SECONDS),
        retry_error_callback=lambda _: None,
    )
    def tasks() -> set[str]:
        account = _get(settings, f"/jobs/{job}")
        if account["state"] in ("FAILED", "CANCELED"):
            raise _ended(settings, job, account["state"])
        if not account["vertices"]:  # it is being read from ZooKeeper
            return {account["state"]}
        if account["state"] in ("RESTARTING", "FAILING") and STATE_REFUSED in _last_failure(settings, job):
            cancel(settings, job)
            raise ClusterError(
                "the checkpoint or savepoint is that of another version of the job, which this one cannot go on with: "
                "`iot jobs submit` starts from the beginning of dailyAggr, and comes to the same results"
            )
        return {vertex["status"] for vertex in account["vertices"]} - {"FINISHED"} or {"RUNNING"}

    if tasks() is None:
        if failures := _failures(settings, job):  # it is tried again and again
            roots = [line for line in failures[0] if line.startswith("Caused by: ")] or failures[0]
            raise ClusterError(f"job {job} is submitted, but does not come to run: {roots[-1]}")
        slots = _get(settings, "/overview")
        raise ClusterError(
            f"job {job} is submitted, but after {START_SECONDS} s not all of its tasks run; the cluster has "
            f"{slots['slots-available']} free slots of {slots['slots-total']}, and a parallelism of "
            f"{settings.job.parallelism} needs as many"
        )


@retry(
    retry=retry_if_exception_type(AwayError), wait=wait_fixed(0.5), stop=stop_after_delay(AWAY_SECONDS), reraise=True
)
def reading(settings: Settings, job: str) -> Reading | None:
    """How far a bounded run has come; None when it has read everything and ended.

    Flink tells it with a delay of seconds. Waits for a JobManager that was killed, and brings the run back.
    Raises ``ClusterError`` when the run has failed, ``UnknownJobError`` when it had ended, and the JobManager that knew
    how was killed.
    """
    account = _get(settings, f"/jobs/{job}")
    if account["state"] == "FINISHED":
        return None
    if account["state"] in ("FAILED", "CANCELED"):
        raise _ended(settings, job, account["state"])
    if not account["vertices"]:
        raise AwayError(f"job {job} is being read from ZooKeeper by a JobManager that took over: try again in a moment")
    source = f"/jobs/{job}/vertices/{account['vertices'][0]['id']}/subtasks/metrics"
    names = [metric["id"] for metric in _get(settings, source) if metric["id"].endswith(".currentOffset")]
    found = _get(settings, f"{source}?get={','.join(names)}&agg=max") if names else []
    offsets = {int(metric["id"].split(".")[-2]): int(metric["max"]) + 1 for metric in found}
    restored = _get(settings, f"/jobs/{job}/checkpoints")["latest"]["restored"] is not None
    return Reading(offsets, account["start-time"], restored)


def _ended(settings: Settings, job: str, state: str) -> ClusterError:
    failures = _failures(settings, job)
    return ClusterError(f"job {job} has ended as {state}: {failures[0][0] if failures else 'no cause given'}")


def _last_failure(settings: Settings, job: str) -> str:
    """Stack trace of the newest failure of a job, empty when there is none."""
    return "\n".join(next(iter(_failures(settings, job)), []))


def _failures(settings: Settings, job: str) -> list[list[str]]:
    """Why a job has failed, each time, the last one first: lines of a stack trace."""
    entries = _get(settings, f"/jobs/{job}/exceptions")["exceptionHistory"]["entries"]
    return [entry["stacktrace"].splitlines() for entry in entries]


def _wait_until_ended(settings: Settings, job: str) -> None:
    @retry(
        retry=retry_if_result(lambda state: state not in ("FINISHED", "CANCELED", "FAILED"))
        | retry_if_exception_type(AwayError),
        wait=wait_fixed(0.1),
        stop=stop_after_delay(STOP_SECONDS),
        reraise=True,
    )
    def state() -> str:
        try:
            return str(_get(settings, f"/jobs/{job}/status")["status"])
        except UnknownJobError:  # it ended, and then the JobManager was killed
            return "FINISHED"

    state()


def ask(settings: Settings, path: str) -> Any:
    """What Flink's REST API answers to a GET. Raises ``ClusterError``."""
    return _call(settings, "GET", path)


_get = ask


def _post(settings: Settings, path: str, body: dict[str, Any]) -> Any:
    return _call(settings, "POST", path, json=body)


def _call(settings: Settings, method: str, path: str, **arguments: Any) -> Any:
    try:
        answer = requests.request(method, settings.flink.url + path, timeout=TIMEOUT, **arguments)
    except requests.RequestException as error:
        raise AwayError(
            f"Flink does not answer at {settings.flink.url}: is it running? Start it, or set IOT_FLINK"
            f"{through_proxy(settings.flink.url)}"
        ) from error
    if answer.status_code == requests.codes.service_unavailable:
        raise AwayError(
            f"the JobManager at {settings.flink.url} is starting, or coming back: try again in a moment"
            f"{through_proxy(settings.flink.url)}"
        )
    if not answer.ok:
        if answer.status_code == requests.codes.not_found or JOB_NOT_FOUND in answer.text:  # of its state: with 500
            raise UnknownJobError(f"Flink knows nothing of {path}: `iot jobs list` shows the jobs")
        raise ClusterError(
            f"Flink answers {answer.status_code} to {method} {path}: {answer.text[:300]}"
            + through_proxy(settings.flink.url)
        )
    try:
        return answer.json()
    except ValueError as error:
        raise AwayError(
            f"what answers at {settings.flink.url} is no JobManager: set IOT_FLINK{through_proxy(settings.flink.url)}"
        ) from error


def _cause(output: str) -> str:
    """The lines of a failed `flink run` that say why."""
    said = [line for line in output.splitlines() if not line.lstrip().startswith(("at ", "...")) and line.strip()]
    causes = [line for line in said if line.startswith(("Caused by", "error:")) or "Error" in line]
    return "\n".join(causes[-3:] or said[-5:])
