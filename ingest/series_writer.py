"""RedisTimeSeries: make series, write points, delete points, and know that they are on disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis
from redis.exceptions import OutOfMemoryError, ResponseError

from infrastructure.redis.client import redis_client
from infrastructure.settings import Settings
from ingest.records import Point
from topics.catalogue import Catalogue
from topics.series import OF_NAME, Series
from topics.wording import duration

FIRST, LAST = "FIRST", "LAST"
"""Duplicate policies. Of a reading that is sent twice the first one counts; an aggregate's last correction counts."""


class SeriesWriteError(Exception):
    """Redis refuses a point, for a reason that a person has to mend (a key of another type, say)."""


class FullError(SeriesWriteError):
    """Redis has no memory left for what is to be written. Nothing is lost: it is written when there is some."""

    def __init__(self) -> None:
        super().__init__(
            "its memory is full, nothing more is stored until it has some. Give it more (`CONFIG SET maxmemory`; of "
            "the local stack IOT_REDIS_MEMORY), or delete series"
        )


class NotDurable(redis.RedisError):  # type: ignore[misc]
    """Redis did not confirm in time that what was written is on disk."""


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OutOfMemoryError as error:
        raise FullError from error


class SeriesWriter:
    """Series and points of one Redis. Every method raises ``redis.RedisError`` when Redis is not there."""

    def __init__(self, settings: Settings, catalogue: Catalogue, durable_ms: int = 10_000) -> None:
        self._redis = redis_client(
            settings.redis, "ingest", socket_timeout=durable_ms / 1000 + 5, socket_connect_timeout=5
        )
        self._prefix = settings.prefix
        self._units = {sensor.name: sensor.unit for sensor in catalogue.values()}
        self._durable_ms = durable_ms
        self._made: dict[Series, str] = {}

    def ping(self) -> None:
        """Return when Redis serves commands."""
        self._redis.ping()

    @_room()
    def write(self, points: Sequence[Point]) -> None:
        """Write points, in order. Idempotent.

        Raises ``SeriesWriteError`` when Redis refuses one of them, ``FullError`` when it has no memory left.
        """
        if not points:
            return
        self._make({point.series for point in points} - self._made.keys())
        refused = self._add(points)
        if lost := [point for point, error in refused if "not a TSDB key" in str(error)]:
            # Somebody has deleted the series since it was made. (If its key holds something else, it stays refused.)
            self._make({point.series for point in lost})
            refused = [other for other in refused if other[0] not in lost] + self._add(lost)
        if refused:
            point, error = refused[0]
            raise SeriesWriteError(
                f"{len(refused)} of {len(points)} points refused, {self._key(point.series)}: {error}"
            )

    @_room()
    def overwrite(self, points: Sequence[Point]) -> None:
        """Write points over what is there, whatever the policy of their series. Idempotent.

        Four times as slow as ``write``: TS.MADD knows no other policy than the series' own. Raises ``FullError``.
        """
        if not points:
            return
        self._make({point.series for point in points})  # TS.ADD would make a series without labels
        pipeline = self._redis.pipeline(transaction=False)
        for point in points:
            pipeline.execute_command("TS.ADD", self._key(point.series), point.ts, point.value, "ON_DUPLICATE", LAST)
        pipeline.execute()

    def delete(self, points: Iterable[Point]) -> None:
        """Delete points; those that were never there are none to mind. Idempotent."""
        pipeline = self._redis.pipeline(transaction=False)
        for point in points:
            pipeline.execute_command("TS.DEL", self._key(point.series), point.ts, point.ts)
        for outcome in pipeline.execute(raise_on_error=False):
            if isinstance(outcome, Exception) and "does not exist" not in str(outcome):
                raise outcome

    def clear(self) -> None:
        """Delete every series of the prefix."""
        if keys := self._redis.execute_command("TS.QUERYINDEX", "site!=", f"prefix={self._prefix}"):
            self._redis.unlink(*keys)
        self._made.clear()

    def wait_durable(self) -> None:
        """Return when everything written so far is in the append-only file on disk.

        Raises ``NotDurable`` when that takes too long.
        """
        local, _ = self._redis.execute_command("WAITAOF", 1, 0, self._durable_ms)
        if local < 1:
            raise NotDurable(f"Redis has not synced its append-only file in {duration(self._durable_ms)}")

    def close(self) -> None:
        """Give the connection back."""
        self._redis.close()

    def _add(self, points: Sequence[Point]) -> list[tuple[Point, Exception]]:
        arguments: list[Any] = []
        for point in points:
            arguments += (self._made[point.series], point.ts, point.value)
        outcomes = self._redis.execute_command("TS.MADD", *arguments)
        return [(p, outcome) for p, outcome in zip(points, outcomes, strict=True) if isinstance(outcome, Exception)]

    def _make(self, wanted: Iterable[Series]) -> None:
        wanted = list(wanted)
        pipeline = self._redis.pipeline(transaction=False)
        for series in wanted:
            labels = series.labels(self._units[series.sensor], self._prefix)
            policy = FIRST if OF_NAME[series.kind].first else LAST
            flat = [word for label in labels.items() for word in label]
            pipeline.execute_command("TS.CREATE", self._key(series), "DUPLICATE_POLICY", policy, "LABELS", *flat)
        for series, outcome in zip(wanted, pipeline.execute(raise_on_error=False) if wanted else (), strict=True):
            there = isinstance(outcome, ResponseError) and "key already exists" in str(outcome)
            if isinstance(outcome, Exception) and not there:
                raise outcome
            self._made[series] = self._key(series)

    def _key(self, series: Series) -> str:
        return series.key(self._prefix)
