"""The web server: the page and the API in one application; for this machine alone, if no setting says otherwise."""

from __future__ import annotations

import errno
import socket
from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI
from nicegui import ui
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from board import api, dashboards, page
from board.feed import Feeds
from board.health import BoardHealth
from board.reader import Reader
from infrastructure import logs
from infrastructure.health import Health, answer
from infrastructure.settings import Settings
from infrastructure.version import __version__
from topics.errors import UserError

log = logs.get(__name__)

HEADERS = {
    # NiceGUI's templates are compiled in the browser.
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self' ws:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
GOODBYE = 2
"""Seconds that open pages have to leave when it stops."""


class Guard:
    """Refuses what a page from elsewhere asks for, by a websocket too, and sends ``HEADERS`` with every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if (origin := headers.get("origin")) and urlsplit(origin).netloc != headers.get("host"):
            if scope["type"] == "http":
                await PlainTextResponse("The board answers its own page alone.", 403)(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, with_headers)


def application(settings: Settings) -> FastAPI:
    """Raises ``UserError`` when the dashboards cannot be read."""
    # The pages that FastAPI brings load their scripts from elsewhere.
    app = FastAPI(title="IoT board", version=__version__, description=api.WHAT, docs_url=None, redoc_url=None)
    reader = Reader(settings)
    read = dashboards.read()
    app.include_router(api.router(reader))
    _add_health(app, BoardHealth(settings))
    api.errors_in_words(app)
    page.add(read, Feeds(reader, read), lambda: api.described(app.openapi()))
    ui.run_with(app, title="IoT board", tailwind=False, show_welcome_message=False, language="en-US")
    app.add_middleware(Guard)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=settings.board.names, www_redirect=False)
    return app


def _add_health(app: FastAPI, health: Health) -> None:
    @app.get("/health", include_in_schema=False)
    def told() -> JSONResponse:
        status, body = answer(health())
        return JSONResponse(body, status, {"Cache-Control": "no-store"})


def serve(settings: Settings) -> None:
    """Serve at IOT_BOARD until Ctrl-C or SIGTERM. Raises ``UserError`` when its address cannot be had."""
    app = application(settings)
    try:
        listening = socket.create_server((settings.board.host, settings.board.port))
    except OSError as error:
        taken = error.errno in (errno.EADDRINUSE, errno.EACCES)
        raise UserError(
            f"{settings.board.url} cannot be had: {error.strerror}. Set "
            f"{'another port' if taken else 'an address of this machine'} (IOT_BOARD=http://127.0.0.1:PORT)"
        ) from error
    log.info("serving the board", url=settings.board.url, names=", ".join(settings.board.names))
    config = uvicorn.Config(
        app, log_config=None, log_level="warning", access_log=False, timeout_graceful_shutdown=GOODBYE
    )
    uvicorn.Server(config).run(sockets=[listening])
