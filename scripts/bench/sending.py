"""python -m scripts.bench.sending KIND SITES DAYS [RECORDS]: one run at full speed, as a process of its own.

``ours`` is the producer, ``constant`` the same librdkafka with one payload over and over. Its one line of JSON has
``began`` and ``ended`` (epoch seconds) and ``sent`` (records).
"""

from __future__ import annotations

import json
import sys
import time
from itertools import repeat

from infrastructure.kafka.publisher import POLL_EVERY, Publisher
from infrastructure.settings import Settings, load_settings
from producer import run as producing
from scripts.bench.dataset import Dataset
from topics.errors import UserError

PAYLOAD = b'{"site":"site-0250","sensor":"HVAC1","ts":1577836800000,"value":123.4}'
"""As long as a reading is."""


def main(kind: str, sites: int, days: int) -> None:
    """Send, and tell."""
    settings = load_settings()
    data = Dataset(settings.replace(prefix=""), settings.prefix.rstrip("."), sites, days)
    began, sent = {"ours": _ours, "constant": _constant}[kind](settings, data)
    print(json.dumps({"began": began, "ended": time.time(), "sent": sent}))


def _ours(settings: Settings, data: Dataset) -> tuple[float, int]:
    """The producer's own run. The first tick, which wakes the partitions, and the pause behind it do not count."""
    publisher = Publisher(settings, data.simulation.catalogue)
    awake: list[float] = []

    def report(_progress: producing.Progress) -> None:
        if not awake:
            awake.append(time.time() + producing.WAKE_SECONDS)

    producing.run(data.simulation, publisher, ticks=data.ticks, ticks_per_second=None, marks={}, report=report)
    return awake[0], publisher.sent


def _constant(settings: Settings, data: Dataset) -> tuple[float, int]:
    """So many records with the producer's configuration, and no callbacks."""
    publisher = Publisher(settings, data.simulation.catalogue)
    producer = publisher._producer  # noqa: SLF001 - its configuration is what is wanted
    produce, topic, partitions = producer.produce, data.topic, publisher.partitions
    count = int(sys.argv[4])
    began = time.time()
    for number, payload in enumerate(repeat(PAYLOAD, count)):
        while True:
            try:
                produce(topic, payload, None, number % partitions)
                break
            except BufferError:
                producer.poll(0.05)
        if number % POLL_EVERY == 0:
            producer.poll(0)
    if producer.flush():
        raise UserError("Kafka has not taken everything")
    return began, count


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
