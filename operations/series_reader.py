"""What RedisTimeSeries holds: which series, and their points. Uses TS.MGET and TS.RANGE alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from redis.exceptions import ResponseError

from infrastructure.redis.client import redis_client
from infrastructure.settings import Settings
from topics import wording
from topics.errors import UserError
from topics.series import OF_NAME

CHUNK = 50_000
"""Most points in one answer of Redis."""

OURS = f"series=({','.join(OF_NAME)})"
"""A filter that every series of the system passes, and no other."""

Samples = list[tuple[int, float]]
"""Points of one series: epoch ms and value."""


class Stored(NamedTuple):
    """One series. ``key`` is without the prefix; ``last`` is the time of its newest point, epoch ms."""

    key: str
    site: str
    sensor: str
    kind: str
    unit: str
    last: int | None


class SeriesReader:
    """The series of one prefix. Methods raise ``redis.RedisError`` when Redis is not there."""

    def __init__(self, settings: Settings) -> None:
        self._redis = redis_client(settings.redis, "viewer", socket_timeout=60, socket_connect_timeout=5)
        self._prefix = settings.prefix

    def matching(self, wanted: Sequence[str]) -> list[Stored]:
        """The series that match one of the globs and all of the label filters, by key.

        What contains ``=`` is a filter, as RedisTimeSeries has them. Without a glob every key matches. Raises
        ``UserError`` when a filter is malformed or nothing matches.
        """
        globs = [each for each in wanted if "=" not in each]
        filters = [each for each in wanted if "=" in each]
        found = [s for s in self._filtered(filters) if not globs or any(fnmatchcase(s.key, each) for each in globs)]
        if not found:
            raise UserError(f"no series matches {' '.join(wanted)}{self._where()}")
        return found

    def chunks(self, series: Stored, first: int, last: int) -> Iterator[Samples]:
        """The points from ``first`` to ``last`` (epoch ms, both inclusive), in order, ``CHUNK`` at most at a time."""
        while True:
            try:
                answer = self._redis.execute_command("TS.RANGE", self._prefix + series.key, first, last, "COUNT", CHUNK)
            except ResponseError as error:
                if "does not exist" in str(error):  # somebody has deleted it since it was listed
                    return
                raise
            if answer:
                yield [(ts, float(value)) for ts, value in answer]
            if len(answer) < CHUNK:
                return
            first = answer[-1][0] + 1

    def first(self, series: Stored) -> int | None:
        """The time of the oldest point, epoch ms; None where there is none."""
        try:
            answer = self._redis.execute_command("TS.RANGE", self._prefix + series.key, "-", "+", "COUNT", 1)
        except ResponseError as error:
            if "does not exist" in str(error):
                return None
            raise
        return int(answer[0][0]) if answer else None

    def close(self) -> None:
        """Give the connection back."""
        self._redis.close()

    def _filtered(self, filters: Sequence[str]) -> list[Stored]:
        # RedisTimeSeries wants one filter that a label equals something.
        ours = (OURS, f"prefix={self._prefix}")
        try:
            answer = self._redis.execute_command("TS.MGET", "WITHLABELS", "FILTER", *ours, *filters)
        except ResponseError as error:
            if "failed parsing labels" not in str(error):
                raise
            raise UserError(
                f"{' '.join(filters)}: not a filter that RedisTimeSeries has; write label=value, label!=value or "
                "label=(value,value)"
            ) from error
        found = []
        for name, flat, newest in answer:
            labels = {label.decode(): value.decode() for label, value in flat}
            found.append(
                Stored(
                    name.decode().removeprefix(self._prefix),
                    labels.get("site", ""),
                    labels.get("sensor", ""),
                    labels["series"],
                    labels.get("unit", ""),
                    newest[0] if newest else None,
                )
            )
        return sorted(found)

    def _where(self) -> str:
        """What there is, for somebody who has asked for something else: series of this prefix, or other prefixes."""
        mine = self._filtered(())
        elsewhere = self._everywhere()
        sites = {series.site for series in mine} or {site for _, site in elsewhere}
        prefixes = {prefix for prefix, _ in elsewhere}
        if not mine:
            where = wording.elsewhere("series", prefixes)
            return f" {wording.of_prefix(self._prefix)}: {where}" + (f"; sites: {_some(sites)}" if sites else "")
        keys = [series.key for series in mine]
        shown = keys if len(keys) <= 12 else [*keys[:: len(keys) // 11][:12], "…"]
        others = f"; other prefixes (IOT_PREFIX): {_some(prefixes - {self._prefix})}" if len(prefixes) > 1 else ""
        return f": there are {', '.join(shown)}; sites: {_some(sites)}{others}"

    def _everywhere(self) -> set[tuple[str, str]]:
        """Prefix and site of every series of the system; the labels have them exactly."""
        answer = self._redis.execute_command("TS.MGET", "SELECTED_LABELS", "prefix", "site", "FILTER", OURS)
        found = set[tuple[str, str]]()
        for _, ((_, prefix), (_, site)), _ in answer:
            found.add(((prefix or b"").decode(), (site or b"").decode()))
        return found


def _some(names: Iterable[str]) -> str:
    return wording.listed([name or "(none)" for name in sorted(names)])
