"""A replay gives what the whole run gives, corrects what is wrong, and disturbs nobody."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from confluent_kafka import Producer, TopicPartition
from rich.console import Console
from typer.testing import CliRunner

from commands import replay_session
from infrastructure.kafka import admin, offsets
from infrastructure.kafka.client import kafka_options
from infrastructure.settings import Settings, load_settings
from iot.__main__ import app
from jobs import cluster
from jobs.bounds import Bounds
from jobs.daily_aggregates import SPEC
from jobs.tools import local_tools
from operations import audit, replay, results
from producer.run import run
from producer.simulation import Simulation, site_names, ticks_of
from scripts import oracle, warm
from scripts.repeats import RepeatingPublisher
from scripts.stack.supervision import Stack
from tests.jobs.test_lateness import DAY, HOUR, START, House
from tests.running import Bridging, submit_quickly, wait_for
from topics import catalogue
from topics.errors import UserError
from topics.names import AGGREGATES, READINGS, REJECTED

DAYS = 20
SENSORS = catalogue.read(Settings.of(env_file=None).sensors)


def simulation(sites: int = 2) -> Simulation:
    return Simulation(SENSORS, 3, START, site_names(sites))


def derived(points: dict[str, oracle.Points], settings: Settings, first: int, last: int) -> dict[str, oracle.Points]:
    """Of the points of all series, those of derived ones of the days from first to last (start, ms)."""
    chosen = {
        key.removeprefix(settings.prefix): {ts: value for ts, value in of.items() if first <= ts < last + DAY}
        for key, of in points.items()
        if key.removeprefix(settings.prefix).split(":")[-1] not in SENSORS
    }
    return {key: of for key, of in chosen.items() if of}


def same(found: dict[str, oracle.Points], wanted: dict[str, oracle.Points]) -> bool:
    """Whether the same points are there, no more and no less, with the same values to 1e-9."""
    return not oracle.compare(found, wanted).differences


@contextmanager
def replayed(settings: Settings, plan: replay.Plan, into: str, *, accept_late: bool = False) -> Iterator[Settings]:
    own = replay.run(settings, local_tools(settings), SPEC, plan, into, accept_late=accept_late, submit=warm.submit)
    yield own
    replay.clear(own, SPEC)


def command(settings: Settings, monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """A command of `iot`, in this process, whose JVM is warm; returns what it printed."""
    load = load_settings

    def given(**options: object) -> Settings:
        load(**options)
        return settings

    monkeypatch.setattr("infrastructure.settings.load_settings", given)
    monkeypatch.setattr(replay_session, "load_settings", given)
    monkeypatch.setattr(cluster, "submit", warm.submit)
    monkeypatch.setattr(replay.run, "__kwdefaults__", {**(replay.run.__kwdefaults__ or {}), "submit": warm.submit})
    monkeypatch.setattr(replay_session, "console", Console(highlight=False, soft_wrap=True, width=200))
    done = CliRunner().invoke(app, list(words))
    if done.exception is not None:
        raise done.exception
    return done.output


def committed(settings: Settings) -> dict[tuple[str, int], int]:
    return offsets.committed_offsets(settings.kafka, settings.prefix + settings.job.group)


def spoil(settings: Settings, first: int, last: int) -> None:
    """Make live results wrong: another value, a missing one, one too many, an invented rejection."""
    live = results.read(settings, lambda day: first <= day <= last)
    (topic, key), one = next(item for item in live.found.items() if item[1].point.series == "AggDay")
    other = next(name for name, result in live.found.items() if result.point.series == "AggDayCount")
    producer = Producer(kafka_options(settings.kafka))
    producer.list_topics(settings.prefix + topic, timeout=30)
    fields = {**json.loads(one.record), "value": one.value + 1}
    producer.produce(settings.prefix + topic, json.dumps(fields), key)
    producer.produce(settings.prefix + AGGREGATES, None, other[1])
    invented = {**json.loads(key), "site": "nowhere"}
    producer.produce(settings.prefix + AGGREGATES, json.dumps({**fields, **invented}), json.dumps(invented))
    name = {"site": "home", "sensor": "TH1", "ts": first}
    rejected = {**name, "value": 1.0, "reason": "too_late", "late_ms": 1}
    producer.produce(settings.prefix + REJECTED, json.dumps(rejected), json.dumps(name))
    assert producer.flush(30) == 0


@pytest.mark.timeout(400)
def test_a_replay_equals_the_whole_run_and_mends_what_is_wrong(
    settings: Settings, bridge: Bridging, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings.replace(checkpoint_interval=timedelta(seconds=1))
    job = submit_quickly(settings)
    publisher = RepeatingPublisher(settings, simulation().catalogue)
    run(simulation(), publisher, ticks=ticks_of(DAYS), ticks_per_second=None, marks={})
    wanted = oracle.expected(simulation(), ticks_of(DAYS), settings)
    wait_for(lambda: not oracle.compare(oracle.stored(settings), wanted).differences, "the live results")
    ends = offsets.end_offsets(settings.kafka, settings.prefix + READINGS)
    wait_for(lambda: {p: o for (_, p), o in committed(settings).items()} == ends, "the live job to commit")
    before = committed(settings)

    # A part: exactly what the whole has there, with rejections.
    first, last = START + 4 * DAY, START + 11 * DAY
    plan = replay.plan(settings, first, last)
    with replayed(settings, plan, "part.") as own:
        assert same(oracle.published(own), derived(wanted, settings, first, last))

    # Nothing is too late.
    lax = settings.replace(allowed_lateness=timedelta(days=10_000))
    admitted = derived(oracle.expected(simulation(), ticks_of(DAYS), lax), settings, first, last)
    with replayed(settings, plan, "lax.", accept_late=True) as own:
        assert same(oracle.published(own), admitted)
        assert "LateRejW1" not in admitted

    # Wrong live results are mended, up to the last day that the live job corrects no more.
    last = START + (DAYS - 10) * DAY  # the live job keeps days for L + C = 9 days and 10 s
    spoil(settings, first, last)
    assert len(oracle.compare(oracle.published(settings), derived(wanted, settings, 0, 1 << 60)).differences) == 4
    said = command(settings, monkeypatch, "replay", "--from", "2020-01-03")
    assert f"left out: from {time.strftime('%Y-%m-%d', time.gmtime((last + DAY) / 1000))} on" in said
    assert re.search(r"^4 results of \d days corrected", said, re.MULTILINE)
    assert same(oracle.published(settings), derived(wanted, settings, 0, 1 << 60))
    wait_for(lambda: same(oracle.stored(settings), wanted), "the bridge to store it")
    assert not {name for name in admin.partitions(settings.kafka) if name.startswith(settings.prefix + replay.ASIDE)}

    # The live job went on as if nothing had been.
    assert cluster.find(settings, SPEC).id == job
    assert cluster.find(settings, SPEC).state == "RUNNING"
    assert committed(settings) == before
    assert audit.audit(settings, SENSORS).unexplained == []


@pytest.mark.timeout(300)
def test_a_replay_admits_what_the_live_job_had_forgotten(
    settings: Settings, bridge: Bridging, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catch-up is short: a sensor that was offline finds its days purged. A replay is the authority."""
    settings = settings.replace(
        catch_up=timedelta(hours=1),
        parallelism=1,
        checkpoint_interval=timedelta(seconds=1),
        rest_ttl=timedelta(minutes=10),
    )
    submit_quickly(settings)
    house = House(settings)
    for hour in range(24):
        house.send("TH1", START + hour * HOUR, 20.0)
        house.send("TH2", START + hour * HOUR, 1.0)
    for day in range(1, 9):
        house.send("TH1", START + day * DAY, 20.0)
        house.time_is(START + day * DAY)
    wait_for(
        lambda: "AggDayTH1" in oracle.published(settings) and len(oracle.published(settings)["AggDayTH1"]) >= 7,
        "the days",
    )
    for hour in range(24):  # TH2 has been offline since the first day
        house.send("TH2", START + DAY + hour * HOUR, 3.0, received=START + 8 * DAY)
    house.send("TH2", START + 8 * DAY, 1.0)
    house.time_is(START + 8 * DAY)
    wait_for(lambda: len(oracle.published(settings).get("LateRejTH2", {})) == 24, "the rejections")
    assert START + DAY not in oracle.published(settings)["AggDayTH2"]
    house.time_is(START + 8 * DAY + HOUR)
    ends = offsets.end_offsets(settings.kafka, settings.prefix + READINGS)
    wait_for(lambda: {p: o for (_, p), o in committed(settings).items()} == ends, "the live job to commit")

    said = command(settings, monkeypatch, "replay")
    assert "26 results of 1 days corrected" in said, "mean, count, 24 rejections that are taken back"
    now = oracle.published(settings)
    assert now["AggDayTH2"] == {START: 1.0, START + DAY: 3.0}
    assert now["AggDayCountTH2"] == {START: 24.0, START + DAY: 24.0}
    assert "LateRejTH2" not in now
    wait_for(
        lambda: {k.removeprefix(settings.prefix) for k in oracle.stored(settings)} == {*now, "TH1", "TH2"},
        "the bridge to delete the rejections",
    )
    account = audit.audit(settings, SENSORS)
    assert (account.unexplained, account.rejected) == ([], 0)


