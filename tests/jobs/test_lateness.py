"""Too late, purged, future, silent, sent twice: the job's verdicts on the real cluster."""

from __future__ import annotations

import json
import random
import time
from collections import defaultdict
from datetime import timedelta
from typing import Self

from confluent_kafka import Consumer, Producer, TopicPartition

from infrastructure.kafka.client import kafka_options
from infrastructure.kafka.publisher import Publisher
from infrastructure.settings import Settings
from operations import audit
from operations.dead_letters.letters import letters
from tests import broker_clock, lateness_model
from tests.running import Bridging, submit_quickly, wait_for
from topics import catalogue
from topics.encoding import encode, encode_heartbeat
from topics.names import AGGREGATES, READINGS, REJECTED, sensor_key
from topics.partitions import first_partitions
from topics.reading import Reading

DAY = 86_400_000
START = 1577836800000
HOUR = 3_600_000


class House:
    """Sends readings to dailyAggr, each where it belongs and received when it was measured; and heartbeats."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sensors = catalogue.read(settings.sensors)
        self.topic = settings.prefix + READINGS
        self.producer = Producer({**kafka_options(settings.kafka), "linger.ms": 5})
        self.producer.list_topics(self.topic, timeout=30)
        self.partition = first_partitions(self.sensors, settings.partitions)
        broker_clock.set_by_test(settings)

    def send(self, sensor: str, ts: int, value: float = 1.0, site: str = "home", received: int | None = None) -> None:
        body = json.dumps({"site": site, "sensor": sensor, "ts": ts, "value": value})
        key, partition = sensor_key(site, sensor), self.partition(site, sensor)
        self.producer.produce(self.topic, body, key, partition, timestamp=ts if received is None else received)
        self.producer.poll(0)

    def time_is(self, ts: int) -> None:
        for number in range(self.settings.partitions):
            self.producer.produce(self.topic, encode_heartbeat(ts), partition=number, timestamp=ts)
        assert self.producer.flush(30) == 0


class Topic:
    """Reads a topic of one partition as a table: the newest value of each key."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.rows: dict[tuple[object, ...], dict[str, object]] = {}
        self._consumer = Consumer({**kafka_options(settings.kafka), "group.id": "test", "fetch.wait.max.ms": 50})
        self._consumer.assign([TopicPartition(settings.prefix + name, 0, 0)])

    def read(self) -> dict[tuple[object, ...], dict[str, object]]:
        for message in self._consumer.consume(10_000, 0.2):
            assert message.error() is None
            key = tuple(json.loads(message.key()).values())
            if message.value() is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = json.loads(message.value())
        return self.rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()


