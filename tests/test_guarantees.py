"""What docs/explanation/guarantees.md names exists: a promise without its test is none."""

from __future__ import annotations

import re

from infrastructure.home import ROOT

PAGE = ROOT / "docs" / "explanation" / "guarantees.md"
NAMED = re.compile(r"`((?:[\w]+/)*test_\w+\.py)`((?:,? ?`test_\w+`)+)")


def test_every_test_that_shows_a_promise_exists() -> None:
    promises = PAGE.read_text().split("## What is promised")[1].split("\n## ")[0]
    rows = [row for row in promises.splitlines() if row.startswith("| **")]
    assert len(rows) >= 10
    for row in rows:
        found = NAMED.findall(row)
        assert found, f"no test shows it: {row[:80]}"
        for file, tests in found:
            source = (ROOT / "tests" / file).read_text()
            for test in re.findall(r"test_\w+", tests):
                assert f"\ndef {test}(" in source, f"{file} has no {test}"
