"""The Dockerfile, as far as the tests want to know it."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path

from infrastructure.home import ROOT

FILE = ROOT / "Dockerfile"


@cache
def instructions() -> list[list[tuple[str, str]]]:
    """Word and argument of each instruction, stage by stage."""
    text = re.sub(r"^#.*\n", "", FILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    stages: list[list[tuple[str, str]]] = []
    for line in filter(None, text.splitlines()):
        word, argument = line.split(maxsplit=1)
        if word == "FROM":
            stages.append([])
        stages[-1].append((word, argument))
    return stages


def image_environment() -> dict[str, str]:
    """Variables that the image sets."""
    return dict(
        pair.split("=", 1) for word, argument in instructions()[-1] if word == "ENV" for pair in shlex.split(argument)
    )


def copied(stage: int) -> list[tuple[str, Path]]:
    """What a stage takes out of the repository: source and target, relative to either root."""
    found = []
    for word, argument in instructions()[stage]:
        if word == "COPY" and not argument.startswith("--from"):
            *sources, target = argument.split()
            found += [(source, Path(target)) for source in sources]
    return found
