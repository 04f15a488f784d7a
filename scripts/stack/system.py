"""The whole system on this machine: the stack, the topics, the job, the bridge and the board."""

from __future__ import annotations

from rich.console import Console

from commands.steps import Steps
from infrastructure.kafka import admin
from infrastructure.settings import Settings
from scripts.stack.job import Said, refuse_old_results, sift_jobs, start_job
from scripts.stack.supervision import Stack
from topics import catalogue
from topics.results import OldResultError


def start(settings: Settings, console: Console) -> None:
    """Start the stack and the job, showing each step, and say where to look. Goes on where it stopped."""
    with Steps(console) as steps:
        start_stack(settings, steps.begin, steps.detail)
        start_job(settings, steps.begin)
    where_to_look(settings, console)


def start_stack(settings: Settings, said: Said, detail: Said = lambda _: None) -> Stack:
    """Start the processes, make the topics, start the bridge, the exporter of metrics and the board. Idempotent.

    ``said`` receives a line for each step as it begins, ``detail`` what the step is at. Raises ``CatalogueError``.
    """
    catalogue.read(settings.sensors)  # what is wrong with it is told before anything starts
    stack = Stack(settings)
    was_down = not stack.running()
    stack.up(said, detail)
    if was_down:
        sift_jobs(settings, said)
    try:
        refuse_old_results(settings, said)
    except OldResultError:
        stack.stop("ingest")
        raise
    said("creating the topics")
    admin.create(settings)
    said("starting the bridge and the board" if settings.board.url else "starting the bridge")
    for name in {"ingest", "exporter", "board"} & {process["name"] for process in stack.states()}:
        stack.start(name)
    return stack


def where_to_look(settings: Settings, console: Console) -> None:
    """Say where the parts of a running stack can be seen."""
    redis = f"Redis at {settings.redis.url}, as {settings.redis.viewer_user}"
    console.print()
    # Not the producer's: nobody answers there once it has ended.
    served = [url for url in (settings.monitoring.job_url, settings.monitoring.ingest_url) if url]
    for what, where in (
        *([("board", settings.board.local_url)] if settings.board.url else []),
        ("Flink's own pages", settings.flink.url),
        ("series", f"iot redis TS.RANGE {settings.prefix}AggDayTH1 - +   ({redis})"),
        ("topics", "iot topics describe"),
        ("metrics", ", ".join(f"{url}/metrics" for url in served) or "none, by the settings"),
        ("all of it", "iot status, iot logs"),
        ("stop it", "iot down"),
    ):
        console.print(f"  {what:<18} {where}", highlight=False, soft_wrap=True)
