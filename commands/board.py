"""iot board, python -m board: serve the board until Ctrl-C."""

from __future__ import annotations

from infrastructure import logs
from infrastructure.settings import load_settings
from topics.errors import UserError


def board() -> None:
    """Show the dashboards, and serve an HTTP API, until Ctrl-C.

    At IOT_BOARD. Redis is read as the user viewer.
    """
    settings = load_settings()
    logs.configure(settings.monitoring.log_format)
    if not settings.board.url:
        raise UserError("IOT_BOARD is empty, so there is no board: set it, for instance to http://127.0.0.1:8000")
    from board.server import serve

    serve(settings)
