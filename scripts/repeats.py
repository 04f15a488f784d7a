"""Deliver some readings more than once, as gateways that retry and producers without idempotence do."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import timedelta

from infrastructure.kafka.publisher import Publisher
from infrastructure.settings import Settings, milliseconds
from producer.encoder import TICK
from topics.catalogue import Catalogue
from topics.encoding import Message

LATER = (timedelta(hours=3), timedelta(days=1, hours=12), timedelta(days=6))
"""Simulated time after which a reading comes again: on its day, while its day still takes late ones, and when not."""

EVERY = 50
"""One of so many readings is repeated."""


class Repeats:
    """Repeats some readings of a stream: each of them at once and once more later, then with another value."""

    def __init__(self) -> None:
        self.repeated = 0
        self._count = 0
        self._tick = 0
        self._due: list[deque[tuple[int, Message]]] = [deque() for _ in LATER]
        self._waits = [milliseconds(wait) for wait in LATER]

    def into(self, messages: Iterable[Message]) -> Iterator[Message]:
        """The messages of a simulation, with repeats among them."""
        for message in messages:
            yield message
            partition, key, value, headers = message
            self._tick = int(dict(headers).get(TICK, self._tick)) if headers else self._tick
            now = self._tick
            for queue, wait in zip(self._due, self._waits, strict=True):
                while queue and queue[0][0] + wait <= now:
                    _, (where, whose, what, _) = queue.popleft()
                    self.repeated += 1
                    yield (where, whose, _with_another_value(what), None)
            if key is None:
                continue
            self._count += 1
            if self._count % EVERY == 0:
                self.repeated += 1
                yield (partition, key, value, None)
                # One that comes late itself may be too old to be remembered: the last one of those counts.
                if b'"ts":%d,' % now in value:
                    self._due[self._count // EVERY % len(LATER)].append((now, message))


class RepeatingPublisher(Publisher):
    """A publisher of a simulation that repeats."""

    def __init__(self, settings: Settings, catalogue: Catalogue, repeats: Repeats | None = None) -> None:
        """``repeats``: those of an earlier run, to go on with."""
        super().__init__(settings, catalogue)
        self.repeats = repeats or Repeats()

    def send(self, messages: Iterable[Message]) -> None:
        """As ``Publisher.send``, and some of them again."""
        super().send(self.repeats.into(messages))


def _with_another_value(reading: bytes) -> bytes:
    head, _, _ = reading.rpartition(b'"value":')
    return head + b'"value":99999.9}'
