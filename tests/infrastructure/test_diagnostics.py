"""What a client is told that is not let in, and what is not yet a refusal."""

from __future__ import annotations

import pytest
import redis
from confluent_kafka import KafkaError, KafkaException

from infrastructure.kafka.diagnostics import Diagnostics, explain
from infrastructure.redis.diagnostics import explain as explain_redis

LOGIN = "SASL authentication error: Authentication failed due to invalid credentials with SASL mechanism SCRAM-SHA-512"
FOREIGN = "SSL handshake failed: broker certificate could not be verified, verify that ssl.ca.location is right"


@pytest.mark.parametrize(
    ("code", "words", "setting"),
    [
        (KafkaError._AUTHENTICATION, LOGIN, "IOT_KAFKA_USER"),
        (KafkaError._AUTHENTICATION, "handshake failed: Broker: Unsupported SASL mechanism", "IOT_KAFKA_MECHANISM"),
        (KafkaError._SSL, FOREIGN, "IOT_KAFKA_CA"),
    ],
)
def test_a_refusal_names_the_setting(code: int, words: str, setting: str) -> None:
    diagnostics = Diagnostics()
    diagnostics(KafkaError(code, words))
    assert setting in diagnostics.refusal


@pytest.mark.parametrize(
    "words",
    [
        "Connect to ipv4#127.0.0.1:1 failed: Connection refused",
        "Receive failed: Connection reset by peer",
        "SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker listener?",
    ],
)
def test_a_server_that_starts_or_stops_has_not_refused(words: str) -> None:
    diagnostics = Diagnostics()
    diagnostics(KafkaError(KafkaError._TRANSPORT, words))
    diagnostics(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    assert not diagnostics.refusal
    assert not diagnostics.hangs_up
    assert "REDIS" not in diagnostics.last


DOUBT = "Disconnected: verify that security.protocol is correctly configured, broker might require SASL authentication"


@pytest.mark.parametrize("before", [[], [KafkaError(KafkaError._TRANSPORT, DOUBT)]])
def test_a_server_that_only_hangs_up_is_noticed(before: list[KafkaError]) -> None:
    diagnostics = Diagnostics()
    for error in [*before, KafkaError(KafkaError._ALL_BROKERS_DOWN, "0/2 brokers are down")]:
        diagnostics(error)
    assert diagnostics.hangs_up


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED, "no.")),
            "no: IOT_KAFKA_USER may not",
        ),
        (redis.AuthenticationError("wrong."), "wrong: see IOT_REDIS_INGEST_USER"),
        (redis.exceptions.NoPermissionError("no"), "docs/operations/security.md"),
        (redis.ConnectionError("certificate verify failed: CERTIFICATE_VERIFY_FAILED"), "IOT_REDIS_CA"),
        (redis.ConnectionError("Error 111 connecting to 127.0.0.1:1."), "Error 111 connecting to 127.0.0.1:1"),
    ],
)
def test_an_error_says_what_to_look_at(error: Exception, said: str) -> None:
    assert said in (explain(error) if isinstance(error, KafkaException) else explain_redis(error))
