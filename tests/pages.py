"""The pages of the manual: which there are, and what stands in them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from infrastructure.home import ROOT

FENCE = re.compile(r"^(`{3,}|~{3,})([^\n]*)\n(.*?)^\1[ \t]*$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")


class Block(NamedTuple):
    """A fenced block: where it stands as ``page:line``, its language (empty without one), and its text."""

    where: str
    language: str
    text: str


@cache
def pages() -> tuple[Path, ...]:
    """Every Markdown file of the repository, those that are not committed yet too."""
    said = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return tuple(path for name in said.splitlines() if (path := ROOT / name).exists())


def name(page: Path) -> str:
    """The path of a page from the root of the repository."""
    return page.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    """A page without what stands in fences; its lines keep their numbers."""
    return FENCE.sub(lambda fence: "\n" * fence[0].count("\n"), page.read_text(encoding="utf-8"))


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    for fence in FENCE.finditer(text):
        line = text.count("\n", 0, fence.start()) + 1
        yield Block(f"{name(page)}:{line}", fence[2].strip(), fence[3])


def inline_code(page: Path) -> Iterator[tuple[str, str]]:
    """What stands in backticks outside of fences: where, as ``page:line``, and the text."""
    for number, line in enumerate(prose(page).split("\n"), 1):
        for code in CODE.findall(line):
            yield f"{name(page)}:{number}", code.replace("\\|", "|")
