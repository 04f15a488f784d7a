"""Find out how far an earlier run of the same simulation came, from the ends of the topic's partitions."""

from __future__ import annotations

from dataclasses import dataclass

from confluent_kafka import Consumer, Message, TopicPartition

from infrastructure.kafka import offsets, reader
from infrastructure.settings import Settings
from producer.encoder import SIMULATION, TICK
from topics import wording
from topics.errors import UserError

FILES = "files:"
"""What the identity of readings from files begins with."""


class ResumeError(UserError):
    """The topic holds the readings of somebody else."""


@dataclass(frozen=True)
class Mark:
    """How far a simulation came in one partition: its last tick there, and which readings of that tick arrived.

    ``tick`` is its instant, epoch ms; ``seen`` holds keys and values.
    """

    tick: int
    seen: frozenset[tuple[bytes | None, bytes | None]]


def marks(settings: Settings, topic: str, identity: str) -> dict[int, Mark]:
    """The last reading of the simulation in each partition that has one.

    Raises ``ResumeError`` when the newest simulated reading of a partition is another simulation's: two simulations
    in one topic would give the same readings two values.
    """
    consumer = reader.consumer(settings.kafka)
    try:
        partitions = consumer.list_topics(topic, timeout=reader.TIMEOUT).topics[topic].partitions
        found = {}
        for partition in partitions:
            tick = _last_tick(consumer, topic, partition)
            if not tick:
                continue
            if (other := _identity(tick[0])) != identity:
                if (other or "").startswith(FILES):
                    raise ResumeError(
                        f"{topic} holds readings from files (`iot backfill`), which no simulation goes "
                        "on with. Set IOT_PREFIX for topics apart."
                    )
                raise ResumeError(
                    f"{topic} holds the readings of another simulation ({_in_words(other or '')}). "
                    "Go on with that one, or empty the system first (`iot reset`), or set IOT_PREFIX for others."
                )
            # What somebody else has sent since is among them: a reading of another name leaves none out.
            found[partition] = Mark(_instant(tick[0]), frozenset((m.key(), m.value()) for m in tick))
        return found
    finally:
        consumer.close()


@dataclass(frozen=True)
class Held:
    """What one partition of a backfill holds: how many messages, whose they are, and the last one's key and value.

    ``identity`` is that of its first message, None where that has none.
    """

    count: int
    identity: str | None
    last: tuple[bytes | None, bytes | None]


def held(settings: Settings, topic: str) -> dict[int, Held]:
    """What is in each partition that is not empty. Raises ``ResumeError`` when one has lost its first messages."""
    consumer = reader.consumer(settings.kafka)
    try:
        found = {}
        for partition, end in offsets.end_offsets(settings.kafka, topic).items():
            if not end:
                continue
            low, _ = reader.watermarks(consumer, topic, partition)
            if low:
                raise ResumeError(
                    f"{topic} has lost its first {low:,} messages in partition {partition}, to its retention or by "
                    "hand, so how far an earlier run came is not known. Give another --into."
                )
            first = reader.between(consumer, TopicPartition(topic, partition, 0), 1)[0]
            last = reader.between(consumer, TopicPartition(topic, partition, end - 1), end)[0]
            found[partition] = Held(end, _identity(first), (last.key(), last.value()))
        return found
    finally:
        consumer.close()


def _last_tick(consumer: Consumer, topic: str, partition: int) -> list[Message]:
    """The last record with a simulation's header, and all that stand behind it; empty when there is none."""
    behind = list[Message]()
    for stretch in reader.backwards(consumer, topic, partition):
        for index in range(len(stretch) - 1, -1, -1):
            if _identity(stretch[index]) is not None:
                return stretch[index:] + behind
        behind = stretch + behind
    return []


def _identity(message: Message) -> str | None:
    return _header(message, SIMULATION)


def _in_words(identity: str) -> str:
    """What an identity says of a simulation: the options that go on with it."""
    seed, _, rest = identity.partition("@")
    start, _, sites = rest.partition("*")
    if not (start.isascii() and start.isdecimal()):  # anybody can write headers
        return f"header {SIMULATION}: {identity[:80]!r}"
    return f"--seed {seed} --start {wording.instant(int(start)).removesuffix(' 00:00 UTC')} --sites {sites}"


def _instant(message: Message) -> int:
    """Instant of the tick that a message begins. Before there was the header, it was the record's timestamp."""
    told = _header(message, TICK) or ""
    return int(told) if told.isdecimal() else int(message.timestamp()[1])


def _header(message: Message, wanted: str) -> str | None:
    for name, value in message.headers() or ():
        if name == wanted and isinstance(value, bytes):
            return value.decode(errors="replace")
    return None
