"""The records of flinkAggr and lateRej: what the job says of a day, and of a reading that it rejects."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import msgspec

from topics.errors import UserError

if TYPE_CHECKING:
    from confluent_kafka import Message

MERGED = "merged"
"""Header of a result that came from a backfill; its value is the backfill's prefix."""


class OldResultError(UserError):
    """A result in the form of before version 0.2, which named its window in place of its day."""

    def __init__(self) -> None:
        super().__init__(
            "flinkAggr holds results in the form of before version 0.2: with the job and the bridge stopped, "
            "`iot topics migrate` rewrites them"
        )


class ResultKey(msgspec.Struct, frozen=True):
    """Names a result. ``day`` is the start of the day that it describes, epoch ms."""

    series: str
    site: str
    sensor: str
    day: int


class Result(ResultKey, frozen=True):
    """A result: its value, and how many readings it is made of. A tombstone deletes the one of its key."""

    value: float
    count: int


class RejectedKey(msgspec.Struct, frozen=True):
    """Names a rejected reading; ``ts`` is in epoch ms."""

    site: str
    sensor: str
    ts: int


class Rejected(RejectedKey, frozen=True):
    """A rejected reading; a tombstone takes the rejection of its key back."""

    value: float


_result_key: Callable[[bytes], ResultKey] = msgspec.json.Decoder(ResultKey).decode
result: Callable[[bytes], Result] = msgspec.json.Decoder(Result).decode
rejected_key: Callable[[bytes], RejectedKey] = msgspec.json.Decoder(RejectedKey).decode
rejected: Callable[[bytes], Rejected] = msgspec.json.Decoder(Rejected).decode
"""These three raise ``msgspec.DecodeError`` (a ``ValueError``) for what is no such record."""


class OldResultKey(msgspec.Struct, frozen=True):
    """Named a result before version 0.2, by the first day of its window."""

    series: str
    site: str
    sensor: str
    window_start: Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$")]


old_result_key: Callable[[bytes], OldResultKey] = msgspec.json.Decoder(OldResultKey).decode
"""Raises ``msgspec.DecodeError`` for what is none."""


def result_key(key: bytes) -> ResultKey:
    """The key of a record of flinkAggr.

    Raises ``msgspec.DecodeError`` (a ``ValueError``) for what is none, ``OldResultError`` for one of an old system.
    """
    try:
        return _result_key(key)
    except msgspec.DecodeError:
        if is_old(key):
            raise OldResultError from None
        raise


def is_old(key: bytes | None) -> bool:
    """Whether this is the key of a result of before version 0.2."""
    try:
        old_result_key(key or b"")
    except msgspec.DecodeError:
        return False
    return True


def is_merged(message: Message) -> bool:
    """Whether a result came from a backfill."""
    return any(name == MERGED for name, _ in message.headers() or ())
