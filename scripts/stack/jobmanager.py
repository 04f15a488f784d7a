"""python -m scripts.stack.jobmanager DIRECTORY SCRIPT: start Flink's JobManager, which a failed job cannot keep away.

Flink keeps how each job has ended in its high-availability DIRECTORY, until all that it has of the job is deleted. Of a
job that failed before it ran, from a savepoint that cannot be read for instance, Flink 2.3 never deletes that, and it
leaves out the job's application. A JobManager that starts refuses such a file, and ends, again and again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import typer

DIRTY = "_DIRTY.json"


def delete_unfit(directory: Path) -> Iterator[str]:
    """Delete what a JobManager refuses of how jobs have ended, below ``directory``; yields the jobs' ids.

    That is what has no application, and what was cut off while it was written.
    """
    for path in sorted(directory.glob(f"job-result-store/*/*{DIRTY}")):
        try:
            fit = "application-id" in json.loads(path.read_text())["result"]
        except (ValueError, KeyError, TypeError):
            fit = False
        if not fit:
            path.unlink()
            yield path.name.removesuffix(DIRTY)


def main(directory: Path, script: Path) -> None:
    """Delete how jobs have ended that a JobManager would refuse to read, and become the JobManager."""
    for job in delete_unfit(directory):
        print(f"deleted how job {job} has ended: the JobManager would not start", flush=True)
    os.execv(script, [str(script), "start-foreground"])


if __name__ == "__main__":
    typer.run(main)
