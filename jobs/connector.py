"""How Flink's Kafka connector connects, by the names that Java clients have for it."""

from __future__ import annotations

from infrastructure.settings import KafkaSettings

KAFKA = "org.apache.flink.kafka.shaded.org.apache.kafka.common"
"""Where Kafka's classes are inside the connector's jar."""


def properties(kafka: KafkaSettings) -> dict[str, str]:
    """Kafka's options of a table, without ``properties.``.

    They name the place of the password, not the password: whoever connects looks it up, JobManager and TaskManagers.
    So it stands in no SQL, plan, job graph, checkpoint, log or page of Flink, and its file, as that of IOT_KAFKA_CA,
    must be at the same path on each of their machines.
    """
    options = {"bootstrap.servers": kafka.servers, "security.protocol": kafka.protocol}
    if kafka.user:
        if kafka.password.get_secret_value():
            provider, place = "EnvVarConfigProvider", "IOT_KAFKA_PASSWORD"
        else:
            provider, place = "DirectoryConfigProvider", f"{kafka.secrets_dir}:kafka_password"
        options |= {
            "config.providers": "secret",
            "config.providers.secret.class": f"{KAFKA}.config.provider.{provider}",
            "sasl.mechanism": kafka.mechanism,
            "sasl.jaas.config": f"{KAFKA}.security.scram.ScramLoginModule required "
            f'username="{kafka.user}" password="${{secret:{place}}}";',
        }
    if kafka.ca:
        options |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": str(kafka.ca)}
    return options
