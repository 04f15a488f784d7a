"""The system's Chromium without a window, driven by Playwright, which brings no browser of its own here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from topics.errors import UserError

NAMES = ("chromium", "chromium-browser", "google-chrome")
INSTALL = "there is no Chromium: as root, apt-get install --no-install-recommends chromium"
ARGUMENTS = (
    # It runs as root in containers, and is to look for nothing in the network.
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def path() -> str | None:
    """Where it is; None when it is not installed."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def browser() -> Iterator[Browser]:
    """Started, with a profile that is thrown away. Raises ``UserError`` when it is not installed."""
    if (executable := path()) is None:
        raise UserError(INSTALL)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        try:
            yield running
        finally:
            running.close()
