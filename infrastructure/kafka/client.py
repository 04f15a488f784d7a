"""How a client of Kafka connects: the one place that turns the settings into an address, a login and TLS."""

from __future__ import annotations

from typing import Any

from infrastructure.passwords import check_readable, read_password
from infrastructure.settings import KafkaSettings

PREFETCHING = {"fetch.queue.backoff.ms": 20}
"""Options of a consumer that reads as fast as it can work. One whose queue was full would fetch again after a second,
when it has long been empty: the bridge stood still for a third of the time."""


def kafka_options(kafka: KafkaSettings) -> dict[str, Any]:
    """Options by which a client of Kafka (librdkafka's names) connects; the caller adds its own.

    Raises ``UserError`` when the password is not there.
    """
    options: dict[str, Any] = {
        "bootstrap.servers": kafka.servers,
        "security.protocol": kafka.protocol,
    }
    if kafka.user:
        options |= {
            "sasl.mechanism": kafka.mechanism,
            "sasl.username": kafka.user,
            "sasl.password": read_password("kafka_password", kafka.secrets_dir, kafka.password),
        }
    if kafka.ca:
        options["ssl.ca.location"] = str(check_readable(kafka.ca, "IOT_KAFKA_CA"))
    return options
