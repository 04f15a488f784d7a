"""Results of before version 0.2 are rewritten: all of them, once, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from confluent_kafka import Message

from infrastructure.kafka import admin, offsets
from infrastructure.kafka.reader import read_topic
from infrastructure.kafka.writer import Record, write_records
from infrastructure.settings import Settings
from operations import migrate, results
from topics.names import AGGREGATES
from topics.results import MERGED, is_merged

DAY = 86_400_000
START = 1_577_836_800_000
TIMES = {0: "2020-01-01 00:00:00Z", -1: "2019-12-31 00:00:00Z", 1: "2020-01-02 00:00:00Z"}

Old = tuple[dict[str, Any], float | None, int, list[tuple[str, bytes]]]
"""What names a result, its value (None: a tombstone), its readings, its headers."""


def name(series: str, window: int, site: str = "home", sensor: str = "TH1") -> dict[str, Any]:
    return {"series": series, "site": site, "sensor": sensor, "window_start": TIMES[window]}


BY_MERGE = [(MERGED, b"old.")]
OLD: list[Old] = [
    (name("AggDay", 0), 20.5, 95, []),
    (name("AggDayCount", 0), 95.0, 95, []),
    (name("AggDayDiff", -1, sensor="Etot"), 62_400.000000000007, 2, []),
    (name("AggDayRest", 0, sensor="Etot"), -1e-300, 97, []),
    (name("AggDay", 0), None, 0, []),  # a correction: a tombstone and a value
    (name("AggDay", 0), 20.25, 96, []),
    (name("AggDay", 1, site="cabin"), 1e10, 96, BY_MERGE),  # its readings are not in dailyAggr
    (name("AggDay", 1), 7.0, 1, []),
    (name("AggDay", 1), None, 0, []),
]
STANDING = {
    ("AggDay", "home", "TH1", START): (20.25, 96, False),
    ("AggDayCount", "home", "TH1", START): (95.0, 95, False),
    ("AggDayDiff", "home", "Etot", START): (62_400.000000000007, 2, False),
    ("AggDayRest", "home", "Etot", START): (-1e-300, 97, False),
    ("AggDay", "cabin", "TH1", START + DAY): (1e10, 96, True),
}
"""Of a difference the day is the last one of its window."""


@pytest.fixture
def old(settings: Settings) -> Settings:
    """A system of before, with somebody else's record among the results."""

    def records() -> list[Record]:
        found = []
        for stamp, (key, value, count, headers) in enumerate(OLD, START):
            body = {**key, "window_end": "", "value": value, "count": count}
            encoded = None if value is None else msgspec.json.encode(body)
            topic = settings.prefix + AGGREGATES
            found.append(Record(topic, msgspec.json.encode(key), encoded, 0, stamp, headers))
        return [*found, Record(settings.prefix + AGGREGATES, b"junk", b"\xff", 0, START)]

    write_records(settings.kafka, records())
    return settings


def log(settings: Settings) -> list[Message]:
    return list(read_topic(settings.kafka, settings.prefix + AGGREGATES))


def standing(settings: Settings) -> dict[tuple[str, str, str, int], tuple[float, int, bool]]:
    found = results.read(settings).found.values()
    return {r.point[:4]: (r.value, r.readings, r.merged) for r in found}


def assert_migrated(settings: Settings) -> None:
    assert standing(settings) == STANDING
    messages = log(settings)
    assert len(messages) == len(OLD) + 1
    assert [is_merged(m) for m in messages] == [bool(headers) for *_, headers in OLD] + [False]
    assert [m.timestamp()[1] for m in messages[:-1]] == list(range(START, START + len(OLD)))
    assert (messages[-1].key(), messages[-1].value()) == (b"junk", b"\xff"), "what is no result stays as it is"
    assert not [m for m in messages if b"window" in (m.key() or b"") + (m.value() or b"")]
    assert settings.prefix + migrate.COPY not in admin.partitions(settings.kafka)
    assert not migrate.is_needed(settings)


def test_each_record_is_rewritten_and_nothing_else(old: Settings) -> None:
    assert migrate.is_needed(old)
    assert migrate.migrate(old) == (len(OLD) + 1, len(STANDING) + 1)
    assert_migrated(old)
    assert migrate.migrate(old) == (0, 0), "again there is nothing to do"
    assert_migrated(old)


def test_a_new_system_has_nothing_to_migrate(settings: Settings) -> None:
    assert not migrate.is_needed(settings)
    assert migrate.migrate(settings) == (0, 0)


class KilledError(Exception):
    pass


@pytest.mark.parametrize("number", range(12))
def test_killed_at_any_step_it_is_run_again(old: Settings, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Before and after each thing that it does to Kafka; of what it writes, a half may be there."""
    left = iter(range(number, -1, -1))

    def dying(act: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **more: Any) -> Any:
            if next(left, None) == 0:
                if act is write_records:  # it dies in the middle
                    kafka, records = arguments
                    some = list(records)
                    act(kafka, some[: len(some) // 2])
                raise KilledError
            return act(*arguments, **more)

        return step

    with monkeypatch.context() as deadly:
        deadly.setattr(migrate, "write_records", dying(write_records))
        deadly.setattr("operations.migrate.admin.delete", dying(admin.delete))
        deadly.setattr("operations.migrate.admin.create", dying(admin.create))
        deadly.setattr(migrate, "_standing", dying(migrate._standing))
        try:
            migrate.migrate(old)
        except KilledError:
            pass
        else:
            assert number >= 10, "there are that many steps"
    if migrate.is_needed(old):
        migrate.migrate(old)
    assert_migrated(old)


def test_who_still_writes_is_noticed(old: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that runs would write to the topic that is about to be deleted."""
    copied = migrate._standing

    def meanwhile(settings: Settings, topic: str) -> Any:
        found = copied(settings, topic)
        if topic.endswith(AGGREGATES):
            key = msgspec.json.encode(name("AggDay", 0, site="late"))
            body = msgspec.json.encode({**name("AggDay", 0, site="late"), "window_end": "", "value": 1.0, "count": 1})
            write_records(settings.kafka, [Record(topic, key, body, 0, START)])
            found = copied(settings, topic)
        return found

    monkeypatch.setattr(migrate, "_standing", meanwhile)
    with pytest.raises(migrate.MigrationError, match="is the job or a bridge running"):
        migrate.migrate(old)
    assert sum(offsets.end_offsets(old.kafka, old.prefix + AGGREGATES).values()) == len(OLD) + 2, "nothing is lost"
