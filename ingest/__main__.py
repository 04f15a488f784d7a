"""python -m ingest: carry readings, aggregates and rejections from Kafka into RedisTimeSeries."""

from __future__ import annotations

import logging
import signal

import typer

import command_line
import settings as settings_module
from ingest.bridge import Bridge
from topics import catalogue

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def main() -> None:
    """Run until Ctrl-C or SIGTERM: then the batch under way is finished and committed, and the exit code is 0.

    While Kafka or Redis is away the bridge says so, waits, and goes on. Every setting comes from the environment
    (README, Settings); any number of bridges share the work.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = settings_module.load()
    bridge = Bridge(settings, catalogue.read(settings.sensors))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: bridge.stop())
    bridge.run()


if __name__ == "__main__":
    command_line.run(app, "python -m ingest")
