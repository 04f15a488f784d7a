"""The page in a browser: what it shows is what Redis holds, now."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Locator, Page, expect

from grafana_provisioning.seven import CHARTS, TABLES
from tests.board.conftest import House, Window
from tests.running import wait_for
from topics.series import AGG_DAY, RAW, Series

DAYS = "?from=2019-12-23&to=2020-01-31"
HALF_A_DAY = 43_200_000
EMPTY = "no points in this time range"
FACTORS = {"": 1.0, "Wh": 1.0, "kWh": 1e3, "MWh": 1e6, "L": 1.0, "mL": 1e-3, "°C": 1.0}


def panel(page: Page, title: str) -> Locator:
    return page.get_by_role("region", name=title, exact=True)


def drawn(chart: Locator) -> list[list[float]]:
    """The points that ECharts has, of the first series."""
    found: list[list[float]] = chart.evaluate("el => getElement(el.id.slice(1)).chart.getOption().series[0].data")
    return found


def number(text: str) -> float:
    value, _, unit = text.partition(" ")
    return float(value) * FACTORS[unit]


def as_shown(value: float) -> Any:
    """Three digits are shown."""
    return pytest.approx(value, rel=5.1e-3)


def rows(region: Locator) -> list[list[str]]:
    shown = region.locator("tbody.q-virtual-scroll__content tr")
    shown.first.wait_for()
    found: list[list[str]] = shown.evaluate_all(
        "rows => rows.map(row => [...row.querySelectorAll('td')].map(cell => cell.innerText))"
    )
    return found


def test_each_of_the_seven_panels_shows_what_redis_holds(house: House, window: Window) -> None:
    page = window.open(DAYS)
    for view in CHARTS:
        points = house.held[Series(view.kind, "home", view.sensor)]
        chart = panel(page, view.title).locator(".board-chart")
        expect(chart).to_have_attribute("aria-label", re.compile(rf"{view.sensor}: {len(points)} points"))
        chart.locator("canvas").wait_for()
        behind = 0 if view.kind == RAW else HALF_A_DAY
        assert drawn(chart) == [[at + behind, value] for at, value in sorted(points.items())]

        button = panel(page, view.title).get_by_role("button", name="values as a table")
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        newest = sorted(points.items(), reverse=True)
        shown = rows(panel(page, view.title))
        assert len(shown) > 3
        for (_, text), (_, value) in zip(shown, newest, strict=False):
            assert number(text) == as_shown(value)
    for view in TABLES:
        newest = sorted(house.held[Series(view.kind, "home", view.sensor)].items(), reverse=True)
        shown = rows(panel(page, view.title))
        assert len(shown) > 3
        for (_, text), (_, value) in zip(shown, newest, strict=False):
            assert number(text) == as_shown(value)


def test_a_late_correction_appears_without_reloading(house: House, window: Window) -> None:
    page = window.open(DAYS)
    series = Series(AGG_DAY, "home", "HVAC1")
    chart = panel(page, "AggDayHVAC1").locator(".board-chart")
    chart.locator("canvas").wait_for()
    page.evaluate("window.opened = 1")
    day, before = sorted(house.held[series].items())[3]
    house.write(series, day, before + 1000)
    house.held[series][day] = before + 1000
    expected = [[at + HALF_A_DAY, value] for at, value in sorted(house.held[series].items())]
    wait_for(lambda: drawn(chart) == expected, "the correction")
    assert page.evaluate("window.opened") == 1


def test_an_empty_series_is_said_to_be_empty(window: Window) -> None:
    page = window.open("?from=2023-01-01&to=2023-02-01")
    for view in (*CHARTS, *TABLES):
        expect(panel(page, view.title).get_by_text(EMPTY)).to_be_visible()
    assert page.locator("canvas").count() == 0


def test_a_redis_that_is_stopped_is_said_to_be_and_comes_back(house: House, window: Window) -> None:
    page = window.open(DAYS)
    panel(page, "AggDayHVAC1").locator("canvas").wait_for()
    with house.without_redis():
        banner = page.get_by_role("alert")
        expect(banner).to_contain_text("Redis does not answer at redis://127.0.0.1")
        expect(banner).to_contain_text("IOT_REDIS")
        expect(panel(page, "AggDayHVAC1")).to_have_class(re.compile("board-stale"))
        assert panel(page, "AggDayHVAC1").locator("canvas").count()
        page.reload()
        expect(panel(page, "AggDayHVAC1")).to_contain_text("no data: Redis does not answer")
        expect(page.get_by_role("alert")).to_contain_text("IOT_REDIS")
    expect(page.get_by_role("alert")).to_be_hidden()
    panel(page, "AggDayHVAC1").locator("canvas").wait_for()
    expect(panel(page, "AggDayHVAC1")).not_to_have_class(re.compile("board-stale"))


@contextmanager
def another_site(house: House, name: str) -> Iterator[None]:
    with house.admin() as redis:
        labels = ["LABELS", "site", name, "sensor", "TH1", "series", "raw", "unit", "°C"]
        redis.execute_command("TS.ADD", "odd", 1577836800000, 21.5, *labels)
        try:
            yield
        finally:
            redis.delete("odd")


def choose(page: Page, site: str) -> None:
    page.get_by_label("House", exact=True).click()
    page.get_by_role("option", name=site, exact=True).click()


def test_a_name_from_redis_is_text(house: House, window: Window) -> None:
    name = "<b>a house</b>"
    with another_site(house, name):
        page = window.open(DAYS + "&dashboard=pipeline")
        choose(page, name)
        newest = panel(page, "Newest reading of each sensor")
        expect(newest).to_contain_text("21.5")
        chart = panel(page, "Readings received, each hour").locator(".board-chart")
        expect(chart).to_have_attribute("aria-label", re.compile(re.escape(f"{name}: 1 points")))
        page.reload()
        expect(newest).to_contain_text("21.5")
        assert page.locator("b", has_text="a house").count() == 0


@pytest.mark.parametrize("name", [
    "<img src=x onerror=window.hacked=1>",
    "`${window.hacked=1}</script><script>window.hacked=1</script>",
])  # fmt: skip
def test_a_name_is_no_script(house: House, window: Window, name: str) -> None:
    with another_site(house, name):
        page = window.open(DAYS)
        choose(page, name)
        # RedisTimeSeries finds no value that has a = in it.
        expect(panel(page, "Etot raw").get_by_text(EMPTY)).to_be_visible()
        window.open("?" + urlencode({"site": name}))
        expect(panel(page, "Etot raw").get_by_text(EMPTY)).to_be_visible()
        assert page.evaluate("window.hacked") is None


def test_it_is_used_by_keyboard(window: Window) -> None:
    page = window.open(DAYS)
    panel(page, "AggDayHVAC1").locator("canvas").wait_for()
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the panels"
    page.keyboard.press("Tab")
    assert "House" in focused(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(panel(page, "Readings received, each hour")).to_be_visible()
    assert "dashboard=pipeline" in page.url
    page.reload()
    panel(page, "Readings received, each hour").locator("canvas").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    description = "Readings of all 10 sensors by the hour"
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith(description)
    expect(panel(page, "Readings received, each hour").get_by_text(description)).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    rows(panel(page, "Readings received, each hour"))
    assert focused(page) == "chart"
    assert "2px" in page.evaluate("getComputedStyle(document.activeElement).boxShadow")


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.innerText"))


@pytest.mark.parametrize("window", [{"viewport": {"width": 375, "height": 800}}], indirect=True)
def test_a_phone_needs_no_scrolling_sideways(window: Window) -> None:
    for query, title in ((DAYS, "Etot raw"), (DAYS + "&dashboard=pipeline", "Readings received, each hour")):
        page = window.open(query)
        panel(page, title).locator("canvas").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        lefts = {round(box["x"]) for each in page.locator("section").all() if (box := each.bounding_box())}
        assert len(lefts) == 1


@pytest.mark.parametrize("window", [{"color_scheme": "dark"}], indirect=True)
def test_it_is_dark_when_the_system_is_and_a_choice_is_kept(window: Window) -> None:
    page = window.open(DAYS)
    panel(page, "Etot raw").locator("canvas").wait_for()
    assert ground(page) < 60
    page.get_by_role("button", name="Theme: auto").click()
    wait_for(lambda: ground(page) > 200, "a light page")
    page.goto(window.url)
    expect(page.get_by_role("button", name="Theme: light")).to_be_visible()
    wait_for(lambda: ground(page) > 200, "a light page")


def ground(page: Page) -> int:
    """How bright the page is, 0 to 255."""
    color = str(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    return int(re.findall(r"\d+", color)[0])


def test_a_range_that_follows_the_newest_data_and_points_put_together(house: House, window: Window) -> None:
    page = window.open("?from=newest-2d&to=newest")
    raw = panel(page, "Temperature, raw")
    newest = max(house.held[Series(RAW, "home", "TH1")])
    last_day = newest // (2 * HALF_A_DAY) * 2 * HALF_A_DAY
    expected = [
        [at, v] for at, v in sorted(house.held[Series(RAW, "home", "TH1")].items()) if at >= last_day - 2 * HALF_A_DAY
    ]
    raw.locator("canvas").wait_for()
    assert drawn(raw.locator(".board-chart")) == expected
    assert "mean" not in raw.inner_text()
    page.get_by_label("From", exact=True).fill("2019-12-01")
    page.get_by_label("To", exact=True).fill("2020-03-31")
    expect(raw.locator(".board-note")).to_contain_text("mean of")
    width = raw.locator("canvas").first.evaluate("c => c.clientWidth")
    assert len(drawn(raw.locator(".board-chart"))) <= width
    assert "from=2019-12-01" in page.url


def test_the_help_needs_no_network(window: Window) -> None:
    page = window.open("docs")
    expect(page.get_by_role("heading", name="GET /api/range")).to_be_visible()
