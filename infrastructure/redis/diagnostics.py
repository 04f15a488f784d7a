"""Why Redis does not let a client in, in words that say which setting to look at."""

from __future__ import annotations

import re

from redis.exceptions import AuthenticationError, BusyLoadingError, NoPermissionError

from infrastructure.settings import Settings

HINTS = (
    (r"CERTIFICATE_VERIFY_FAILED.*mismatch", "Redis' certificate is for another name than the one in IOT_REDIS"),
    (r"CERTIFICATE_VERIFY_FAILED", "IOT_REDIS_CA does not vouch for Redis' certificate"),
    (r"WRONG_VERSION_NUMBER", "Redis has no TLS there: IOT_REDIS is redis://, not rediss://"),
    (
        r"(?i)CERTIFICATE_REQUIRED|certificate required|alert unknown ca",
        "Redis asks for a certificate: IOT_REDIS_CERTIFICATE",
    ),
    (
        r"Connection (reset|closed)|EOF occurred in violation of protocol",
        "if Redis is well, it may want TLS: rediss:// in IOT_REDIS, IOT_REDIS_CA, IOT_REDIS_CERTIFICATE",
    ),
    (r"Timeout connecting", "if Redis is well, one of it and IOT_REDIS (rediss://) has TLS, and the other has not"),
)
"""Words of an error of Redis, and the settings that it comes from."""


def explain(error: object) -> str:
    """The words of an error of Redis; where it is one of login, certificates or rights, what to look at."""
    words = str(error)
    if isinstance(error, NoPermissionError):
        hint = "its rights are too few (docs/operations/security.md)"
    elif isinstance(error, AuthenticationError):
        hint = "see IOT_REDIS_INGEST_USER or IOT_REDIS_VIEWER_USER, and the user's password"
    else:
        hint = next((hint for pattern, hint in HINTS if re.search(pattern, words)), "")
    return f"{words.rstrip('.')}: {hint}" if hint else words.rstrip(".")


def redis_unavailable(settings: Settings, user: str, error: Exception) -> str:
    """Why Redis does not serve ``user``, where it is, and what to do; without a full stop."""
    where = settings.redis.url
    if isinstance(error, (AuthenticationError, NoPermissionError)):
        return f"Redis at {where} refuses the user {user or 'default'}: {explain(error)}"
    if isinstance(error, BusyLoadingError):
        return f"Redis at {where} is loading its data: wait"
    return f"Redis does not answer at {where}: is it running? Start it, or set IOT_REDIS. ({explain(error)})"
