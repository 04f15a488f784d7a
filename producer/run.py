"""Send a simulation to Kafka, at its pace or as fast as the broker takes it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from infrastructure.kafka.publisher import Publisher
from producer.encoder import Encoder, Ticked
from producer.resume import Mark
from producer.simulation import TICK_MS, Simulation
from topics.encoding import Message

CHUNK = 20_000
"""Readings that are computed at once, about; never less than a tick."""
WAIT_SECONDS = 0.1
"""Longest time between two looks for acknowledgements."""
WAKE_SECONDS = 1.0
"""Time between the first tick of a run at full speed and the rest: idle partitions wake up."""


@dataclass(frozen=True)
class Progress:
    """How far a run is. ``tick`` is the next one to be sent; ``sent`` and ``acknowledged`` count heartbeats as well.

    ``newest``: largest ts sent (epoch ms) by class of sensors; ``behind``: seconds that the run lags behind its pace.
    """

    tick: int
    sent: int
    heartbeats: int
    acknowledged: int
    newest: Mapping[str, int] = field(default_factory=dict, compare=False)
    behind: float = field(default=0.0, compare=False)


def remaining(messages: Iterable[Ticked], marks: Mapping[int, Mark]) -> Iterator[Message]:
    """Leave out what an earlier run has sent: in each partition everything up to and including its mark.

    Messages must start at or before the oldest mark.
    """
    for tick, message in messages:
        partition, key, value, _ = message
        mark = marks.get(partition)
        if mark is None or tick > mark.tick or (tick == mark.tick and (key, value) not in mark.seen):
            yield message


def first_tick(simulation: Simulation, partitions: int, marks: dict[int, Mark]) -> int:
    """The tick from which messages must be computed again; 0 when a partition has none yet."""
    if len(marks) < partitions:
        return 0
    return (min(mark.tick for mark in marks.values()) - simulation.start) // TICK_MS


def run(
    simulation: Simulation,
    publisher: Publisher,
    *,
    ticks: int | None,
    ticks_per_second: float | None,
    marks: dict[int, Mark],
    report: Callable[[Progress], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    wall: Callable[[], float] = time.time,
) -> None:
    """Send ticks 0 up to ``ticks`` (None: for ever), less what ``marks`` say was sent before.

    ``ticks_per_second`` None is as fast as the broker takes it. No tick is sent before ``wall`` (epoch seconds) has
    reached it. Ends early, in order, after ``publisher.stop()``.
    Raises ``PublishError`` when a reading is refused.
    """
    publisher.know(simulation.catalogue)
    encoder = Encoder(simulation, publisher.partitions, publisher.partition)
    tick = first_tick(simulation, publisher.partitions, marks)
    resumed = (max(mark.tick for mark in marks.values()) - simulation.start) // TICK_MS if marks else 0
    chunk = 1 if ticks_per_second else max(1, CHUNK // (len(simulation.sites) * len(simulation.catalogue)))
    began = clock()
    due = began
    awake = ticks_per_second is not None
    while (ticks is None or tick < ticks) and not publisher.stopped():
        # What was sent before is only computed, so it may be computed by the chunk.
        step = max(chunk, min(1000, resumed - tick)) if tick < resumed else chunk if awake else 1
        end = tick + step if ticks is None else min(tick + step, ticks)
        if ticks_per_second and tick > resumed:
            due = began + (tick - resumed) / ticks_per_second
        while (wait := due - clock()) > 0 and not publisher.stopped():
            publisher.poll(min(wait, WAIT_SECONDS))
        if publisher.stopped():
            break
        # A reading from the future would be refused: a simulation that has reached the present lives in it.
        present = (int(wall() * 1000) - simulation.start) // TICK_MS
        if tick > present:
            publisher.poll(WAIT_SECONDS)
            continue
        end = min(end, present + 1)
        if tick <= resumed:
            publisher.send(remaining(encoder.ticked(tick, end), marks))
        else:
            publisher.send(encoder.messages(tick, end))
        if not awake and tick > resumed:
            # Partitions that were silent for long count as idle, and the first to speak would drag the watermark
            # along alone. One tick wakes them all before the flood.
            publisher.finish()
            awake, due = True, clock() + WAKE_SECONDS
        publisher.check()
        tick = end
        behind = max(0.0, clock() - due) if ticks_per_second else 0.0
        counts = (publisher.sent, publisher.heartbeats, publisher.acknowledged)
        report(Progress(tick, *counts, newest=encoder.newest(), behind=behind))
    publisher.finish()
    report(Progress(tick, publisher.sent, publisher.heartbeats, publisher.acknowledged, newest=encoder.newest()))
