"""How far pip is, by what it prints and by the files that grow: pip itself tells nothing of a download before its end.

It is imported before anything is installed, and imports the standard library alone.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Packages:
    """How far pip is, by the lines that it prints. ``pinned``: the names of what is to be there in the end."""

    pinned: set[str]
    began: float = field(default_factory=time.time)
    found: set[str] = field(default_factory=set)
    file: str = ""
    size: str = ""
    building: str = ""
    installing: int = 0
    retrying: bool = False

    def read(self, line: str) -> None:
        """Take one line into account."""
        self.retrying = "Retrying (Retry(" in line
        if ignored := re.match(r"Ignoring ([\w.-]+): markers", line):
            self.pinned.discard(normalized(ignored[1]))
        elif found := re.match(r"(?:Collecting|Requirement already satisfied:) ([\w.-]+)", line):
            self.found.add(normalized(found[1]))
            self.file = ""
        elif loading := re.match(r"\s+Downloading (\S+) \(([\d.]+ \w+)\)", line):
            self.file, self.size = loading[1].rsplit("/", 1)[-1], loading[2]
        elif building := re.match(r"\s+Building wheel for ([\w.-]+)", line):
            self.building = building[1]
        elif collected := re.match(r"Installing collected packages: (.+)", line):
            self.installing = len(collected[1].split(","))

    def shown(self, temporary: Path, installed: Path) -> str:
        """What to show now. ``temporary`` holds pip's unfinished downloads, ``installed`` the installed packages."""
        if self.installing:
            there = _newer(installed, self.began)
            done = there >= self.installing
            return f"installing package {there} of {self.installing}{', compiling the last ones' if done else ''}"
        text = f"package {len(self.found)} of {len(self.pinned)}"
        if self.retrying:
            return f"{text}: the package index does not answer, trying again"
        if self.building:
            return f"{text}: building {self.building}"
        file, size = self.file, self.size  # another thread may go on to the next one meanwhile
        if not file:
            return text
        loaded = f"{_bytes_of(temporary, file) / 1e6:.1f} of " if size.endswith(" MB") else ""
        return f"{text}: {'-'.join(file.split('-')[:2])}, {loaded}{size}"


def normalized(name: str) -> str:
    """A package's name as PEP 503 has it: pip and the requirements may spell it differently."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(files: Iterable[Path]) -> set[str]:
    """Names of the packages in compiled requirements."""
    return {normalized(n) for file in files for n in re.findall(r"^([\w.-]+)==", file.read_text(), re.MULTILINE)}


def _newer(installed: Path, since: float) -> int:
    count = 0
    for pattern in ("*.dist-info", "*.egg-info"):
        for entry in installed.glob(pattern):
            try:
                count += entry.stat().st_mtime >= since
            except FileNotFoundError:  # pip has just renamed it
                continue
    return count


def _bytes_of(temporary: Path, name: str) -> int:
    for parent, _, files in os.walk(temporary):
        if name in files:
            try:
                return os.stat(os.path.join(parent, name)).st_size  # noqa: PTH116, PTH118
            except FileNotFoundError:  # it is complete, and has just been moved
                return 0
    return 0
