"""Whether the board is well: whether Redis gives it series."""

from __future__ import annotations

from redis.exceptions import ResponseError

from board.reader import Reader, RedisAwayError
from infrastructure.settings import Settings

SECONDS = 2.0
"""In which Redis has to answer: who asks for the board's health has little patience."""


class BoardHealth:
    """Why a board is not well; asks Redis when it is asked itself, by a client of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reader = Reader(settings, SECONDS)

    def __call__(self) -> list[str]:
        """A sentence for each thing."""
        try:
            # Of a kind that there is not: it shows login, rights and the module, and finds nothing.
            [found] = self._reader.ask([("TS.QUERYINDEX", "series=none")])
        except RedisAwayError as error:
            why = str(error)
        else:
            if not isinstance(found, ResponseError):
                return []
            why = f"Redis at {self._settings.redis.url} refuses: {found}. It needs RedisTimeSeries"
        return [f"the board shows nothing new, and goes on by itself when Redis serves it. {why}"]
