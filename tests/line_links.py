"""Links from a page to a line of the repository: their text, in backticks, is a piece of that line.

`python -m tests.line_links` moves each one to the line in which its text stands now.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import unquote

import typer

from tests.pages import name, pages, prose

LINK = re.compile(r"\[(?P<text>[^\]]*(?:\[[^\]]*\][^\]]*)*)\]\((?P<path>[^\s()#]+)#L(?P<line>\d+)\)")


class LineLink(NamedTuple):
    """A link, and the lines of its file in which its text stands; none for a text that is not in backticks."""

    text: str
    path: str
    line: int
    lines: list[int]

    @classmethod
    def of(cls, page: Path, found: re.Match[str]) -> Self:
        """The link that was found on a page. Raises ``OSError`` when there is no such file."""
        quoted = re.fullmatch(r"`([^`]+)`", found["text"])
        there = (page.parent / unquote(found["path"])).resolve().read_text(encoding="utf-8").splitlines()
        wanted = quoted and quoted[1].replace("\\|", "|")  # as it is written in a cell of a table
        lines = [number for number, line in enumerate(there, 1) if wanted and wanted in line]
        return cls(found["text"], found["path"], int(found["line"]), lines)

    def complaint(self) -> str | None:
        """What is wrong with it."""
        if self.line in self.lines:
            return None
        now = f"is in line {', '.join(map(str, self.lines[:5]))}" if self.lines else "is in no line"
        return f"{self.path}#L{self.line}: {self.text} {now}"


def line_links(page: Path) -> list[LineLink]:
    """The links of a page that name a line."""
    return [LineLink.of(page, found) for found in LINK.finditer(prose(page))]


def mended(page: Path) -> str:
    """The text of a page, each link moved to its line where there is just one."""

    def moved(found: re.Match[str]) -> str:
        link = LineLink.of(page, found)
        if link.complaint() is None or len(link.lines) != 1:
            return found[0]
        return f"[{link.text}]({link.path}#L{link.lines[0]})"

    return LINK.sub(moved, page.read_text(encoding="utf-8"))


app = typer.Typer()


@app.command()
def move() -> None:
    """Move each link to the line in which its text stands now; name those whose text stands in none, or in several."""
    for each in pages():
        text = mended(each)
        if text != each.read_text(encoding="utf-8"):
            each.write_text(text, encoding="utf-8")
            print(f"{name(each)}: moved")
        for complaint in filter(None, map(LineLink.complaint, line_links(each))):
            print(f"{name(each)}: {complaint}: give it a text that stands in one line")


if __name__ == "__main__":
    app()
