"""Where a dead letter comes from: the headers that say it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from confluent_kafka import Message

RESENT = "resent"
"""Header of a reading that was a dead letter and is sent again, repaired; its value is the origin as text."""


class Origin(NamedTuple):
    """Topic, partition and offset of a record."""

    topic: str
    partition: int
    offset: int

    @classmethod
    def of(cls, message: Message) -> Self:
        """The origin of a record."""
        return cls(message.topic(), message.partition(), message.offset())

    @classmethod
    def told_by(cls, letter: Message) -> Self | None:
        """Where the record that is now a dead letter stood; None when the headers do not say it."""
        headers = dict(letter.headers() or ())
        try:
            return cls(headers["topic"].decode(), int(headers["partition"]), int(headers["offset"]))
        except (KeyError, ValueError, TypeError, AttributeError):  # anybody can write to the topic
            return None

    @classmethod
    def of_resent(cls, message: Message) -> Self | None:
        """Where the dead letter stood of which this is the repaired record; None for every other record."""
        for name, value in message.headers() or ():
            if name == RESENT and isinstance(value, bytes):
                return cls.parse(value.decode(errors="replace"))
        return None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The origin that ``str`` has made this text of; None when it is none."""
        words = text.rsplit(" ", 2)
        if len(words) == 3 and all(word.isascii() and word.isdecimal() for word in words[1:]):
            return cls(words[0], int(words[1]), int(words[2]))
        return None

    def headers(self) -> dict[str, str]:
        """The headers of the dead letter."""
        return {"topic": self.topic, "partition": str(self.partition), "offset": str(self.offset)}

    def __str__(self) -> str:
        return f"{self.topic} {self.partition} {self.offset}"