def test_what_cannot_be_replayed_is_said(settings: Settings) -> None:
    """Planning alone: what the topic holds decides, and how far the live job is."""
    with pytest.raises(UserError, match="no day can be replayed:\nleft out: from 1970-01-01 on: dailyAggr holds no"):
        replay.plan(settings)
    with pytest.raises(UserError, match=r"there is no topic none.dailyAggr"):
        replay.plan(settings.replace(prefix="none."))

    house = House(settings)
    for hour in range(24 * 10 + 1):
        for sensor in ("TH1", "W1"):
            house.send(sensor, START + hour * HOUR)
        house.time_is(START + hour * HOUR)
    # The stream is at the tenth midnight less 10 s: the tenth day is not closed.
    plan = replay.plan(settings, START, START + 9 * DAY)
    assert (plan.bounds.first_day, plan.bounds.last_day) == (START, START + 8 * DAY)
    ((first, last, why),) = plan.left_out
    assert (first, last) == (START + 9 * DAY, START + 9 * DAY)
    assert "not closed yet, the stream is at 2020-01-10 23:59:50" in why

    # A partition that is behind holds the day back; one that has been silent for longer than IOT_WATERMARK_IDLENESS
    # does not.
    settings = settings.replace(watermark_delay=timedelta(seconds=10))
    house.send("TH1", START + 10 * DAY + 60_000)
    assert house.producer.flush(30) == 0
    assert replay.plan(settings).bounds.last_day == START + 8 * DAY
    house.send("TH1", START + 10 * DAY + 60_001)
    assert house.producer.flush(30) == 0
    assert replay.plan(settings).bounds.last_day == START + 9 * DAY

    # Of later days the readings have been received later, apart from an hour by which a clock may be ahead.
    start = replay.plan(settings, START + 5 * DAY).bounds.start
    assert start == offsets.offsets_at(settings.kafka, settings.prefix + READINGS, START + 4 * DAY - HOUR)
    assert min(start[number] for number in {house.partition("home", "TH1"), house.partition("home", "W1")}) >= 4 * 23

    # Without a word of the live job nothing may be corrected.
    with pytest.raises(UserError, match="how far the live job is cannot be told"):
        replay.plan(settings, correcting=True)

    # What retention has deleted cannot be computed, nor the day after it, whose difference needs the day before.
    cut = offsets.offsets_at(settings.kafka, settings.prefix + READINGS, START + 2 * DAY + HOUR)
    where = [TopicPartition(settings.prefix + READINGS, p, offset) for p, offset in cut.items()]
    client = admin.client(settings.kafka)
    for future in client.delete_records(where).values():
        future.result()
    plan = replay.plan(settings)
    assert plan.bounds.first_day == START + 4 * DAY
    assert plan.bounds.start == cut
    assert plan.left_out[-1].last == START + 3 * DAY
    assert "holds their readings no more" in plan.left_out[-1].why


