"""Job and bridge give the same verdict on every record: here the job's own source table says so.

The records are those of tests/validity.py, whose verdicts are written down, and thousands that are generated.
"""

from __future__ import annotations

import pytest
from confluent_kafka import Producer

from infrastructure.kafka.client import kafka_options
from infrastructure.settings import Settings
from jobs.daily_aggregates import SPEC
from jobs.statements import statements
from jobs.tools import job_jar
from scripts.warm import pyflink
from tests import broker_clock
from tests.generated import batch
from tests.validity import CASES, FUTURE_TOLERANCE_MS, SENT
from topics import catalogue
from topics.decoding import decode
from topics.names import READINGS
from topics.reading import Reading, Rules

GENERATED = 4000


@pytest.fixture
def generated() -> list[bytes]:
    return batch(GENERATED)


@pytest.fixture
def accepted(settings: Settings, generated: list[bytes]) -> dict[int, list[Reading]]:
    """By number of the record, first the cases and then the generated ones: the readings that have an event time.

    It is the table of jobs/sql/daily_aggregates/1_readings.sql that gives it to them.
    """
    topic = settings.prefix + READINGS
    broker_clock.set_by_test(settings)
    producer = Producer({**kafka_options(settings.kafka), "message.max.bytes": 4_000_000, "enable.idempotence": True})
    producer.list_topics(topic, timeout=30)
    for value in (*(case.value for case in CASES), *generated):
        producer.produce(topic, value, partition=0, timestamp=SENT)
    assert producer.flush(30) == 0

    with pyflink():
        from pyflink.table import EnvironmentSettings, TableEnvironment

        environment = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
        environment.get_config().set("pipeline.jars", job_jar().as_uri())
        environment.get_config().set("parallelism.default", "1")
        for statement in statements(SPEC.files[:1], SPEC.arguments(settings, catalogue.read(settings.sensors), None)):
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


def test_the_job_accepts_what_the_contract_and_the_bridge_accept(
    settings: Settings, accepted: dict[int, list[Reading]], generated: list[bytes]
) -> None:
    wrong = [
        f"{case.name}: the job takes {accepted.get(number, [])}, the contract {case.expected}"
        for number, case in enumerate(CASES)
        if accepted.get(number, []) != [item for item in case.expected if isinstance(item, Reading)]
    ]
    rules = Rules(catalogue.read(settings.sensors), FUTURE_TOLERANCE_MS)
    valid = 0
    for number, value in enumerate(generated, len(CASES)):
        bridge = [item for item in decode(value, SENT, rules) if isinstance(item, Reading)]
        valid += bool(bridge)
        if accepted.get(number, []) != bridge:
            wrong.append(f"{value[:500]!r}: the job takes {accepted.get(number, [])}, the bridge {bridge}")
    assert not wrong, "\n".join(wrong)
    assert GENERATED / 10 < valid < GENERATED / 2, "most of them are broken, and not all"
