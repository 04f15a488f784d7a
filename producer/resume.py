"""Find out how far an earlier run of the same simulation came, from the ends of the topic's partitions."""

from __future__ import annotations

from dataclasses import dataclass

from confluent_kafka import Consumer, Message

from command_line import UserError
from producer.delivery import HEADER
from settings import Settings
from topics import log


class ResumeError(UserError):
    """The topic holds the readings of another simulation."""


@dataclass(frozen=True)
class Mark:
    """How far a simulation came in one partition: its last tick there, and which readings of that tick arrived.

    ``sent`` is the tick's instant, epoch ms; ``seen`` holds keys and values.
    """

    sent: int
    seen: frozenset[tuple[bytes | None, bytes | None]]


def marks(settings: Settings, topic: str, identity: str) -> dict[int, Mark]:
    """The last reading of the simulation in each partition that has one.

    Raises ``ResumeError`` when the newest simulated reading of a partition is another simulation's: two simulations
    in one topic would give the same readings two values.
    """
    consumer = log.consumer(settings)
    try:
        partitions = consumer.list_topics(topic, timeout=log.TIMEOUT).topics[topic].partitions
        found = {}
        for partition in partitions:
            tick = _last_tick(consumer, topic, partition)
            if not tick:
                continue
            if (other := _identity(tick[0])) != identity:
                seed, _, rest = (other or "").partition("@")
                start, _, sites = rest.partition("*")
                raise ResumeError(
                    f"{topic} holds the readings of another simulation (seed {seed}, start {start} ms, {sites} sites). "
                    "Go on with that one, or empty the system with `make reset`, or set IOT_PREFIX for topics apart."
                )
            sent = tick[0].timestamp()[1]
            seen = frozenset((m.key(), m.value()) for m in tick if m.timestamp()[1] == sent)
            found[partition] = Mark(sent, seen)
        return found
    finally:
        consumer.close()


def _last_tick(consumer: Consumer, topic: str, partition: int) -> list[Message]:
    """The last record with a simulation's header, and all that stand behind it; empty when there is none."""
    behind = list[Message]()
    for stretch in log.backwards(consumer, topic, partition):
        for index in range(len(stretch) - 1, -1, -1):
            if _identity(stretch[index]) is not None:
                return stretch[index:] + behind
        behind = stretch + behind
    return []


def _identity(message: Message) -> str | None:
    for name, value in message.headers() or ():
        if name == HEADER and isinstance(value, bytes):
            return value.decode(errors="replace")
    return None
