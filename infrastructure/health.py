"""What /health of a process answers, and what that of another one says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import requests

Health = Callable[[], Sequence[str]]
"""Why a process is not well at this moment, a sentence each; nothing when it is."""


class Answer(NamedTuple):
    """Status and body (JSON) of an HTTP answer."""

    status: int
    body: dict[str, Any]


def answer(reasons: Sequence[str]) -> Answer:
    """200 when there are no reasons, else 503 with them."""
    if reasons:
        return Answer(requests.codes.service_unavailable, {"status": "not well", "reasons": list(reasons)})
    return Answer(requests.codes.ok, {"status": "ok"})


def read(url: str, seconds: float = 2.0) -> list[str] | None:
    """Why the process that serves ``url``/health is not well; None when none answers in time, or something else does.

    An empty ``url`` is nobody's.
    """
    if not url:
        return None
    try:
        body = requests.get(f"{url}/health", timeout=seconds).json()
        return [str(reason) for reason in body.get("reasons", [])] if body["status"] in ("ok", "not well") else None
    except (requests.RequestException, ValueError, KeyError, TypeError, AttributeError):
        return None
