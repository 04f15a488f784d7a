"""The instants that were there, against a set of Python; and how little memory they take."""

from __future__ import annotations

from sys import getsizeof

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from producer.backfill import instants
from producer.backfill.instants import Instants, List, Run

REGULAR = st.builds(
    lambda first, step, count: list(range(first, first + step * count, step)),
    st.integers(0, 300) | st.integers(0, 2**45),
    st.sampled_from([1, 2, 3, 900_000, 2**33]),
    st.integers(1, 60),
)
IRREGULAR = st.lists(st.integers(0, 300) | st.integers(0, 2**45), min_size=1, max_size=40)


def listed(have: Instants) -> list[int]:
    return [ts for stretch in have._stretches for ts in stretch.instants().tolist()]


def nbytes(have: Instants) -> int:
    """Bytes in memory."""
    return sum(
        getsizeof(stretch) + sum(getsizeof(getattr(stretch, name)) for name in stretch.__slots__)
        for stretch in have._stretches
    )


@examples(max_examples=300)
@given(st.lists(REGULAR | IRREGULAR, max_size=12), st.sampled_from([(2, 5, 3), (4, 50, 10), (64, 65_536, 4_096)]))
def test_they_are_a_set(parts: list[list[int]], sizes: tuple[int, int, int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, size in zip(("REGULAR", "LONGEST_RUN", "LONGEST_LIST"), sizes, strict=True):
            patch.setattr(instants, name, size)
        have, wanted = Instants(), set[int]()
        for part in parts:
            ts = np.array(sorted(set(part)), dtype=np.int64)
            there = have.has(ts)
            assert there.tolist() == [t in wanted for t in ts.tolist()]
            have.insert(ts[~there])
            wanted |= set(part)
        assert listed(have) == sorted(wanted)
        assert have.newest == max(wanted, default=-1)
        for stretch in have._stretches:
            assert len(stretch.instants()) <= max(sizes[1], sizes[2])
            if isinstance(stretch, List):
                assert stretch.offsets.dtype == np.uint32


def test_a_million_regular_instants_take_next_to_no_memory_however_they_come() -> None:
    ts = np.arange(1_000_000, dtype=np.int64) * 900_000 + 1_577_836_800_000
    for piece in (1_000_000, 40_000, 999, 37):
        have = Instants()
        for begin in range(0, len(ts), piece):
            have.append(ts[begin : begin + piece])
        assert nbytes(have) < 10_000
        assert have.has(ts).all()
        assert not have.has(ts + 1).any()
        assert all(isinstance(stretch, Run) for stretch in have._stretches[1:-1])


def test_a_million_instants_with_gaps_every_hundred_take_less_than_four_bytes_each() -> None:
    ts = np.arange(1_000_000, dtype=np.int64) * 900_000
    ts += (np.arange(1_000_000) // 100) * 3_600_000
    have = Instants()
    for begin in range(0, len(ts), 5_000):
        have.append(ts[begin : begin + 5_000])
    assert nbytes(have) < 4_000_000
    assert have.has(ts).all()


def test_a_million_irregular_instants_take_about_four_bytes_each_in_any_order() -> None:
    random = np.random.default_rng(1)
    ts = np.cumsum(random.integers(1, 60_000, 1_000_000))
    in_order = Instants()
    for begin in range(0, len(ts), 5_000):
        in_order.append(ts[begin : begin + 5_000])
    backwards = Instants()
    for begin in range(len(ts) - 5_000, -1, -5_000):
        backwards.insert(ts[begin : begin + 5_000])
    shuffled, order = Instants(), random.permutation(ts)
    for begin in range(0, len(ts), 100_000):
        shuffled.insert(np.sort(order[begin : begin + 100_000]))
    for have in (in_order, backwards, shuffled):
        assert nbytes(have) < 4_500_000
        assert listed(have) == ts.tolist()
