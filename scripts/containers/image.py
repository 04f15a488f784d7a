"""python -m scripts.containers.image: make the job's jar where the image is built; what only builds it is removed."""

from __future__ import annotations

import shutil

from jobs.tools import INSTALLED
from scripts.stack.install import JOB, install

PARTS = ("connector", "compiler", JOB)


def main() -> None:
    """Make the jar below ``jobs.tools.INSTALLED``, beside the connector that its name depends on."""
    for part in install(PARTS):
        print(f"installing {part}", flush=True)
    shutil.rmtree(INSTALLED / "compiler")


if __name__ == "__main__":
    main()
