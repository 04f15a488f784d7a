"""Where a dead letter comes from: the headers that say it."""

from __future__ import annotations

from typing import NamedTuple, Self

from confluent_kafka import Message


class Origin(NamedTuple):
    """The place of a record in Kafka."""

    topic: str
    partition: int
    offset: int

    @classmethod
    def of(cls, message: Message) -> Self:
        """Where a record stands."""
        return cls(message.topic(), message.partition(), message.offset())

    @classmethod
    def told_by(cls, letter: Message) -> Self | None:
        """Where the record that is now a dead letter stood; None when the headers do not say it."""
        headers = dict(letter.headers() or ())
        try:
            return cls(headers["topic"].decode(), int(headers["partition"]), int(headers["offset"]))
        except (KeyError, ValueError, TypeError, AttributeError):  # anybody can write to the topic
            return None

    def headers(self) -> dict[str, str]:
        """The headers of the dead letter."""
        return {"topic": self.topic, "partition": str(self.partition), "offset": str(self.offset)}

    def __str__(self) -> str:
        return f"{self.topic} {self.partition} {self.offset}"
