"""The dead letters, as deadLetter holds them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Self

from confluent_kafka import Message

from infrastructure.kafka.reader import read_topic
from infrastructure.settings import Settings
from topics.names import DEAD_LETTERS, READINGS
from topics.origin import Origin

BY_SETTINGS = frozenset({"unknown_sensor", "future_ts"})
"""Reasons that lie in the catalogue and the settings as well as in the bytes: what was wrong once may be right now."""


class Letter(NamedTuple):
    """A record that holds no valid reading, as it was found.

    ``origin`` is None for what no bridge has written; ``received`` is the record timestamp, epoch ms.
    """

    origin: Origin | None
    received: int
    reason: str
    detail: str
    key: bytes | None
    value: bytes | None

    @classmethod
    def of(cls, message: Message) -> Self:
        """The letter that a record of deadLetter is, whatever its headers say."""
        headers = {name: value for name, value in message.headers() or () if isinstance(value, bytes)}
        return cls(
            Origin.told_by(message),
            message.timestamp()[1],
            headers.get("reason", b"").decode(errors="replace"),
            headers.get("detail", b"").decode(errors="replace"),
            message.key(),
            message.value(),
        )


def letters(settings: Settings) -> Iterator[Letter]:
    """Every dead letter, the oldest first. Raises ``TopicReadError`` when Kafka does not answer."""
    return map(Letter.of, read_topic(settings.kafka, settings.prefix + DEAD_LETTERS))


def resent(settings: Settings) -> set[Origin]:
    """The origins of the letters that were sent again: dailyAggr is read for it. Raises ``TopicReadError``."""
    found = map(Origin.of_resent, read_topic(settings.kafka, settings.prefix + READINGS))
    return {origin for origin in found if origin is not None}
