"""What the JobManager would refuse is gone before it starts. (tests/jobs/test_lifecycle.py lets Flink write it.)"""

from __future__ import annotations

import json
from pathlib import Path

from scripts.stack.jobmanager import DIRTY, delete_unfit


def test_what_has_no_application_or_was_cut_off_is_deleted_and_nothing_else(tmp_path: Path) -> None:
    store = tmp_path / "job-result-store" / "cluster"
    store.mkdir(parents=True)
    whole = json.dumps({"result": {"id": "a", "application-id": "a"}, "version": 1})
    contents = {
        f"a{DIRTY}": whole,
        f"b{DIRTY}": json.dumps({"result": {"id": "b"}, "version": 1}),
        f"c{DIRTY}": whole[:20],
        f"d{DIRTY}": "",
        f"e{DIRTY}": "[]",
        "f.json": "",
    }
    for name, text in contents.items():
        (store / name).write_text(text)
    assert list(delete_unfit(tmp_path)) == ["b", "c", "d", "e"]
    assert {path.name for path in store.iterdir()} == {f"a{DIRTY}", "f.json"}
    assert list(delete_unfit(tmp_path / "nothing yet")) == []
