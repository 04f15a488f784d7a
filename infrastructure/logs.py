"""Log lines: text for a reader, or one JSON object a line for a machine (IOT_LOG_FORMAT).

A message is a constant sentence, a warning's says what to do next; what varies stands in fields behind it: topic,
partition, offset, service, error, counts, seconds.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from structlog.stdlib import BoundLogger, ExtraAdder, ProcessorFormatter
from structlog.typing import Processor

_json = False


def get(name: str) -> BoundLogger:
    """The logger of a module; ``log.info("message", field=value, …)``.

    Its records go through the standard library's loggers, with the fields as attributes.
    """
    return structlog.wrap_logger(  # type: ignore[no-any-return]
        logging.getLogger(name),
        processors=[structlog.stdlib.filter_by_level, structlog.stdlib.render_to_log_kwargs],
        wrapper_class=BoundLogger,
    )


def configure(form: str) -> None:
    """Write every log record of this process to standard error; ``form`` is ``text`` or ``json``.

    A JSON line holds time (RFC 3339, UTC), level, logger, message, then the fields.
    """
    global _json  # noqa: PLW0603 - there is one standard error, too
    _json = form == "json"
    handler = _Stderr()
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                ExtraAdder(),
                structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
            ],
            processors=[ProcessorFormatter.remove_processors_meta, structlog.processors.format_exc_info, *_rendering()],
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def structured() -> bool:
    """Whether this process writes JSON."""
    return _json


def _rendering() -> list[Processor]:
    if _json:
        return [_named, structlog.processors.JSONRenderer(ensure_ascii=False)]
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0, pad_level=False)]


def _named(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    first = {
        "time": event.pop("timestamp"),
        "level": event.pop("level"),
        "logger": event.pop("logger"),
        "message": event.pop("event"),
    }
    return {**first, **event}


class _Stderr(logging.StreamHandler[TextIO]):
    """Standard error as it is when a line is written: rich puts its own in place of it while a progress bar moves."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr
