"""Why Kafka does not let a client in, in words that say which setting to look at."""

from __future__ import annotations

import re
import time
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from infrastructure.settings import KafkaSettings
from topics.errors import UnavailableError

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

HINTS = (
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


class KafkaUnreachableError(UnavailableError):
    """Kafka does not answer, or refuses this client; the message says what to do."""


class Diagnostics:
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
            self.last = explain(error)
            self.hangs_up = "verify that security.protocol" in error.str()
            if _hint(FINAL, error.str()):
                self.refusal = self.last


def fetch_metadata(
    client: Any, diagnostics: Diagnostics, kafka: KafkaSettings, topic: str | None = None, seconds: float = PATIENCE
) -> Any:
    """What Kafka tells of its topics, or of one of them, as soon as it answers.

    ``diagnostics`` is the `error_cb` of the client.

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
            if diagnostics.refusal:
                raise KafkaUnreachableError(f"Kafka refuses, at {kafka.servers}: {diagnostics.refusal}") from error
            if diagnostics.hangs_up and waited > HANGS_UP:
                raise KafkaUnreachableError(
                    f"Kafka hangs up, at {kafka.servers}: it may want TLS (IOT_KAFKA_CA), or a login (IOT_KAFKA_USER)"
                ) from error
            if waited > seconds:
                raise KafkaUnreachableError(
                    f"Kafka does not answer at {kafka.servers}: is it running? Start it, or set IOT_KAFKA. "
                    f"({diagnostics.last or error.args[0].str()})"
                ) from error


def explain(error: KafkaError | KafkaException | None) -> str:
    """The words of an error of Kafka; where it is one of login, certificates or rights, what to look at."""
    if isinstance(error, KafkaException):
        error = error.args[0]
    if not isinstance(error, KafkaError):
        return str(error).rstrip(".")
    words = str(error.str())
    hint = "IOT_KAFKA_USER may not do that" if error.code() in RIGHTS else _hint(HINTS, words)
    return f"{words.rstrip('.')}: {hint}" if hint else words.rstrip(".")


def _hint(hints: tuple[tuple[str, str], ...], words: str) -> str:
    return next((hint for pattern, hint in hints if re.search(pattern, words)), "")
