"""python3 scripts/containers/passwords.py: make .env from .env.example, with random passwords. Needs no package."""

from __future__ import annotations

import os
import re
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
EMPTY = re.compile(r"^(\w+_PASSWORD)=$", re.MULTILINE)


def filled(example: str) -> str:
    """The example, with a random password wherever one is wanted."""
    return EMPTY.sub(lambda found: f"{found[1]}={secrets.token_urlsafe(32)}", example)


def main(directory: Path = ROOT) -> int:
    """Write .env, which nobody else can read; never over one that is there. The exit code."""
    try:
        descriptor = os.open(directory / ".env", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        print(f"error: {directory / '.env'} is there already: fill in what it lacks by hand", file=sys.stderr)
        return 1
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(filled((ROOT / ".env.example").read_text(encoding="utf-8")))
    print(f"{directory / '.env'} is written: `docker compose up --detach` starts everything")
    return 0


if __name__ == "__main__":
    sys.exit(main())
