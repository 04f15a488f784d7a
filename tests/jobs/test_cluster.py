"""A JobManager that was killed comes back by itself: who waits for a job goes on waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from infrastructure.settings import Settings
from jobs import cluster
from jobs.daily_aggregates import SPEC

SETTINGS = Settings.of(env_file=None, flink="http://127.0.0.1:1")
JOB = "0" * 32


class Answer:
    """What the JobManager answers."""

    def __init__(self, status: int, body: Any) -> None:
        self.status_code = status
        self.ok = status < 400
        self.text = str(body)
        self._body = body

    def json(self) -> Any:
        return self._body


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets what is answered, one request after the other; None is no answer."""

    def set_answers(*given: Answer | None) -> None:
        left = list(given)

        def request(*_args: Any, **_kwargs: Any) -> Answer:
            answer = left.pop(0)
            if answer is None:
                raise requests.ConnectionError
            return answer

        monkeypatch.setattr(requests, "request", request)

    return set_answers


STARTING = Answer(503, {"errors": ["Service temporarily unavailable"]})


def account(state: str, *vertices: str) -> Answer:
    return Answer(200, {"state": state, "vertices": [{"status": status} for status in vertices]})


def test_a_replay_waits_for_the_jobmanager(answers: Callable[..., None]) -> None:
    answers(None, STARTING, account("INITIALIZING"), account("FINISHED", "FINISHED"))
    assert cluster.reading(SETTINGS, JOB) is None


def test_a_job_that_is_coming_back_does_not_run_yet(answers: Callable[..., None]) -> None:
    left = [
        None,
        STARTING,
        account("INITIALIZING"),
        account("RUNNING", "SCHEDULED", "RUNNING"),
        account("RUNNING", "RUNNING", "FINISHED"),
    ]
    answers(*left)
    cluster.wait_until_running(SETTINGS, JOB)
    with pytest.raises(IndexError):  # all five were asked for
        cluster.find(SETTINGS, SPEC)


@pytest.mark.parametrize(
    ("answer", "said"),
    [(None, "Flink does not answer"), (STARTING, "is starting, or coming back: try again")],
)
def test_what_is_not_waited_for_says_what_to_do(answers: Callable[..., None], answer: Answer | None, said: str) -> None:
    answers(answer)
    with pytest.raises(cluster.ClusterError, match=said):
        cluster.find(SETTINGS, SPEC)
