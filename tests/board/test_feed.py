"""One reading for all pages that show the same, none for none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from board import dashboards
from board.feed import READING, Feeds, Seen, Wanted, pixels
from board.reader import Reader, RedisAwayError
from board.timerange import TimeRange

DASHBOARDS = dashboards.read()
WANTED = Wanted("pipeline", "home", TimeRange("2020-01-01", "2020-01-31"), 1280)
LABELS = [[b"site", b"home"], [b"sensor", b"TH1"]]


class FakeRedis(Reader):
    """Answers each command with one series of one point, or not at all."""

    def __init__(self) -> None:
        self.away = False
        self.value = b"1"

    def ask(self, commands: Sequence[Sequence[str]]) -> list[Any]:
        if self.away:
            raise RedisAwayError("away")
        return [self._answer(words) for words in commands]

    def _answer(self, words: Sequence[str]) -> Any:
        point = [1577836800000, self.value]
        return [[b"site=home", LABELS, point if words[0] == "ts.mget" else [point]]]


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> FakeRedis:
    monkeypatch.setattr("board.feed.SHORTEST", 0.0)
    monkeypatch.setattr("board.feed.SHARE", 0)
    return FakeRedis()


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(scene(), 30))


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - readings happen by themselves
        await asyncio.sleep(0)


def readings() -> int:
    """How many go on."""
    return sum(task.get_name() == READING for task in asyncio.all_tasks())


def test_pages_that_show_the_same_share_a_reading_and_without_pages_there_is_none(redis: FakeRedis) -> None:
    async def scene() -> None:
        feeds = Feeds(redis, DASHBOARDS)
        one: list[Seen] = []
        two: list[Seen] = []
        leave_one = feeds.follow(WANTED, one.append)
        await until(lambda: len(one) > 2)
        leave_two = feeds.follow(WANTED, two.append)
        assert two == [one[-1]]
        assert readings() == len(feeds._feeds) == 1
        await until(lambda: len(two) > 2)
        leave_one()
        seen = len(one)
        await until(lambda: len(two) > 5)
        assert len(one) == seen
        leave_two()
        leave_two()
        assert len(feeds._feeds) == 0
        await until(lambda: readings() == 0)

    run(scene)


def test_another_site_is_another_reading(redis: FakeRedis) -> None:
    async def scene() -> None:
        feeds = Feeds(redis, DASHBOARDS)
        ends = [feeds.follow(WANTED, print), feeds.follow(Wanted("pipeline", "x", WANTED.range, 1280), print)]
        assert readings() == len(feeds._feeds) == 2
        for end in ends:
            end()

    run(scene)


def test_without_redis_the_last_data_stay_and_it_goes_on_by_itself(redis: FakeRedis) -> None:
    async def scene() -> None:
        feeds, seen = Feeds(redis, DASHBOARDS), list[Seen]()
        leave = feeds.follow(WANTED, seen.append)
        await until(lambda: bool(seen))
        before = seen[-1]
        assert (before.error, before.sites) == ("", ("home",))
        redis.away = True
        await until(lambda: bool(seen[-1].error))
        assert (seen[-1].error, seen[-1].panels) == ("away", before.panels)
        redis.away, redis.value = False, b"2"
        await until(lambda: not seen[-1].error)
        assert seen[-1].panels != before.panels
        leave()

    run(scene)


def test_a_panel_on_a_phone_has_the_whole_width() -> None:
    panel = DASHBOARDS["house"].panels[0]
    assert pixels(panel, 1280) == 1280 // 3 - 80
    assert pixels(panel, 480) == 400