@pytest.mark.timeout(300)
def test_a_replay_outlives_the_jobmanager(stack: Stack, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed when a checkpoint knows who reads what: its successor would wait for the end for ever. Then killed when
    the run has ended and nobody has seen it: its successor does not know.
    """
    settings = settings.replace(checkpoint_interval=timedelta(milliseconds=200))
    houses = simulation(30)
    publisher = RepeatingPublisher(settings, houses.catalogue)
    run(houses, publisher, ticks=ticks_of(DAYS), ticks_per_second=None, marks={})
    plan = replay.plan(settings)
    own = settings.replace(prefix="outlived.")
    seen: list[int] = []
    killed: dict[str, int] = {}
    said: list[str] = []

    def kill(progress: replay.Progress) -> None:
        if said and len(killed) == 1:
            job = cluster.find(own, SPEC).id
            wait_for(lambda: cluster.ask(own, f"/jobs/{job}/status")["status"] == "FINISHED", "the second run to end")
            wait_for(lambda: not list((stack.paths.data / "flink-ha").rglob(f"*{job}*")), "all about it to be deleted")
        elif killed or not progress.read:
            return
        else:
            job = cluster.find(own, SPEC).id
            checkpoint = cluster.last_checkpoint(own, job)
            seen.append(checkpoint["id"] if checkpoint else 0)
            if seen[-1] <= seen[0] + 1:  # it may have begun before the first record was read
                return
        os.kill(stack.pid("jobmanager"), signal.SIGKILL)
        killed[job] = progress.read

    monkeypatch.setattr(replay, "POLL_SECONDS", 0.1)
    replay.run(
        settings, local_tools(settings), SPEC, plan, own.prefix, submit=warm.submit, report=kill, said=said.append
    )
    wanted = oracle.expected(houses, ticks_of(DAYS), settings)
    assert same(oracle.published(own), derived(wanted, settings, 0, plan.bounds.last_day))
    assert max(killed.values()) < plan.records
    assert [re.findall(r"run \d", line) for line in said] == [["run 1"], ["run 2"]]
    replay.clear(own, SPEC)


def test_a_replay_whose_jobmanager_never_stays_gives_up_and_leaves_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds = Bounds(source=settings.prefix, start={}, end={}, first_day=0, last_day=0)
    said: list[str] = []
    monkeypatch.setattr(replay, "_watched_to_its_end", lambda *_: False)
    with pytest.raises(UserError, match="3 runs have lost their JobManager"):
        replay.run(
            settings,
            local_tools(settings),
            SPEC,
            replay.Plan(bounds),
            "never.",
            submit=lambda *_args, **_kwargs: "0" * 32,
            said=said.append,
        )
    assert [re.findall(r"run \d", line) for line in said] == [["run 1"], ["run 2"]]
    own = settings.replace(prefix="never.")
    wait_for(lambda: not admin.existing(own), "its topics to be deleted")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--late", "accept"], "--late accept needs --into"),
        (["--from", "1.1.2020"], "give a day as YYYY-MM-DD"),
        (["--into", "{prefix}"], "corrected without it"),
        (["--into", "no such/prefix"], "--into 'no such/prefix': a prefix is at most 64 letters"),
        (["--from", "2020-01-04", "--to", "2020-01-02"], "--from 2020-01-04 is after --to 2020-01-02"),
    ],
)
def test_wrong_arguments_are_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        command(settings, monkeypatch, "replay", *(word.format(prefix=settings.prefix) for word in words))


def test_a_system_at_work_is_not_replaced(settings: Settings) -> None:
    """Results go into topics of their own, or nowhere."""
    house = House(settings)
    for hour in range(49):
        house.send("TH1", START + hour * HOUR)
        house.time_is(START + hour * HOUR)
    plan = replay.plan(settings)
    other = settings.replace(prefix="other-system.")
    admin.create(other)
    try:
        with pytest.raises(UserError, match="a system of its own"), replayed(settings, plan, other.prefix):
            pass
        wait_for(lambda: admin.existing(other) == set(admin.topics_of(other)), "its topics")
    finally:
        admin.delete(other)
