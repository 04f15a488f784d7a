"""Why Kafka or Redis does not let a client in, in words that say which setting to look at."""

from __future__ import annotations

import re
import time
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from redis.exceptions import AuthenticationError, BusyLoadingError, NoPermissionError

from command_line import UserError
from settings import Settings

PATIENCE = 30
"""Seconds in which Kafka has to answer."""

HANGS_UP = 5
"""Seconds after which a server that accepts connections, and closes them without a word, will not do otherwise."""

FINAL = (
    (
        r"invalid credentials|Unsupported SASL mechanism",
        "see IOT_KAFKA_USER, IOT_KAFKA_MECHANISM and the password, kafka_password",
    ),
    (
        r"broker certificate could not be verified",
        "IOT_KAFKA_CA does not vouch for it, or it is for another name than the one in IOT_KAFKA",
    ),
)
"""Words of an error of Kafka that waiting will not mend, and the settings that it comes from."""

KAFKA = (
    *FINAL,
    # A server that stops closes connections, too: this one may be mended by waiting.
    (r"PLAINTEXT broker listener", "if Kafka is well, it has no TLS there: empty IOT_KAFKA_CA, or see IOT_KAFKA"),
)
RIGHTS = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)
REDIS = (
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


class KafkaUnreachableError(UserError):
    """Kafka does not answer, or refuses this client; the message says what to do."""


class Heard:
    """What a client of Kafka reports (its ``error_cb``), which its calls keep to themselves."""

    def __init__(self) -> None:
        self.refusal = ""
        """Why Kafka will never let this client in; empty as long as it may."""
        self.last = ""
        self.hangs_up = False

    def __call__(self, error: KafkaError) -> None:
        """Remember an error."""
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - the client's public name
            self.hangs_up |= not self.last
        else:
            self.last = explained(error)
            self.hangs_up = "verify that security.protocol" in error.str()
            if _hint(FINAL, error.str()):
                self.refusal = self.last


def kafka_metadata(
    client: Any, heard: Heard, settings: Settings, topic: str | None = None, seconds: float = PATIENCE
) -> Any:
    """What Kafka tells of its topics, or of one of them, as soon as it answers; ``heard`` is the client's ``error_cb``.

    Raises ``KafkaUnreachableError``: at once when Kafka refuses the client, else when it is silent for so many
    seconds.
    """
    began = time.monotonic()
    while True:
        try:
            return client.list_topics(*([topic] if topic else []), timeout=1)
        except KafkaException as error:
            client.poll(0.1)
            waited = time.monotonic() - began
            if heard.refusal:
                raise KafkaUnreachableError(f"Kafka refuses, at {settings.kafka}: {heard.refusal}") from error
            if heard.hangs_up and waited > HANGS_UP:
                raise KafkaUnreachableError(
                    f"Kafka hangs up, at {settings.kafka}: it may want TLS (IOT_KAFKA_CA), or a login (IOT_KAFKA_USER)"
                ) from error
            if waited > seconds:
                raise KafkaUnreachableError(
                    f"Kafka does not answer at {settings.kafka}: start it (`make up`), or set IOT_KAFKA. "
                    f"({heard.last or error.args[0].str()})"
                ) from error


def explained(error: Any) -> str:
    """The words of an error of Kafka or Redis; where it is one of login, certificates or rights, what to look at."""
    if isinstance(error, KafkaException):
        error = error.args[0]
    if isinstance(error, KafkaError):
        words = str(error.str())
        hint = "IOT_KAFKA_USER may not do that" if error.code() in RIGHTS else _hint(KAFKA, words)
    else:
        words = str(error)
        if isinstance(error, NoPermissionError):
            hint = "its rights are too few (README, Access)"
        elif isinstance(error, AuthenticationError):
            hint = "see IOT_REDIS_INGEST_USER or IOT_REDIS_VIEWER_USER, and the user's password"
        else:
            hint = _hint(REDIS, words)
    return f"{words.rstrip('.')}: {hint}" if hint else words.rstrip(".")


def redis_away(settings: Settings, user: str, error: Exception) -> str:
    """Why Redis does not serve ``user``, where it is, and what to do; without a full stop."""
    where = settings.redis
    if isinstance(error, (AuthenticationError, NoPermissionError)):
        return f"Redis at {where} refuses the user {user or 'default'}: {explained(error)}"
    if isinstance(error, BusyLoadingError):
        return f"Redis at {where} is loading its data: wait"
    return f"Redis does not answer at {where}: start it (`make up`), or set IOT_REDIS. ({explained(error)})"


def _hint(hints: tuple[tuple[str, str], ...], words: str) -> str:
    return next((hint for pattern, hint in hints if re.search(pattern, words)), "")
