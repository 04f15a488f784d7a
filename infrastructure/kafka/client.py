"""How a client of Kafka connects: the one place that turns the settings into an address, a login and TLS."""

from __future__ import annotations

from typing import Any

from infrastructure.passwords import check_readable, read_password
from infrastructure.settings import Settings

PREFETCHING = {"fetch.queue.backoff.ms": 20}
"""Options of a consumer that reads as fast as it can work. One whose queue was full would fetch again after a second,
when it has long been empty: the bridge stood still for a third of the time."""


def kafka_options(settings: Settings) -> dict[str, Any]:
    """Options by which a client of Kafka (librdkafka's names) connects; the caller adds its own.

    Raises ``UserError`` when the password is not there.
    """
    options: dict[str, Any] = {"bootstrap.servers": settings.kafka, "security.protocol": settings.kafka_protocol}
    if settings.kafka_user:
        options |= {
            "sasl.mechanism": settings.kafka_mechanism,
            "sasl.username": settings.kafka_user,
            "sasl.password": read_password(settings, "kafka_password"),
        }
    if settings.kafka_ca:
        options["ssl.ca.location"] = str(check_readable(settings.kafka_ca, "IOT_KAFKA_CA"))
    return options
