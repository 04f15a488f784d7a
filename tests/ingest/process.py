"""A bridge as a process of its own, as ``iot ingest`` runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infrastructure.home import ROOT
from infrastructure.settings import Settings


@contextmanager
def bridge_process(settings: Settings, log: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A bridge as a process of its own, which does not outlive the block."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *(command or ("-m", "ingest"))],
            cwd=ROOT,
            env={**os.environ, **settings.environment()},
            stdout=output,
            stderr=output,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


IMPATIENT = """
from ingest import bridge, dead_letters
from ingest.__main__ import app

consumer = bridge.Consumer
bridge.Consumer = lambda given: consumer({**given, "session.timeout.ms": 6000})  # the shortest that the broker takes
"""
"""A bridge as ``iot ingest`` runs it, that is sooner given up when it is dead."""
