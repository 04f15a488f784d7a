"""python -m scripts.commit_subject FILE: refuse a commit's message whose subject is too long. A hook of pre-commit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands import terminal
from scripts.stack.hints import hint
from topics.errors import UserError

app = typer.Typer(pretty_exceptions_enable=False)

LONGEST = 72
"""Characters, so that `git log` fits into a terminal of 80."""


def check(message: str) -> None:
    """Raise ``UserError`` when a message has no subject, or a long one. Lines that git takes away do not count."""
    lines = [line.rstrip() for line in message.splitlines() if not line.startswith("#")]
    subject = next(filter(None, lines), "")
    if not subject:
        raise UserError("the commit has no subject: say in its first line what changes, and why")
    if len(subject) > LONGEST:
        raise UserError(
            f"the subject has {len(subject)} characters, and {LONGEST} is the most: the rest belongs below it, behind "
            "an empty line"
        )


@app.command()
def main(file: Annotated[Path, typer.Argument(help="The message, as git hands it to the hook.")]) -> None:
    """Check the subject of a commit's message."""
    check(file.read_text(encoding="utf-8"))


if __name__ == "__main__":
    terminal.run(app, "python -m scripts.commit_subject", hint)
