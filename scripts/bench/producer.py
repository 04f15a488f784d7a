"""The producer at full speed, beside librdkafka with a constant payload."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from typing import NamedTuple

from infrastructure.home import ROOT
from infrastructure.kafka import admin
from infrastructure.kafka.reader import read_topic
from infrastructure.settings import Settings
from scripts.bench.dataset import Dataset
from scripts.bench.measure import Contender, Goal, Measuring, Outcome, Stage, ratios
from topics.errors import UserError

SHARE = 0.6


class Sent(NamedTuple):
    """When a run began and ended (epoch seconds), and how many records it sent."""

    began: float
    ended: float
    records: int


def stage(measuring: Measuring, data: Dataset) -> Stage:
    """Both, each into an empty topic. What the producer sent is read back and compared byte by byte."""
    wanted = checksums(data)
    records = sum(count for count, _ in wanted.values())

    def limit() -> Outcome:
        _empty(data)
        sent = send(data.settings, "constant", data, str(records))
        return Outcome(sent.records / (sent.ended - sent.began), sent.records)

    def ours() -> Outcome:
        _empty(data)
        sent = send(data.settings, "ours", data)
        found = stored(data)
        errors = [f"partition {p}: not what was to be sent" for p in wanted if found.get(p) != wanted[p]]
        return Outcome(sent.records / (sent.ended - sent.began), sent.records, errors=errors)

    rows = measuring.take_turns(
        [
            Contender("librdkafka, constant payload", "limit", limit, "records/s", "by confluent-kafka, no callbacks"),
            Contender(
                "the producer", "ours", ours, "records/s", "simulates, encodes, sends, knows each acknowledgement"
            ),
        ]
    )
    admin.delete(data.settings)
    goals = [Goal("producer / limit", ratios(rows[1], rows[0]), SHARE)]
    return Stage("producer", "Producer → Kafka", rows, goals, [f"{data.sensors:,} sensors, {data.days} days"])


def send(settings: Settings, kind: str, data: Dataset, *more: str) -> Sent:
    """One run of ``scripts.bench.sending``. Raises ``UserError`` when it fails."""
    started = start(settings, kind, data, *more)
    return finished(started)


def start(settings: Settings, kind: str, data: Dataset, *more: str) -> subprocess.Popen[str]:
    """Begin one."""
    return subprocess.Popen(
        [sys.executable, "-m", "scripts.bench.sending", kind, str(data.sites), str(data.days), *more],
        cwd=ROOT,
        env={**os.environ, **settings.environment()},
        stdout=subprocess.PIPE,
        text=True,
    )


def finished(running: subprocess.Popen[str]) -> Sent:
    """Wait for its end. Raises ``UserError`` when it fails; killed when this is interrupted."""
    try:
        said, _ = running.communicate()
    finally:
        if running.poll() is None:
            running.kill()
            running.wait()
    if running.returncode:
        raise UserError(f"the producer ended with {running.returncode}")
    told = json.loads(said)
    return Sent(told["began"], told["ended"], told["sent"])


def checksums(data: Dataset) -> dict[int, tuple[int, int]]:
    """Of each partition how many records are to be there, and a checksum over their values in order."""
    found = dict.fromkeys(range(data.settings.partitions), (0, 0))
    for partition, _, value, _ in data.messages():
        count, before = found[partition]
        found[partition] = (count + 1, zlib.crc32(value, before))
    return found


def stored(data: Dataset) -> dict[int, tuple[int, int]]:
    """The same of what Kafka holds."""
    found = dict.fromkeys(range(data.settings.partitions), (0, 0))
    for message in read_topic(data.settings.kafka, data.topic):
        count, before = found[message.partition()]
        found[message.partition()] = (count + 1, zlib.crc32(message.value(), before))
    return found


def _empty(data: Dataset) -> None:
    admin.delete(data.settings)
    admin.create(data.settings)
