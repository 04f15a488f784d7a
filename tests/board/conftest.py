"""A Redis of its own, a board that reads it, and a browser, for the tests of what is seen."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

from infrastructure.home import ROOT
from infrastructure.settings import Settings
from ingest.records import Point
from ingest.series_writer import SeriesWriter
from scripts import chromium
from scripts.oracle import Points
from scripts.stack.apart import free_ports
from scripts.stack.install import install
from tests.redis_alone import PASSWORD, fill, serve
from tests.running import wait_for
from topics import catalogue
from topics.series import Series


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks for the board needs the stack's parts to be installed."""
    for item in items:
        if {"house", "browser"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.stack)


@dataclass
class House:
    """A Redis, what it holds, and a board that shows it."""

    settings: Settings
    directory: Path
    held: dict[Series, Points]
    server: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return self.settings.board.url

    def write(self, series: Series, at: int, value: float) -> None:
        """As the bridge does: the last value of an aggregate counts."""
        store = SeriesWriter(self.settings.replace(redis_ingest_user=""), catalogue.read(ROOT / "sensors.toml"))
        store.write([Point(series, at, value)])
        store.close()

    def admin(self) -> redis.Redis:
        return redis.Redis(port=self.settings.redis.port)

    @contextmanager
    def without_redis(self) -> Iterator[None]:
        """Redis is stopped inside of the block; it comes back with the same data."""
        ended(self.server)
        try:
            yield
        finally:
            self.server = serve(self.settings.redis.port, self.directory)
            self.held = fill(self.settings.redis.port, self.directory).held


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Fourteen days of two houses, and their board."""
    for _ in install():
        pass
    with ExitStack() as cleaning:
        redis_port, board_port = free_ports(2)
        directory = tmp_path_factory.mktemp("board")
        settings = Settings.of(
            env_file=None,
            redis=f"redis://127.0.0.1:{redis_port}/0",
            redis_viewer_password=PASSWORD,
            board=f"http://127.0.0.1:{board_port}",
            data_dir=directory,
        )
        server = serve(redis_port, directory)
        made = House(settings, directory, {}, server)
        cleaning.callback(lambda: ended(made.server))
        made.held = fill(redis_port, directory).held
        board = subprocess.Popen(
            [sys.executable, "-m", "board"],
            cwd=ROOT,
            env={**os.environ, **settings.environment(only_redis_as_viewer=True)},
        )
        cleaning.callback(ended, board)
        wait_for(lambda: listens(board_port), "the board")
        yield made


def ended(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium, started once."""
    if chromium.path() is None:
        if os.environ.get("CI"):
            pytest.fail(chromium.INSTALL)
        pytest.skip(chromium.INSTALL)
    with chromium.browser() as running:
        yield running


class Window:
    """One page of the browser, and everything that it complained of."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        context.set_default_timeout(30_000)
        self.page: Page = context.new_page()
        self.url = url
        self.errors: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._asked)
        self.page.on("requestfailed", self._failed)

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.url, "data:")):
            self.errors.append(f"asks elsewhere: {request.url}")

    def _failed(self, request: Request) -> None:
        if "ERR_ABORTED" not in str(request.failure):  # what was still on its way when the page was left
            self.errors.append(f"{request.url}: {request.failure}")

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def open(self, query: str = "") -> Page:
        self.page.goto(f"{self.url}/{query}")
        return self.page


@pytest.fixture
def window(browser: Browser, house: House, request: pytest.FixtureRequest) -> Iterator[Window]:
    """A new window, which must have nothing to complain of; a test's parameter has options of its context."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 1600}, **getattr(request, "param", {})})
    opened = Window(context, house.url)
    yield opened
    context.close()
    assert opened.errors == []
