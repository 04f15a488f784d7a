"""The report of a run: JSON and back, Markdown, and a plot that is proper XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
import pytest

from infrastructure.home import ROOT
from scripts.bench import report
from scripts.bench.measure import Goal, Row, Stage
from scripts.bench.plot import drawn
from scripts.bench.report import Report
from topics.errors import UserError

DOCS = ROOT / "docs" / "operations"

STAGES = [
    Stage(
        "job",
        "Job",
        [
            Row("source → blackhole", "limit", "readings/s", [1000.0, 1100.0, 900.0], amount=5000),
            Row(
                "the job", "ours", "readings/s", [600.0, 500.0, 550.0], more={"processor, µs/reading": [3.5, 3.4, 3.6]}
            ),
            Row("A & B", "peer", "readings/s", [10.0], wrong="7 readings"),
            Row("C", "peer", "readings/s", [], failed="first line\nit does not run"),
        ],
        [Goal("job / limit", [0.6, 0.45, 0.61], 0.5), Goal("job / A & B", [60.0], 100)],
        ["5,000 readings"],
    )
]


@pytest.fixture
def made() -> Report:
    return Report("2026-01-01", "tiny", "python -m scripts.bench", 61.0, 3, {"cores": "2"}, {"Kafka": "4"}, STAGES)


def test_it_reads_what_it_has_written(made: Report, tmp_path: Path) -> None:
    report.write(made, tmp_path, "benchmarks")
    assert report.read(tmp_path / "benchmarks.json") == made


def test_the_markdown_has_medians_spreads_ratios_and_what_was_missed(made: Report) -> None:
    text = "\n".join(report.lines(made))
    assert "| job / limit | ≥ 0.5× | 0.6× | 0.45–0.61 | reached |" in text
    assert "| job / A & B | ≥ 100× | 60.0× |  | **missed** |" in text
    assert "| **the job** | 550 | 500–600 | readings/s | 0.55 |" in text
    assert "7 readings" in text
    assert "| C | failed |" in text
    assert "it does not run" in text
    assert [goal.name for goal in made.missed] == ["job / A & B"]


def test_every_table_row_has_as_many_cells_as_its_head(made: Report) -> None:
    width = 0
    for line in report.lines(made):
        cells = line.count("|")
        assert not cells or not width or cells == width, line
        width = cells


def test_the_plot_has_a_bar_for_each_that_was_measured() -> None:
    root = ET.fromstring(drawn(STAGES))
    bars = [e for e in root.iter() if e.tag.endswith("rect")]
    lengths = [float(bar.attrib["width"]) for bar in bars]
    assert [bar.attrib["class"] for bar in bars] == ["limit", "ours", "peer"]
    assert lengths == sorted(lengths, reverse=True)
    assert "prefers-color-scheme: dark" in drawn(STAGES)


def test_a_plot_of_nothing_is_a_plot() -> None:
    ET.fromstring(drawn([]))


def test_a_file_that_is_no_report_is_told(tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    with pytest.raises(UserError, match="cannot be read"):
        report.read(file)
    file.write_bytes(msgspec.json.encode({"a": 1}))
    with pytest.raises(UserError, match="no report"):
        report.read(file)


def test_the_recorded_markdown_is_that_of_the_recorded_run() -> None:
    recorded = report.read(DOCS / "benchmarks.json")
    assert (DOCS / "benchmarks.md").read_text(encoding="utf-8") == "\n".join(report.lines(recorded)) + "\n"
    assert (DOCS / "benchmarks.svg").read_text(encoding="utf-8") == drawn(recorded.stages)


def test_a_run_that_is_small_or_on_a_busy_machine_says_so(made: Report) -> None:
    made.machine["busy when it began"] = "35 %"
    text = "\n".join(report.lines(made))
    assert "it is not of full size (tiny), and other work went on: the processors were 35 % busy when it began." in text
    made.size, made.machine["busy when it began"] = report.FULL, "3 %"
    assert "Not a run to quote" not in "\n".join(report.lines(made))
