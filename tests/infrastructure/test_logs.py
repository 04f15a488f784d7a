"""Log lines: text for people, JSON for machines, and each with what varies in fields of its own."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import typer

from commands import terminal
from infrastructure import logs
from topics.errors import UserError

log = logs.get("some.module")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """The test's own root logger, given back as it was."""
    root = logging.getLogger()
    handlers, level, structured = root.handlers[:], root.level, logs.structured()
    root.handlers[:] = []
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logs._json = structured


def test_a_json_line_holds_time_level_logger_message_and_the_fields(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json")
    log.warning("going on without", topic="dailyAggr", partition=3, offset=17, seconds=0.5, error='a "quoted"\nthing')
    (line,) = capsys.readouterr().err.splitlines()
    found = json.loads(line)
    at = datetime.fromisoformat(found.pop("time"))
    assert at.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=5)
    assert found == {
        "level": "warning",
        "logger": "some.module",
        "message": "going on without",
        "topic": "dailyAggr",
        "partition": 3,
        "offset": 17,
        "seconds": 0.5,
        "error": 'a "quoted"\nthing',
    }


def test_lines_of_libraries_and_errors_with_their_trace_are_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json")
    logging.getLogger("library").warning("%d things", 7)
    try:
        int("of this kind")
    except ValueError:
        log.exception("it went wrong")
    library, error = map(json.loads, capsys.readouterr().err.splitlines())
    assert (library["logger"], library["message"]) == ("library", "7 things")
    assert error["level"] == "error"
    assert "ValueError: invalid literal" in error["exception"]


def test_a_line_of_text_has_the_message_and_the_fields(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("text")
    log.info("serving", port=1234)
    log.debug("not shown")
    (line,) = capsys.readouterr().err.splitlines()
    assert "serving" in line
    assert "port=1234" in line
    assert "info" in line
    assert "\x1b" not in line, "colours, and this is no terminal"


def test_lines_go_where_standard_error_is_when_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A progress bar puts a stream of its own there while it moves."""
    logs.configure("text")
    monkeypatch.setattr(sys, "stderr", bar := io.StringIO())
    log.info("above the bar")
    assert "above the bar" in bar.getvalue()


def test_a_mistake_of_the_user_is_a_json_line_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.configure("json")
    monkeypatch.setattr(sys, "argv", ["x"])
    app = typer.Typer()

    @app.command()
    def main() -> None:
        raise UserError("mend it")

    with pytest.raises(SystemExit) as ended:
        terminal.run(app, "python -m x")
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert (json.loads(line)["level"], json.loads(line)["message"]) == ("error", "mend it")
