"""When the bridge has begun and ended, as Redis' own counters tell it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import cast

import pytest

from scripts.bench import bridge_run
from scripts.bench.bridge_run import Writes, watch
from topics.errors import UserError


class Counted:
    """Counters that somebody has read before: the numbers come one look after the other, the last one stays."""

    def __init__(self, *counts: int) -> None:
        self._counts: Iterator[int] = iter(counts)
        self._last = 0
        self.moved: list[float] = []

    def count(self) -> int:
        before = self._last
        self._last = next(self._counts, self._last)
        if self._last != before:
            self.moved.append(time.time())
        return self._last


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge_run, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr(bridge_run, "LOOK_SECONDS", 0.01)


def test_it_began_with_the_first_write_and_ended_with_the_last() -> None:
    writes = Counted(0, 0, 1, 2, 2, 7)
    began, ended = watch(cast(Writes, writes), lambda: True)
    assert len(writes.moved) == 3
    assert writes.moved[0] <= began <= writes.moved[1]
    assert writes.moved[2] <= ended
    assert began < ended


def test_quiet_is_not_the_end_while_something_is_missing() -> None:
    answers = iter([False, False, True])
    asked: list[bool] = []

    def done() -> bool:
        asked.append(next(answers))
        return asked[-1]

    watch(cast(Writes, Counted(1)), done)
    assert asked == [False, False, True]


def test_what_stands_still_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge_run, "STALL_SECONDS", 0.1)
    with pytest.raises(UserError, match="does not come to an end"):
        watch(cast(Writes, Counted(1)), lambda: False)
