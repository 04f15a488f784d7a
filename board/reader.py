"""Redis, read as ``viewer``; what goes wrong is said in words."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import redis
from redis.exceptions import AuthenticationError, BusyLoadingError, NoPermissionError, RedisError, ResponseError

from infrastructure.redis.client import redis_client
from infrastructure.redis.diagnostics import redis_unavailable
from infrastructure.settings import Settings
from topics.errors import UserError

SECONDS = 5.0
"""In which Redis has to answer."""


class RedisAwayError(UserError):
    """Redis does not answer, or lets nobody in; the message says what to do."""


class Reader:
    """A client that connects when it is first used, and anew after a failure. Threads may share it."""

    def __init__(self, settings: Settings, seconds: float = SECONDS) -> None:
        self._settings = settings
        self._seconds = seconds
        self._client: redis.Redis | None = None
        self._lock = threading.Lock()

    def ask(self, commands: Sequence[Sequence[str]]) -> list[Any]:
        """The answers to commands, in one exchange; one that Redis refuses is answered by its ``ResponseError``.

        Raises ``RedisAwayError`` when there is none at all.
        """
        if not commands:
            return []
        try:
            with self._connected().pipeline(transaction=False) as pipeline:
                for words in commands:
                    pipeline.execute_command(*words)
                answers: list[Any] = pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            self.close()
            raise self._away(error) from error
        for answer in answers:
            if isinstance(answer, (NoPermissionError, AuthenticationError, BusyLoadingError)):
                raise self._away(answer)
            if isinstance(answer, Exception) and not isinstance(answer, ResponseError):
                raise self._away(answer) from answer
        return answers

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _connected(self) -> redis.Redis:
        with self._lock:
            if self._client is None:
                try:
                    self._client = redis_client(
                        self._settings.redis,
                        "viewer",
                        socket_timeout=self._seconds,
                        socket_connect_timeout=self._seconds,
                    )
                except UserError as error:
                    raise RedisAwayError(str(error)) from error
            return self._client

    def _away(self, error: Exception) -> RedisAwayError:
        return RedisAwayError(redis_unavailable(self._settings, self._settings.redis.viewer_user, error))
