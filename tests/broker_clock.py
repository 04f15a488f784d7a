"""The broker's clock in the hands of a test: the record timestamps that it gives stand for when Kafka received them."""

from __future__ import annotations

from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource

from infrastructure.kafka import admin
from infrastructure.settings import Settings
from topics.names import READINGS


def set_by_test(settings: Settings) -> None:
    """From here on dailyAggr keeps the timestamps that records come with. Only what makes topics sets it back."""
    entry = ConfigEntry("message.timestamp.type", "CreateTime", incremental_operation=AlterConfigOpType.SET)
    late = ConfigEntry("message.timestamp.after.max.ms", admin.FAR, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, settings.prefix + READINGS, incremental_configs=[entry, late])
    client = admin.client(settings.kafka)
    for future in client.incremental_alter_configs([resource]).values():
        future.result()
