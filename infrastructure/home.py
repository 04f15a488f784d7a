"""Where a user's own things are: settings in ``.env``, the sensor catalogue, and the data directory."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from topics.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
"""The checkout: home of who has no other, and of the catalogue that comes with it."""
VARIABLE = "IOT_HOME"
CATALOGUE = "sensors.toml"
SETTINGS = ".env"
_SETTING = re.compile(r"^\s*(export\s+)?IOT_", re.MULTILINE)


class Home(NamedTuple):
    """A directory, and why it is home."""

    directory: Path
    why: str


def find() -> Home:
    """The directory that IOT_HOME names (or --home), else the nearest one that is somebody's home, else ``ROOT``.

    The nearest is sought from the working directory upwards: it holds a catalogue, or a ``.env`` with a setting of
    ours, and belongs to the user or to root, since what it says is obeyed. Raises ``UserError`` when IOT_HOME names
    no directory.
    """
    if given := os.environ.get(VARIABLE):
        directory = Path(given).absolute()
        if not directory.is_dir():
            raise UserError(f"{VARIABLE}, or --home: there is no directory {directory}; make it, or name another")
        return Home(directory, f"by --home or {VARIABLE}")
    working = Path.cwd()
    for directory in (working, *working.parents):
        if directory == ROOT:
            break
        if directory != Path.home() and _is_home(directory):
            return Home(directory, "found from the working directory")
    return Home(ROOT, "the checkout")


def resolved(path: Path) -> Path:
    """A path of the settings: a relative one is meant from home."""
    return path if path.is_absolute() else find().directory / path


def catalogue(path: Path) -> Path:
    """The catalogue at ``path``; that of the checkout where home has none and no other is named."""
    found = resolved(path)
    return ROOT / CATALOGUE if path == Path(CATALOGUE) and not found.exists() else found


def _is_home(directory: Path) -> bool:
    try:
        if directory.stat().st_uid not in (os.getuid(), 0):
            return False
        settings = directory / SETTINGS
        return (directory / CATALOGUE).is_file() or (
            settings.is_file() and _SETTING.search(settings.read_text(errors="replace")) is not None
        )
    except OSError:  # not ours to read
        return False
