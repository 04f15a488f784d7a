"""The oracle's rules on lateness and duplicates against the definition, read one reading after the other."""

from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.settings import Settings
from scripts.oracle import DAY, repeated, too_late
from tests import lateness_model

stamps = st.integers(0, 20 * DAY) | st.integers(0, 20).map(lambda day: day * DAY)
streams = st.lists(st.tuples(st.sampled_from(["TH1", "W1"]), stamps), min_size=1, max_size=60)


@given(streams)
def test_the_pandas_rule_is_the_definition(stream: list[tuple[str, int]]) -> None:
    frame = pd.DataFrame(stream, columns=["sensor", "ts"]).assign(site="home")
    frame["day"] = frame.ts // DAY * DAY
    expected = pd.Series(index=frame.index, dtype=bool)
    for _, group in frame.groupby("sensor"):
        expected[group.index] = lateness_model.too_late(group.ts.tolist())
    assert too_late(frame, Settings.of(env_file=None)).tolist() == expected.tolist()


again = st.lists(st.tuples(st.sampled_from(["TH1", "W1"]), st.integers(0, 20).map(lambda day: day * DAY)), min_size=1)


@given(again)
def test_a_duplicate_is_that_of_the_definition(stream: list[tuple[str, int]]) -> None:
    frame = pd.DataFrame(stream, columns=["sensor", "ts"]).assign(site="home")
    frame["day"] = frame.ts // DAY * DAY
    expected = pd.Series(index=frame.index, dtype=bool)
    for _, group in frame.groupby("sensor"):
        expected[group.index] = [v == "duplicate" for v in lateness_model.verdicts(group.ts.tolist())]
    assert repeated(frame, Settings.of(env_file=None)).tolist() == expected.tolist()


def test_the_boundary_is_the_first_late_instant() -> None:
    end, settings = DAY, Settings.of(env_file=None)
    clock = end + lateness_model.L + lateness_model.B
    for ahead, late in ((clock - 1, False), (clock, True)):
        frame = pd.DataFrame({"site": "home", "sensor": "W1", "ts": [ahead, end - 1]})
        frame["day"] = frame.ts // DAY * DAY
        assert too_late(frame, settings).tolist() == [False, late]
