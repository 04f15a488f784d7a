"""The state of the whole system in one screen: what runs, how far it is, what it rejects, and what is to be done."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import inf

import psutil
from confluent_kafka import KafkaException
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from infrastructure import health, home, metrics_endpoint
from infrastructure.kafka import admin
from infrastructure.kafka.lag import LagReader
from infrastructure.metrics_endpoint import Samples
from infrastructure.settings import Settings
from jobs import cluster
from jobs import health as health_of_job
from jobs.account import Account
from jobs.cluster import ClusterError
from jobs.daily_aggregates import SPEC
from scripts.stack.job import CHANGED, has_changed
from scripts.stack.processes import processes
from scripts.stack.supervision import Stack
from topics import catalogue
from topics.catalogue import CatalogueError
from topics.names import READINGS, SENSOR_CLASSES, SERIES_TOPICS

INTERVAL = 1.0
"""Seconds over which rates are measured."""
PATIENCE = 5.0
"""Seconds that a process which runs may take for an answer."""

COLOURS = {"running": "green", "stopped": "dim", "starting": "yellow"}


@dataclass(frozen=True)
class Topic:
    """One topic: how many records it holds and gets in a second, and of each group how many it is behind."""

    name: str
    records: int
    rate: float
    behind: dict[str, int]


@dataclass(frozen=True)
class ProcessState:
    """One process; ``up`` in seconds; ``memory`` and ``limit`` in MiB, None where there is none."""

    name: str
    state: str
    pid: int
    up: int
    memory: float | None
    limit: str


@dataclass(frozen=True)
class Rates:
    """Two looks at the metrics of a process, ``seconds`` apart."""

    before: Samples
    after: Samples
    seconds: float

    def total(self, name: str) -> float:
        """A counter, all labels together."""
        return sum(self.after.get(name, {}).values())

    def rate(self, name: str) -> float:
        """How much a counter has grown in a second."""
        return max(0.0, self.total(name) - sum(self.before.get(name, {}).values())) / self.seconds

    def by_label(self, name: str) -> dict[str, float]:
        """The values of a metric that has one label."""
        return {label[0]: value for label, value in self.after.get(name, {}).items()}

    def within(self, histogram: str, share: float) -> float | None:
        """The bound of the bucket up to which that share of the observations fell; None without any."""
        buckets = Counter[float]()
        for (le, *_), count in self.after.get(f"{histogram}_bucket", {}).items():
            buckets[float(le)] += int(count)
        if not buckets[inf]:
            return None
        return min(bound for bound, count in buckets.items() if count >= share * buckets[inf])


@dataclass(frozen=True)
class Status:
    """Everything that was found. What does not answer is an error, what does not run or is switched off is None.

    ``changed``: the job is not the one that would be submitted now. ``unwell``: what bridge, producer and board say of
    themselves.
    """

    processes: list[ProcessState]
    job: Account | ClusterError
    topics: list[Topic] | KafkaException | None
    bridge: Rates | None
    producer: Rates | None
    changed: bool = False
    unwell: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


def look(settings: Settings, stack: Stack) -> Status:
    """Look at everything at once; takes a second, and some more when a part does not answer.

    Raises ``StackError`` when the stack is down.
    """
    processes = [_process(settings, process) for process in stack.states()]
    running = {process.name for process in processes if process.state == "running"}
    monitoring, board = settings.monitoring, settings.board
    with ThreadPoolExecutor(8) as pool:
        asked_job = pool.submit(health_of_job.look, settings, SPEC)
        asked_changed = pool.submit(_has_changed, settings)
        asked_topics = pool.submit(_topics, settings) if "kafka" in running else None
        bridge = monitoring.ingest_url if "ingest" in running else ""
        asked_bridge, asked_producer = pool.submit(_rates, bridge), pool.submit(_rates, monitoring.producer_url)
        others = bridge, monitoring.producer_url, board.local_url if "board" in running else ""
        asked_others = [pool.submit(health.read, url, PATIENCE) for url in others]
        found = Status(
            processes,
            asked_job.result(),
            asked_topics.result() if asked_topics else None,
            asked_bridge.result(),
            asked_producer.result(),
            asked_changed.result(),
            [reason for asked in asked_others for reason in asked.result() or ()],
        )
        if "board" in running and asked_others[-1].result() is None:
            found.unwell.append(f"the board does not answer at {board.local_url}: see {stack.log('board')}")
    return replace(found, complaints=list(_complaints(settings, stack, found)))


def show_places(settings: Settings, console: Console) -> None:
    """Print whose system this is: where its settings, its catalogue and its data are."""
    place = home.find()
    elsewhere = [
        f"{what} {path}"
        for what, path in (("sensors:", settings.sensors), ("data:", settings.data_dir))
        if not path.is_relative_to(place.directory)
    ]
    file = " with a file .env" if (place.directory / home.SETTINGS).exists() else ""
    console.print(_list_of(("home", f"{place.directory} ({place.why}){file}"), *(("", each) for each in elsewhere)))


def show(status: Status, console: Console) -> bool:
    """Print it; returns whether something is not well."""
    console.print(_process_table(status.processes))
    if isinstance(status.topics, list):
        console.print(_topic_table(status.topics))
    console.print(_list_of(*_facts(status)))
    for complaint in status.complaints:
        console.print(f"[red]not well:[/] {escape(complaint)}")
    if not status.complaints:
        console.print("[green]all is well[/]")
    return bool(status.complaints)


# --- Asking


def _process(settings: Settings, info: dict[str, object]) -> ProcessState:
    name, pid = str(info["name"]), int(str(info["pid"]))
    memory = None
    if pid:
        try:
            memory = psutil.Process(pid).memory_info().rss / 2**20
        except psutil.Error:  # it has just ended
            pid = 0
    limits = {process.name: f"{process.memory:,}" for process in processes(settings)}
    return ProcessState(
        name=name,
        state=str(info["statename"]).lower(),
        pid=pid,
        up=int(str(info["now"])) - int(str(info["start"])) if pid else 0,
        memory=memory,
        limit=limits.get(name, "–"),
    )


def _has_changed(settings: Settings) -> bool:
    with suppress(ClusterError, CatalogueError):  # which is told elsewhere
        return any(job.name == SPEC.named(settings) and has_changed(settings, job) for job in cluster.jobs(settings))
    return False


def _topics(settings: Settings) -> list[Topic] | KafkaException:
    job = LagReader(settings, settings.job.group, PATIENCE)
    bridge = LagReader(settings, settings.ingest.group, PATIENCE)
    stored = {settings.prefix + topic for topic in SERIES_TOPICS}
    try:
        # What decides the partitions is no stream.
        partitions = [partition for partition in job.partitions() if partition[0] != settings.prefix + SENSOR_CLASSES]
        began, before = time.monotonic(), job.ends(partitions)
        lag = {
            "job": job.lag([partition for partition in partitions if partition[0] == settings.prefix + READINGS]),
            "bridge": bridge.lag([partition for partition in partitions if partition[0] in stored]),
        }
        time.sleep(max(0.0, INTERVAL - (time.monotonic() - began)))
        after, seconds = job.ends(partitions), time.monotonic() - began
    except KafkaException as error:
        return error
    finally:
        job.close()
        bridge.close()
    found = []
    for topic in sorted({topic for topic, _ in partitions}, key=admin.topics_of(settings).index):
        of_topic = [partition for partition in partitions if partition[0] == topic]
        grown = sum(after[partition].next - before[partition].next for partition in of_topic)
        found.append(
            Topic(
                name=topic,
                records=sum(after[partition].next - after[partition].first for partition in of_topic),
                rate=max(0, grown) / seconds,
                behind={group: of[topic] for group, of in lag.items() if topic in of},
            )
        )
    return found


def _rates(url: str) -> Rates | None:
    began, before = time.monotonic(), metrics_endpoint.read(url, PATIENCE)
    if before is None:
        return None
    time.sleep(max(0.0, INTERVAL - (time.monotonic() - began)))
    after = metrics_endpoint.read(url, PATIENCE)
    return None if after is None else Rates(before, after, time.monotonic() - began)


# --- Judging


def _complaints(settings: Settings, stack: Stack, status: Status) -> Iterator[str]:
    try:
        catalogue.read(settings.sensors)
    except CatalogueError as error:
        yield str(error)
    for process in status.processes:
        if process.state != "running":
            yield f"{process.name} is {process.state}: `iot up` starts it, {stack.log(process.name)} says why"
    yield from health_of_job.reasons(settings, status.job, str(stack.log("jobmanager")))
    if isinstance(status.job, Account) and status.job.dropped:
        yield f"{status.job.dropped:,} readings were dropped by a window: `iot replay` counts them again"
    if isinstance(status.job, Account) and status.changed:
        yield CHANGED
    if isinstance(status.topics, KafkaException):
        yield f"Kafka does not answer at {settings.kafka.servers}: see {stack.log('kafka')}"
    elif status.topics is not None and not status.topics:
        yield "there are no topics: `iot topics create` makes them"
    bridges = any(process.name == "ingest" and process.state == "running" for process in status.processes)
    yield from status.unwell
    if status.bridge is None and bridges and settings.monitoring.ingest_port:
        yield (
            f"the bridge has no /metrics at {settings.monitoring.ingest_url}: see {stack.log('ingest')}. "
            "Another process on the port? Set IOT_INGEST_METRICS, then `iot down` and `iot up`"
        )


# --- Showing


def _list_of(*facts: tuple[str, str]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True, min_width=12)
    table.add_column(overflow="fold")
    for name, text in facts:
        table.add_row(name, text)
    return table


def _process_table(processes: list[ProcessState]) -> Table:
    table = Table("process", "state", "pid", "up", "memory, MiB", "limit, MiB", box=box.SIMPLE_HEAD, show_edge=False)
    for column in table.columns[2:]:
        column.justify = "right"
    for process in processes:
        table.add_row(
            process.name,
            f"[{COLOURS.get(process.state, 'red')}]{process.state}[/]",
            str(process.pid) if process.pid else "–",
            _span(process.up) if process.pid else "–",
            "–" if process.memory is None else f"{process.memory:,.0f}",
            process.limit,
        )
    return table


def _topic_table(topics: list[Topic]) -> Table:
    table = Table("topic", "records", "records/s", "job behind", "bridge behind", box=box.SIMPLE_HEAD, show_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for topic in topics:
        behind = [f"{topic.behind[group]:,}" if group in topic.behind else "–" for group in ("job", "bridge")]
        table.add_row(topic.name, f"{topic.records:,}", f"{topic.rate:,.0f}", *behind)
    return table


def _facts(status: Status) -> Iterator[tuple[str, str]]:
    if isinstance(status.job, Account):  # if not, the complaint says it
        yield from _facts_of_job(status.job)
    if (producer := status.producer) is not None:
        yield (
            "producer",
            (
                f"{producer.rate('iot_producer_sent_total'):,.0f} messages/s, "
                f"{producer.total('iot_producer_in_flight_messages'):,.0f} in flight, "
                f"{producer.total('iot_producer_refused_total'):,.0f} refused"
            ),
        )
    if status.bridge is not None:
        yield from _facts_of_bridge(status.bridge)
    yield "times, UTC", ", ".join(_times(status)) or "none since the bridge was started"


def _facts_of_job(job: Account) -> Iterator[tuple[str, str]]:
    state = f"[{'green' if job.runs else 'yellow'}]{job.state.lower()}[/]"
    restarts = f"{job.restarts:,} restart{'' if job.restarts == 1 else 's'}"
    checkpoint = "no checkpoint yet"
    if taken := job.checkpoint:
        age, size = _span(time.time() - taken.completed), taken.size / 1024
        checkpoint = f"checkpoint {age} ago ({size:,.0f} KiB, {taken.duration:.2f} s)"
    yield "job", f"{state} for {_span(time.time() - job.started)}, {restarts}, {checkpoint}"
    busiest = max((task.busy for task in job.tasks), default=0.0)
    yield (
        "judged",
        (
            f"{job.accepted:,} readings accepted, {job.rejected:,} rejected, {job.dropped:,} dropped; "
            f"busiest task {busiest:.0%}"
        ),
    )


def _facts_of_bridge(bridge: Rates) -> Iterator[tuple[str, str]]:
    half, most = (bridge.within("iot_ingest_delay_seconds", share) for share in (0.5, 0.95))
    delay = f", stored within {_bound(half)} (half), {_bound(most)} (95 %)" if half and most else ""
    yield "bridge", f"{bridge.rate('iot_ingest_points_total'):,.0f} points/s{delay}"
    rejected, dead = (_counts(bridge.by_label(f"iot_ingest_{what}_total")) for what in ("rejected", "dead_letters"))
    yield "rejected", f"{rejected}; dead letters: {dead}"


def _times(status: Status) -> Iterator[str]:
    """The newest event time of each class of sensors, and the watermark, newest first."""
    names: dict[str, list[str]] = {}
    if status.bridge is not None:
        for name, at in status.bridge.by_label("iot_ingest_last_event_timestamp_seconds").items():
            names.setdefault(_instant(at), []).append(name)
    if isinstance(status.job, Account) and status.job.watermark is not None:
        names.setdefault(_instant(status.job.watermark / 1000), []).append("watermark")
    for instant in sorted(names, reverse=True):
        yield f"{instant} {' '.join(sorted(names[instant]))}"


def _counts(counts: dict[str, float]) -> str:
    return ", ".join(f"{count:,.0f} {name}" for name, count in counts.items() if count) or "none"


def _bound(seconds: float) -> str:
    return "hours" if seconds == inf else f"{seconds:g} s"


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{max(0.0, seconds):.0f} s"
    minutes = seconds / 60
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.0f} h" if minutes < 48 * 60 else f"{minutes / 60 / 24:.0f} days"


def _instant(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
