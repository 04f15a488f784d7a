"""Job and bridge give the same verdict on every case of tests/validity.py: here the job's own source table says so."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer

from jobs.statements import parameters, statements
from jobs.tools import job_jar
from scripts.warm import pyflink
from settings import Settings
from tests.validity import CASES, SENT
from topics import catalogue
from topics.names import READINGS
from topics.reading import Reading


@pytest.fixture
def accepted(settings: Settings) -> dict[int, list[Reading]]:
    """By case: the readings that the table of jobs/sql/readings.sql gives an event time."""
    topic = settings.prefix + READINGS
    producer = Producer(
        {"bootstrap.servers": settings.kafka, "message.max.bytes": 4_000_000, "enable.idempotence": True}
    )
    producer.list_topics(topic, timeout=30)
    for case in CASES:
        producer.produce(topic, case.value, partition=0, timestamp=SENT)
    assert producer.flush(30) == 0

    with pyflink():
        from pyflink.table import EnvironmentSettings, TableEnvironment

        environment = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
        environment.get_config().set("pipeline.jars", job_jar().as_uri())
        environment.get_config().set("parallelism.default", "1")
        for statement in statements(["readings"], parameters(settings, catalogue.read(settings.sensors))):
            environment.execute_sql(statement)
        environment.execute_sql(
            "CREATE TEMPORARY TABLE numbered (number BIGINT METADATA FROM 'offset' VIRTUAL) "
            "WITH ('scan.bounded.mode' = 'latest-offset') LIKE readings (INCLUDING ALL OVERWRITING OPTIONS)"
        )
        rows: dict[int, list[Reading]] = {}
        query = (
            "SELECT number, site, sensor, measured, `value` FROM numbered "
            "WHERE event_time IS NOT NULL AND sensor <> 'heartbeat'"
        )
        with environment.execute_sql(query).collect() as results:
            for number, *fields in results:
                rows.setdefault(number, []).append(Reading(*fields))
    return rows


def test_the_job_accepts_what_the_contract_accepts(accepted: dict[int, list[Reading]]) -> None:
    wrong = [
        f"{case.name}: the job takes {accepted.get(number, [])}, the contract {case.expected}"
        for number, case in enumerate(CASES)
        if accepted.get(number, []) != [item for item in case.expected if isinstance(item, Reading)]
    ]
    assert not wrong, "\n".join(wrong)
