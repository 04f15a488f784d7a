"""The job's decoder, without Kafka: its verdict on every record is that of Flink's decoder and of the contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.fuzz.records import SENSORS, records
from scripts.fuzz.verdicts import Decoders, Verdict, compiled, disagreement, disagreements
from tests.generated import batch
from tests.validity import CASES, LATEST, PLAIN
from topics.reading import HEARTBEAT, Reading, Rules

GENERATED = 4000
FUZZED = 20_000

TAKEN = Reading("home", "TH1", 1_577_836_800_000, 22.5)


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with compiled(SENSORS) as made:
        yield made


def test_the_verdict_on_each_case_is_the_one_that_is_written_down(decoders: Decoders) -> None:
    verdicts = decoders.verdicts([case.value for case in CASES])
    for case, verdict in zip(CASES, verdicts, strict=True):
        # Whether a reading is of the future is for SQL to decide.
        rows = [row for row in verdict.job if row is not None and row.sensor != HEARTBEAT and row.ts <= LATEST]
        assert rows == [item for item in case.expected if isinstance(item, Reading)], case.name
        assert verdict.flink == verdict.job, case.name


def test_the_verdict_on_whatever_is_generated_is_that_of_flink_and_of_the_contract(decoders: Decoders) -> None:
    generated = batch(GENERATED)
    assert not [*disagreements(generated, decoders.verdicts(generated), SENSORS)]


def test_the_verdict_on_valid_records_that_were_changed_is_that_of_flink_and_of_the_contract(
    decoders: Decoders,
) -> None:
    changed = list(records(1, FUZZED))
    verdicts = decoders.verdicts(changed)
    assert not [*disagreements(changed, verdicts, SENSORS)]
    for some in (
        [verdict for verdict in verdicts if verdict.fast],
        [verdict for verdict in verdicts if not verdict.fast and any(verdict.job)],
        [verdict for verdict in verdicts if None in verdict.job],
        [verdict for verdict in verdicts if not verdict.job],
    ):
        assert len(some) > FUZZED / 50, "they are of all kinds"


def test_the_changed_records_are_the_same_ones_each_time() -> None:
    assert list(records(1, 500)) == list(records(1, 500))
    assert list(records(1, 500)) != list(records(2, 500))


def test_the_verdict_does_not_depend_on_what_was_decoded_before(decoders: Decoders) -> None:
    """Jackson takes such a name for the one that it has seen before."""
    strange = [PLAIN.replace(b"lue", b"lu" + b"\xff" * count + b"e") for count in (1, 2, 3)]
    verdicts = decoders.verdicts([*strange, b" " + PLAIN, *strange])
    assert [verdict.job for verdict in verdicts] == [[], [], [], [TAKEN], [], [], []]


@pytest.mark.parametrize(
    "verdict",
    [
        Verdict(True, [], []),
        Verdict(True, [TAKEN], []),
        Verdict(True, [], [TAKEN]),
        Verdict(True, [TAKEN, TAKEN], [TAKEN, TAKEN]),
        Verdict(True, [TAKEN._replace(value=22.6)], [TAKEN._replace(value=22.6)]),
        Verdict(True, [TAKEN, None], [TAKEN]),
    ],
)
def test_a_verdict_that_is_not_that_of_the_others_is_noticed(verdict: Verdict) -> None:
    rules = Rules(SENSORS, 0)
    assert disagreement(PLAIN, Verdict(True, [TAKEN], [TAKEN]), rules) is None
    assert disagreement(PLAIN, verdict, rules) is not None


def test_the_sign_of_a_zero_is_seen() -> None:
    zero, minus = TAKEN._replace(value=0.0), TAKEN._replace(value=-0.0)
    record = PLAIN.replace(b"22.5", b"-0.0")
    assert disagreement(record, Verdict(True, [minus], [minus]), Rules(SENSORS, 0)) is None
    assert disagreement(record, Verdict(True, [minus], [zero]), Rules(SENSORS, 0)) is not None
