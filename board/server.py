"""The web server: the page and the API in one application, for this machine alone."""

from __future__ import annotations

import uvicorn
from fastapi import FastAPI
from nicegui import ui
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response

import logs
from board import api, dashboards, page
from board.feed import Feeds
from board.reader import Reader
from settings import Settings

log = logs.get(__name__)

HOSTS = ["127.0.0.1", "localhost"]
"""Names under which it answers; a page elsewhere that gives its own name this address gets nothing."""
POLICY = (
    # NiceGUI's templates are compiled in the browser.
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self' ws:; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def application(settings: Settings) -> FastAPI:
    """Raises ``UserError`` when the dashboards cannot be read."""
    # The pages that FastAPI brings load their scripts from elsewhere.
    app = FastAPI(title="IoT board", description=str(api.__doc__), docs_url=None, redoc_url=None)
    reader = Reader(settings)
    read = dashboards.read()
    app.include_router(api.router(reader))
    api.errors_in_words(app)
    page.add(read, Feeds(reader, read), lambda: api.described(app.openapi()))
    ui.run_with(app, title="IoT board", tailwind=False, show_welcome_message=False, language="en-US")
    app.add_middleware(BaseHTTPMiddleware, dispatch=_with_headers)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False)
    return app


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    log.info("serving the board", url=settings.board)
    uvicorn.run(application(settings), host=host, port=port, log_config=None, log_level="warning", access_log=False)


async def _with_headers(request: Request, proceed: RequestResponseEndpoint) -> Response:
    response = await proceed(request)
    response.headers.update(HEADERS)
    return response
