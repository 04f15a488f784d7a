"""The whole system on this machine: the stack, the topics, the job, the bridge and the board."""

from __future__ import annotations

from rich.console import Console

from infrastructure.kafka import admin
from infrastructure.settings import Settings
from scripts.stack.job import Said, refuse_old_results, sift_jobs, start_job
from scripts.stack.supervision import Stack
from topics.results import OldResultError


def start(settings: Settings, console: Console) -> None:
    """Start the stack and the job, telling each step, and say where to look. Goes on where it stopped."""
    with console.status("starting") as status:

        def said(line: str) -> None:
            status.update(line)
            console.print(line)

        start_stack(settings, said)
        start_job(settings, said)
    where_to_look(settings, console)


def start_stack(settings: Settings, said: Said) -> Stack:
    """Start the processes, make the topics, start the bridge, the exporter of metrics and the board. Idempotent."""
    stack = Stack(settings)
    was_down = not stack.running()
    stack.up(said)
    if was_down:
        sift_jobs(settings, said)
    try:
        refuse_old_results(settings, said)
    except OldResultError:
        stack.stop("ingest")
        raise
    if created := admin.create(settings):
        said(f"created {', '.join(created)}")
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
        ("series", f"{redis}, for instance TS.RANGE {settings.prefix}AggDayTH1 - +"),
        ("topics", "python -m topics describe"),
        ("metrics", ", ".join(f"{url}/metrics" for url in served) or "none, by the settings"),
        ("all of it", "make status, make logs"),
        ("stop it", "make down"),
    ):
        console.print(f"  {what:<18} {where}", highlight=False, soft_wrap=True)
