"""The HTTP API: what it answers is what Redis holds; what is wrong is said in words."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
import requests

from board.api import described
from tests.board.conftest import House
from topics.series import AGG_DAY, RAW, Series

DAY = 86_400_000
START = 1_577_836_800_000


def get(house: House, path: str, **arguments: object) -> Any:
    answer = requests.get(f"{house.url}/api/{path}", params={k: str(v) for k, v in arguments.items()}, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(house: House, path: str, **arguments: object) -> tuple[int, str]:
    answer = requests.get(f"{house.url}/api/{path}", params={k: str(v) for k, v in arguments.items()}, timeout=30)
    return answer.status_code, answer.json()["error"]


def test_series_by_their_labels(house: House) -> None:
    every = get(house, "series")
    assert {each["key"] for each in every} == {series.key() for series in house.held}
    found = get(house, "series", site="site-0002", sensor="TH1", series="AggDay")
    labels = {"site": "site-0002", "sensor": "TH1", "series": "AggDay", "unit": "°C"}
    assert found == [{"key": "site-0002:AggDayTH1", "labels": labels}]
    assert {each["labels"]["unit"] for each in get(house, "series", unit="°C")} == {"°C"}
    assert [each["key"] for each in get(house, "series", prefix="again.")] == ["again.TH1"]


def test_latest_values(house: House) -> None:
    found = {each["key"]: (each["time"], each["value"]) for each in get(house, "latest", site="home")}
    assert found == {s.key(): max(points.items()) for s, points in house.held.items() if s.site == "home"}


def test_a_range_as_it_is_stored(house: House) -> None:
    points = house.held[Series(AGG_DAY, "home", "TH1")]
    found = get(house, "range", key="AggDayTH1", **{"from": "2020-01-02", "to": "2020-01-04"})
    wanted = [[at, v] for at, v in sorted(points.items()) if START + DAY <= at < START + 4 * DAY]
    assert found["points"] == wanted
    assert (found["aggregation"], found["from"], found["to"]) == (None, START + DAY, START + 4 * DAY - 1)


def test_a_range_in_buckets_is_what_pandas_computes(house: House) -> None:
    stored = pd.Series(house.held[Series(RAW, "home", "TH1")]).sort_index()
    for aggregation, of_pandas in (("avg", "mean"), ("max", "max"), ("sum", "sum"), ("count", "count")):
        found = get(house, "range", key="TH1", aggregation=aggregation, bucket=DAY, **{"from": "2020-01-01"})
        wanted = stored.groupby(stored.index // DAY * DAY).agg(of_pandas)
        assert [at for at, _ in found["points"]] == list(wanted.index)
        assert [value for _, value in found["points"]] == pytest.approx(list(wanted))


@pytest.mark.parametrize("most", [2, 5, 100, 1000])
def test_there_are_never_more_points_than_asked_for(house: House, most: int) -> None:
    found = get(house, "range", key="TH1", max_points=most)
    assert 0 < len(found["points"]) <= most
    assert found["aggregation"] == "avg"
    if most > 50:
        assert len(found["points"]) > most / 3


@pytest.mark.parametrize(
    ("path", "arguments", "status", "words"),
    [
        ("range", {"key": "nothing"}, 404, "/api/series lists them"),
        ("range", {}, 400, "key: Field required"),
        ("range", {"key": "TH1", "from": "yesterday"}, 400, "ISO 8601"),
        ("range", {"key": "TH1", "from": "2020-01-02", "to": "2020-01-01"}, 400, "before"),
        ("range", {"key": "TH1", "bucket": 1000}, 400, "needs an aggregation"),
        ("range", {"key": "TH1", "aggregation": "mean"}, 400, "aggregation"),
        ("range", {"key": "TH1", "aggregation": "avg", "bucket": 1}, 400, "wider bucket"),
        ("range", {"key": "TH1", "max_points": 1_000_000}, 400, "max_points"),
        ("range", {"key": "TH1 - + FILTER"}, 400, "key"),
        ("series", {"site": "home series=raw"}, 400, "site"),
        ("series", {"site": "(home,site-0002)"}, 400, "site"),
        ("latest", {"sensor": "a,b"}, 400, "sensor"),
        ("latest", {"prefix": "x)"}, 400, "prefix"),
        ("series", {"colour": "red"}, 400, "colour"),
        ("elsewhere", {}, 404, "/docs"),
    ],
)
def test_what_is_wrong_is_said(house: House, path: str, arguments: dict[str, object], status: int, words: str) -> None:
    code, said = refused(house, path, **arguments)
    assert (code, words in said) == (status, True), said


def test_without_redis_it_says_what_to_do(house: House) -> None:
    with house.without_redis():
        code, said = refused(house, "latest", site="home")
    assert code == 503
    assert "IOT_REDIS" in said
    assert get(house, "latest", site="home")


def test_health_is_whether_redis_gives_series(house: House) -> None:
    answer = requests.get(f"{house.url}/health", timeout=30)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    with house.without_redis():
        answer = requests.get(f"{house.url}/health", timeout=30)
    assert answer.status_code == 503
    assert "Redis does not answer at" in answer.json()["reasons"][0]
    with house.admin() as admin:
        admin.execute_command("ACL", "SETUSER", "viewer", "-ts.queryindex")
        refused = requests.get(f"{house.url}/health", timeout=30)
        admin.execute_command("ACL", "SETUSER", "viewer", "+ts.queryindex")
    assert refused.status_code == 503
    assert "refuses the user viewer" in refused.json()["reasons"][0]
    assert requests.get(f"{house.url}/health", timeout=30).status_code == 200


def test_it_answers_this_machine_alone(house: House) -> None:
    assert requests.get(house.url, headers={"Host": "elsewhere.example"}, timeout=30).status_code == 400
    strange = {"Origin": "http://elsewhere.example"}
    for path in ("api/series", "_nicegui_ws/socket.io/?EIO=4&transport=polling"):
        assert requests.get(f"{house.url}/{path}", headers=strange, timeout=30).status_code == 403
    wanted = {**strange, "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    wanted["Sec-WebSocket-Key"] = "AAAAAAAAAAAAAAAAAAAAAA=="
    socket = f"{house.url}/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
    assert requests.get(socket, headers=wanted, timeout=30).status_code == 403
    del wanted["Origin"]
    with requests.get(socket, headers=wanted, timeout=30, stream=True) as opened:
        assert opened.status_code == 101
    answer = requests.get(f"{house.url}/api/series", timeout=30)
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_it_is_described(house: House) -> None:
    schema = requests.get(f"{house.url}/openapi.json", timeout=30).json()
    assert list(schema["paths"]) == ["/api/series", "/api/latest", "/api/range"]
    text = described(schema)
    for name, path in schema["paths"].items():
        assert f"## GET {name}" in text
        assert all(each.get("description") for each in path["get"]["parameters"])
        assert {"200", "400", "503"} <= path["get"]["responses"].keys()
