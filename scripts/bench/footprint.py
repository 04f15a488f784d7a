"""What the whole system takes: memory at rest and under load, time to start, space on the disk."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from infrastructure.kafka import admin
from jobs import cluster
from jobs.daily_aggregates import SPEC
from jobs.tools import local_tools
from scripts.bench.ground import Ground
from scripts.bench.measure import Goal, Row, Stage
from scripts.stack.supervision import Stack

MEMORY_BAR = 3 * 1024
"""MiB of everything together, under load."""
START_BAR = 40
"""Seconds that `iot demo` may take when everything is installed; its days come on top of the start."""
LOOK_SECONDS = 0.5
SETTLE_SECONDS = 3
BIGGEST = 10
OURS = {"ingest": "bridge", "jobs": "exporter", "scripts.bench.sending": "producer"}
"""Modules that are run by the benchmark, and not by the stack."""


class Memory:
    """Resident memory (MiB) of the stack's processes, the bridge and the producer: shared pages count in each."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.rest: dict[str, float] = {}
        self.most: dict[str, float] = {}
        self.together = 0.0

    def look(self) -> dict[str, float]:
        """What each takes now."""
        named = {state["pid"]: str(state["name"]) for state in self._stack.states() if state["pid"]}
        for child in psutil.Process().children():
            with suppress(psutil.Error):  # it has ended
                words = child.cmdline()
                for module, name in OURS.items():
                    if module in words:
                        named[child.pid] = name
        found: dict[str, float] = {}
        for pid, name in named.items():
            with suppress(psutil.Error):
                found[name] = psutil.Process(pid).memory_info().rss / 2**20
        return found

    def settle(self) -> None:
        """Note what they take while there is nothing to do."""
        time.sleep(SETTLE_SECONDS)
        self.rest = self.look()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look again and again."""
        over = threading.Event()

        def look() -> None:
            while not over.wait(LOOK_SECONDS):
                found = self.look()
                self.together = max(self.together, sum(found.values()))
                for name, size in found.items():
                    self.most[name] = max(self.most.get(name, 0.0), size)

        looking = threading.Thread(target=look, name="memory")
        looking.start()
        try:
            yield
        finally:
            over.set()
            looking.join()


def stage(ground: Ground, memory: Memory) -> Stage:
    """``memory``: what was seen while the whole way was measured."""
    rows = [Row(f"memory under load, {name}", "ours", "MiB", [size]) for name, size in _sorted(memory.most)]
    rows.append(Row("memory at rest, all", "ours", "MiB", [sum(memory.rest.values())]))
    rows.append(Row("memory under load, all at once", "ours", "MiB", [memory.together]))
    steps = _start(ground)
    rows += [Row(f"start, {name}", "ours", "s", [seconds]) for name, seconds in steps.items()]
    sizes = _sizes()
    rows.append(Row("installation", "ours", "MiB", [sum(sizes.values())]))
    rows += [Row(f"installation, {name}", "ours", "MiB", [size]) for name, size in _sorted(sizes)[:BIGGEST]]
    started = steps["processes ready"] + steps["topics created"] + steps["job submitted and running"]
    goals = [
        Goal("memory of everything under load", [memory.together], MEMORY_BAR, at_least=False, unit="MiB"),
        Goal("start, without the days of the demo", [started], START_BAR, at_least=False, unit="s"),
    ]
    return Stage("footprint", "Memory, start and size", rows, goals, ["processes start side by side"])


def _start(ground: Ground) -> dict[str, float]:
    """Where the time of a start goes, seconds."""
    steps = {f"{name} ready": seconds for name, seconds in sorted(ground.ready.items(), key=lambda step: step[1])}
    steps["processes ready"] = max(steps.values())
    own = ground.settings.replace(prefix="start.")
    began = time.monotonic()
    admin.create(own)
    created = time.monotonic()
    steps["topics created"] = created - began
    job = cluster.submit(own, local_tools(own), SPEC)
    steps["job submitted and running"] = time.monotonic() - created
    cluster.cancel(own, job)
    admin.delete(own)
    return steps


def _sizes() -> dict[str, float]:
    """MiB on the disk by package, or part of the stack, of the environment."""
    prefix = Path(sys.prefix).resolve()
    sizes: dict[str, float] = {}
    packages = next(prefix.glob("lib/python*/site-packages"))
    for top, directory in ((packages, ""), (prefix / "stack", "stack/")):
        for entry in os.scandir(top):
            sizes[directory + entry.name] = _size(Path(entry.path)) / 2**20
    return sizes


def _size(path: Path) -> int:
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    return sum(_size(Path(entry.path)) for entry in os.scandir(path))


def _sorted(sizes: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(sizes.items(), key=lambda item: -item[1])
