"""Kafka and Redis with TLS, by certificates of the test's own: it works, or says which setting to look at."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from infrastructure.kafka import admin
from infrastructure.kafka.client import kafka_options
from infrastructure.kafka.publisher import Publisher
from infrastructure.redis.client import redis_client
from infrastructure.settings import Settings
from ingest.bridge import Bridge
from jobs import connector
from jobs.daily_aggregates import SPEC
from jobs.declaration import declare
from jobs.tools import job_jar
from operations import export
from producer.run import run
from producer.simulation import Simulation, site_names, ticks_of
from scripts import oracle, warm
from scripts.stack.apart import settings_apart
from scripts.stack.supervision import Stack
from tests.certificates import Authority
from tests.running import Bridging, wait_for
from topics import catalogue
from topics.errors import UserError

pytestmark = pytest.mark.stack

START = 1577836800000


@dataclass
class Secured:
    """Settings of a running Kafka and Redis, and what they know nothing of."""

    settings: Settings
    stranger: Authority


@pytest.fixture(scope="module")
def secured() -> Iterator[Secured]:
    """A Kafka and a Redis with TLS and nothing else; Redis asks for certificates."""
    directory = Path(tempfile.mkdtemp(prefix="iot-"))
    ours, theirs = Authority(directory, "ours"), Authority(directory, "theirs")
    settings = settings_apart(
        directory / "local",
        kafka_ca=ours.file,
        redis_ca=ours.file,
        redis_certificate=ours.issue("client"),
        stack_certificate=ours.issue("127.0.0.1"),
    )
    settings = settings.replace(redis=settings.redis.url.replace("redis:", "rediss:"))
    stack = Stack(settings, only=("kafka", "redis"))
    try:
        stack.up()
        admin.create(settings)
        yield Secured(settings, theirs)
    finally:
        stack.down()
        shutil.rmtree(directory)


def test_every_part_of_the_system_works_over_tls(secured: Secured) -> None:
    settings = secured.settings
    sensors = catalogue.read(settings.sensors)
    simulation = Simulation(sensors, 1, START, site_names(1))
    publisher = Publisher(settings, simulation.catalogue)
    run(simulation, publisher, ticks=ticks_of(2), ticks_per_second=None, marks={})
    wanted = oracle.expected(simulation, ticks_of(2), settings)
    options = {"execution.target": "local", "pipeline.jars": job_jar().as_uri()}
    with warm.pyflink():
        job = declare(settings, SPEC, None, **options).execute().get_job_client()
    try:
        with Bridging(Bridge(settings, sensors)):
            wait_for(lambda: not oracle.compare(oracle.stored(settings), wanted).differences, "every point")
    finally:
        job.cancel().result()


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("authority", "refuses.*IOT_KAFKA_CA does not vouch for it, or it is for another name"),
        ("name", "refuses.*IOT_KAFKA_CA does not vouch for it, or it is for another name"),
        ("no TLS", r"hangs up.*it may want TLS \(IOT_KAFKA_CA\)"),
        ("no login", r"hangs up.*or a login \(IOT_KAFKA_USER\)"),
        ("password", "refuses.*invalid credentials"),
    ],
)
def test_kafka_is_spoken_to_rightly_or_not_at_all(secured: Secured, what: str, said: str) -> None:
    right = secured.settings
    update: dict[str, dict[str, Any]] = {
        "authority": {"kafka_ca": secured.stranger.file},
        "name": {"kafka": f"localhost:{right.kafka.port}"},
        "no TLS": {"kafka_ca": None},
        "no login": {"kafka_user": ""},
        "password": {"kafka_password": SecretStr("guessed")},
    }
    with pytest.raises(UserError, match=said):
        admin.create(right.replace(**update[what]))


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("authority", "IOT_REDIS_CA does not vouch for Redis' certificate"),
        ("the system's authorities", "IOT_REDIS_CA does not vouch for Redis' certificate"),
        ("name", "for another name than the one in IOT_REDIS"),
        ("no certificate", "IOT_REDIS_CERTIFICATE"),
        ("a stranger's certificate", "IOT_REDIS_CERTIFICATE"),
        ("no TLS", "rediss:// in IOT_REDIS"),
    ],
)
def test_redis_is_spoken_to_rightly_or_not_at_all(secured: Secured, what: str, said: str) -> None:
    right = secured.settings
    update: dict[str, dict[str, Any]] = {
        "authority": {"redis_ca": secured.stranger.file},
        "the system's authorities": {"redis_ca": None},
        "name": {"redis": f"rediss://localhost:{right.redis.port}/0"},
        "no certificate": {"redis_certificate": None},
        "a stranger's certificate": {"redis_certificate": secured.stranger.issue("client")},
        "no TLS": {"redis": f"redis://127.0.0.1:{right.redis.port}/0"},
    }
    settings = right.replace(**update[what])
    with pytest.raises(UserError, match=said):
        export.export(settings, ["*"], export.span(None, None), export.Target("csv", None))


def test_no_password_goes_in_the_clear(secured: Secured) -> None:
    assert kafka_options(secured.settings.kafka)["security.protocol"] == "SASL_SSL"
    assert connector.properties(secured.settings.kafka)["security.protocol"] == "SASL_SSL"
    assert redis_client(secured.settings.redis, "viewer").connection_pool.connection_class.__name__ == "SSLConnection"
