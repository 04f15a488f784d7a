"""The same readings give the same results to the last bit, however they are replayed."""

from __future__ import annotations

import pytest

from scripts.determinism import Case, outcomes
from scripts.stack.supervision import Stack

CASES = (
    Case("one after the other", parallelism=1),
    Case("eight at once, from many partitions", parallelism=8, partitions=13),
    Case("one partition slow, killed half-way and restored", parallelism=4, slow=0, killed=True),
)
"""Live runs, of several paces, are compared in test_thirty_days.py."""


@pytest.mark.timeout(300)
def test_every_way_to_run_it_gives_the_same(stack: Stack) -> None:
    found = [outcome for _, outcome in outcomes(stack, CASES, days=12, sites=20, pace=1)]
    assert [outcome.wrong for outcome in found] == [0, 0, 0]
    assert found[0].rejected == 9 * 20, "of each W1 that of every 120th of 1,154 ticks"
    assert len({outcome.digest for outcome in found}) == 1