def test_too_late_purged_future_and_sent_twice(settings: Settings) -> None:
    """One job sees them all, in this order, since each submission costs as much as the rest."""
    settings = settings.replace(watermark_idleness=timedelta(days=1))
    submit_quickly(settings)
    house = House(settings)
    with Topic(settings, AGGREGATES) as aggregates, Topic(settings, REJECTED) as rejected:
        # 300 sensors with random pasts, no watermark yet: each is judged by its own clock alone. Every third reading
        # is one that comes again, at once or days later, and with another value.
        draw = random.Random(5)
        streams = {
            f"s{n}": [START + draw.randrange(30 * DAY) for _ in range(draw.randrange(1, 30))] for n in range(300)
        }
        # The boundary itself: the last instant that counts, and the first that does not.
        boundary = START + DAY + lateness_model.L + lateness_model.B
        streams["in-time"] = [boundary - 1, START + DAY - 1]
        streams["too-late"] = [boundary, START + DAY - 1]
        for stream in streams.values():
            for _ in range(len(stream) // 2):
                stream.insert(draw.randrange(len(stream) + 1), draw.choice(stream))
        judged = {site: lateness_model.verdicts(stream) for site, stream in streams.items()}
        for site, stream in streams.items():
            for number, ts in enumerate(stream):
                house.send("TH1", ts, float(number), site)
        late: dict[tuple[object, ...], float] = {}
        for site, stream in streams.items():
            for number, (ts, verdict) in enumerate(zip(stream, judged[site], strict=True)):
                if verdict == "too_late":
                    late[site, "TH1", ts] = number
        assert sum(verdicts.count("duplicate") for verdicts in judged.values()) > 500
        assert ("too-late", "TH1", START + DAY - 1) in late
        # No heartbeat yet: where one came to a partition before these were read, they would be too far ahead of it, and
        # be read no further (IOT_WATERMARK_DRIFT).
        assert house.producer.flush(30) == 0
        wait_for(lambda: len(rejected.read()) >= len(late), "the rejections")
        assert {key: row["value"] for key, row in rejected.rows.items()} == late
        assert {row["reason"] for row in rejected.rows.values()} == {"too_late"}
        assert not aggregates.read(), "no day has ended"

        # Time goes on: every day closes, with what was accepted and nothing else.
        house.time_is(START + 32 * DAY)
        counts: dict[tuple[object, ...], int] = defaultdict(int)
        totals: dict[tuple[object, ...], float] = defaultdict(float)
        for site, stream in streams.items():
            for number, (ts, verdict) in enumerate(zip(stream, judged[site], strict=True)):
                if verdict is None:
                    counts[site, "TH1", ts - ts % DAY] += 1
                    totals[site, "TH1", ts - ts % DAY] += number
        wait_for(lambda: len(aggregates.read()) >= 2 * len(counts), "the days")
        assert {key[1:]: row["value"] for key, row in aggregates.rows.items() if key[0] == "AggDayCount"} == counts
        for key, row in aggregates.rows.items():
            if key[0] == "AggDay":
                assert abs(float(str(row["value"])) - totals[key[1:]] / counts[key[1:]]) < 1e-9

        # A sensor that was offline: its own clock is not too late. Where the state is still there, it counts;
        # where it is gone, the reading is put aside. The time is 32 days, L + C is 9 days and 10 s.
        house.send("W1", START + 5 * DAY, site="offline")
        house.send("W1", START + 5 * DAY, 2.0, site="offline")
        house.send("W1", START + 21 * DAY + DAY - 1, site="offline")
        house.send("W1", START + 22 * DAY, site="offline")
        purged = {("offline", "W1", START + 5 * DAY), ("offline", "W1", START + 21 * DAY + DAY - 1)}
        house.time_is(START + 32 * DAY)
        wait_for(lambda: rejected.read().keys() >= purged, "the purged readings")
        assert {key for key, row in rejected.rows.items() if row["reason"] == "window_purged"} == purged
        caught_up = ("AggDay", "offline", "W1", START + 22 * DAY)
        wait_for(lambda: caught_up in aggregates.read(), "the reading that caught up")
        assert aggregates.rows[caught_up]["value"] == 1.0
        assert rejected.rows["offline", "W1", START + 5 * DAY]["value"] == 1.0, "the first one, here too"

        # Both days of a sliding window count the first one.
        midnight, quarter = START + 26 * DAY, HOUR // 4
        for ts, value in ((midnight - quarter, 100.0), (midnight - quarter, 10.0), (midnight + DAY - quarter, 250.0)):
            house.send("Etot", ts, value, site="meters")
        house.send("Etot", midnight + DAY - quarter, 900.0, site="meters")
        house.time_is(START + 32 * DAY)
        difference = ("AggDayDiff", "meters", "Etot", midnight)
        wait_for(lambda: difference in aggregates.read(), "the difference")
        assert (aggregates.rows[difference]["value"], aggregates.rows[difference]["count"]) == (150.0, 2)

        # A reading from the future moves neither its sensor's clock nor the watermark.
        now = START + 33 * DAY
        house.send("HVAC1", now + HOUR + 1, site="future", received=now)
        house.send("HVAC1", now + 400 * DAY, site="future", received=now)
        house.send("HVAC1", now, 7.0, site="future", received=now)
        house.send("HVAC1", now + HOUR, 8.0, site="future", received=now)
        before = len(rejected.read())
        house.time_is(now + DAY + lateness_model.B)
        day = ("AggDay", "future", "HVAC1", now)
        wait_for(lambda: day in aggregates.read(), "the day with readings from the future")
        assert aggregates.rows[day]["value"] == 15.0
        assert aggregates.rows[day]["count"] == 2
        assert len(rejected.read()) == before
        assert not any(key[1] == "future" and key != day and key[0] == "AggDay" for key in aggregates.rows)


def test_silent_partitions_without_heartbeats_do_not_hold_windows_open(settings: Settings) -> None:
    settings = settings.replace(watermark_idleness=timedelta(seconds=1))
    submit_quickly(settings)
    house = House(settings)
    with Topic(settings, AGGREGATES) as aggregates:
        house.send("TH1", START + HOUR, 20.0)
        house.send("TH1", START + DAY + lateness_model.B, 30.0)
        assert house.producer.flush(30) == 0
        day = ("AggDay", "home", "TH1", START)
        wait_for(lambda: day in aggregates.read(), "the day to close by idleness")
        assert aggregates.rows[day]["value"] == 20.0
        assert {key[3] for key in aggregates.rows} == {START}


def test_a_device_whose_clock_and_record_timestamp_are_wrong_touches_nobody_else(
    settings: Settings, bridge: Bridging
) -> None:
    """It lives in 2036, and says so to the broker too; then its clock is set, and everybody goes on."""
    settings = settings.replace(checkpoint_interval=timedelta(seconds=1))
    submit_quickly(settings)
    sensors = catalogue.read(settings.sensors)
    wrong = 2_085_978_496_000
    partition_of = first_partitions(sensors, settings.partitions)
    producer = Producer(kafka_options(settings.kafka))
    producer.list_topics(settings.prefix + READINGS, timeout=30)
    value = encode(Reading("pi", "TH1", wrong, 18.5))
    producer.produce(settings.prefix + READINGS, value, "pi/TH1", partition_of("pi", "TH1"), timestamp=wrong)
    assert producer.flush(30) == 0

    now = int(time.time() * 1000)
    today = now - now % DAY
    with Publisher(settings, sensors) as publisher:
        for hour in range(24):  # yesterday, so that it can be over
            for site, sensor in (("pi", "TH1"), ("home", "TH1"), ("home", "W1")):
                publisher.publish(Reading(site, sensor, today - DAY + hour * HOUR, 1.0))
        # An hour ahead of the present is the most that a heartbeat may be: it is enough to be past midnight.
        publisher.heartbeat(max(now, today + 60_000))
    with Topic(settings, AGGREGATES) as aggregates, Topic(settings, REJECTED) as rejected:
        days = [("AggDayCount", *name, today - DAY) for name in (("pi", "TH1"), ("home", "TH1"), ("home", "W1"))]
        wait_for(lambda: aggregates.read().keys() >= set(days), "yesterday of all three")
        assert [aggregates.rows[day]["value"] for day in days] == [24, 24, 24]
        assert not [key for key in aggregates.rows if key[3] != today - DAY]
        assert rejected.read() == {}
    (letter,) = wait_for(lambda: list(letters(settings)), "the dead letter")
    assert (letter.reason, letter.value) == ("future_ts", value)
    assert audit.audit(settings, sensors).unexplained == []
