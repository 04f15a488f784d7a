"""Thirty days through the whole system: every series and every rejection is what pandas computes."""

from __future__ import annotations

from contextlib import ExitStack
from typing import NamedTuple

import pytest

from infrastructure.kafka import admin
from infrastructure.settings import Settings
from ingest.bridge import Bridge
from jobs import cluster
from operations import audit
from producer.run import run
from producer.simulation import Simulation, site_names, ticks_of
from scripts import oracle
from scripts.repeats import RepeatingPublisher
from scripts.stack.supervision import Stack
from tests.running import Bridging, submit_quickly, wait_for
from topics import catalogue

DAYS = 30
START = 1577836800000


class Case(NamedTuple):
    """One run; two runs of one ``seed`` and number of ``sites`` must agree to the last bit."""

    seed: int
    sites: int
    parallelism: int
    partitions: int


CASES = {
    "one": Case(seed=1, sites=2, parallelism=1, partitions=6),
    "four": Case(seed=1, sites=2, parallelism=4, partitions=13),
    "last": Case(seed=67, sites=1, parallelism=2, partitions=1),  # its last motion is 30 s after the last midnight
}


@pytest.mark.timeout(400)
def test_every_series_and_every_rejection_equals_pandas(stack: Stack) -> None:
    sensors = catalogue.read(stack.settings.sensors)
    settings = {
        name: stack.settings.replace(prefix=f"{name}.", parallelism=case.parallelism, partitions=case.partitions)
        for name, case in CASES.items()
    }
    simulations = {name: Simulation(sensors, case.seed, START, site_names(case.sites)) for name, case in CASES.items()}
    with ExitStack() as cleaning:
        for own in settings.values():
            admin.create(own)
            cleaning.callback(admin.delete, own)
            job = submit_quickly(own)
            cleaning.callback(cluster.cancel, own, job)
            cleaning.enter_context(Bridging(Bridge(own, sensors)))
        repeated = {}
        for name, own in settings.items():
            publisher = RepeatingPublisher(own, sensors)
            repeated[name] = publisher.repeats
            run(simulations[name], publisher, ticks=ticks_of(DAYS), ticks_per_second=None, marks={})
        for name, own in settings.items():
            wanted = oracle.expected(simulations[name], ticks_of(DAYS), own)
            _wait_until_equal(own, wanted)
            assert oracle.stored(own).keys() == wanted.keys()
            account = audit.audit(own, sensors)
            assert account.unexplained == []
            assert account.repeated == repeated[name].repeated > 0
            assert account.readings == sum(len(points) for key, points in wanted.items() if _is_raw(key, own, sensors))
            assert account.rejected == sum(len(points) for key, points in wanted.items() if "LateRej" in key)
        results = {name: _unprefixed(own) for name, own in settings.items()}
        assert results["one"] == results["four"]


def _wait_until_equal(settings: Settings, wanted: dict[str, oracle.Points]) -> None:
    def settled() -> bool:
        return not oracle.compare(oracle.stored(settings), wanted).differences

    try:
        wait_for(settled, "every point", seconds=120, every=1)
    except AssertionError:
        differences = oracle.compare(oracle.stored(settings), wanted).differences
        pytest.fail(f"{settings.prefix} {len(differences)} points differ:\n" + "\n".join(differences[:20]))


def _unprefixed(settings: Settings) -> dict[str, oracle.Points]:
    return {key.removeprefix(settings.prefix): points for key, points in oracle.stored(settings).items()}


def _is_raw(key: str, settings: Settings, sensors: catalogue.Catalogue) -> bool:
    return key.removeprefix(settings.prefix).split(":")[-1] in sensors
