"""A guard against becoming slower: job and bridge beside their limits, over few readings."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure.home import ROOT
from scripts.bench import ingest, job
from scripts.bench.__main__ import filled
from scripts.bench.dataset import Dataset
from scripts.bench.measure import Measuring, Stage
from scripts.stack.supervision import Stack

BOUNDS = tomllib.loads((ROOT / "scripts" / "bench" / "bounds.toml").read_text())


@pytest.fixture
def data(stack: Stack, tmp_path: Path) -> Iterator[Dataset]:
    with filled(lambda _: None, Dataset(stack.settings, f"ratios-{tmp_path.name}", sites=100, days=4)) as made:
        yield made[0]


def ratio(stage: Stage) -> float:
    return stage.goals[0].median


def test_the_job_keeps_its_share_of_the_limit(stack: Stack, data: Dataset) -> None:
    assert ratio(job.stage(Measuring(2, print), stack, data, data, [])) >= BOUNDS["job"]


def test_the_bridge_keeps_its_share_of_the_limit(data: Dataset) -> None:
    assert ratio(ingest.stage(Measuring(2, print), data, data, [])) >= BOUNDS["ingest"]
