"""Pushing into a Grafana over HTTP: what is there afterwards, twice, and what a user hears when it fails."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from commands.grafana import DIRECTORY, app
from grafana_provisioning.push import PushError
from infrastructure.home import ROOT
from scripts.stack.apart import free_ports
from tests.grafana_provisioning.grafana_server import TOKEN, FakeGrafana, serving
from topics.errors import UserError

PASSWORD = "only-for-secureJsonData"
FILES = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in DIRECTORY.glob("*.json")}


@pytest.fixture
def grafana(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeGrafana]:
    """An empty Grafana, in the environment of the command."""
    with serving(FakeGrafana()) as running:
        monkeypatch.chdir(tmp_path)  # no .env
        for name in [name for name in os.environ if name.startswith("IOT_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("IOT_GRAFANA", running.url)
        monkeypatch.setenv("IOT_GRAFANA_TOKEN", TOKEN)
        monkeypatch.setenv("IOT_REDIS_VIEWER_PASSWORD", PASSWORD)
        monkeypatch.setenv("IOT_DATA_DIR", str(tmp_path))
        yield running


def push(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["push", *arguments])


def pushed(*arguments: str) -> str:
    result = push(*arguments)
    assert result.exit_code == 0, result.exception
    return result.output


def refused(*arguments: str) -> str:
    result = push(*arguments)
    assert isinstance(result.exception, UserError), (result.output, result.exception)
    return str(result.exception)


def state(grafana: FakeGrafana) -> dict[str, Any]:
    return deepcopy({"folders": grafana.folders, "dashboards": grafana.dashboards})


def test_everything_is_there_afterwards(grafana: FakeGrafana) -> None:
    said = pushed()
    assert "data source IoT Redis: created" in said
    assert "Grafana reads Redis" in said
    assert f"{grafana.url}/d/iot-house" in said
    [source] = grafana.data_sources.values()
    assert (source["uid"], source["type"], source["url"]) == ("iot-redis", "redis-datasource", "redis://127.0.0.1:6379")
    assert source["jsonData"]["acl"] is True
    assert source["jsonData"]["user"] == "viewer"
    assert source["jsonData"]["tlsAuth"] is False
    assert grafana.folders["iot"]["title"] == "IoT"
    assert {held["dashboard"]["uid"] for held in grafana.dashboards.values()} == {"iot-house", "iot-pipeline"}
    for held in grafana.dashboards.values():
        assert held["meta"]["folderUid"] == "iot"
        stored = {name: value for name, value in held["dashboard"].items() if name not in {"id", "version"}}
        assert stored in FILES.values()


def test_the_second_time_changes_nothing(grafana: FakeGrafana) -> None:
    pushed()
    before = state(grafana)
    said = pushed()
    assert state(grafana) == before
    assert "folder IoT: unchanged" in said
    assert "dashboard House: unchanged" in said
    assert len(grafana.data_sources) == 1


def test_a_new_password_and_address_reach_the_data_source(
    grafana: FakeGrafana, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed()
    monkeypatch.setenv("IOT_REDIS_VIEWER_PASSWORD", "another-one")
    assert "data source IoT Redis: updated" in pushed("--redis", "redis:6380")
    [source] = grafana.data_sources.values()
    assert source["secureJsonData"] == {"password": "another-one"}
    assert source["url"] == "redis://redis:6380"


def test_what_was_changed_by_hand_is_brought_back(grafana: FakeGrafana) -> None:
    pushed()
    grafana.dashboards["iot-house"]["dashboard"]["panels"][0]["title"] = "mine"
    grafana.dashboards["iot-pipeline"]["meta"]["folderUid"] = "elsewhere"
    grafana.folders["iot"]["title"] = "My things"
    said = pushed()
    assert "dashboard House: updated" in said
    assert "dashboard Pipeline: updated" in said
    assert "folder IoT: renamed" in said
    assert grafana.dashboards["iot-house"]["dashboard"]["panels"][0]["title"] == "Etot raw"
    assert grafana.dashboards["iot-pipeline"]["meta"]["folderUid"] == "iot"


def test_secrets_are_in_secure_json_data_and_nowhere_else(grafana: FakeGrafana) -> None:
    said = pushed()
    [source] = grafana.data_sources.values()
    assert source.pop("secureJsonData") == {"password": PASSWORD}
    seen = said + json.dumps(state(grafana)) + json.dumps(source) + " ".join(grafana.calls)
    assert PASSWORD not in seen
    assert TOKEN not in seen


def test_no_call_has_a_number_for_a_name(grafana: FakeGrafana) -> None:
    pushed()
    pushed()
    assert not [call for call in grafana.calls if re.search(r"/\d+(/|$)", call)]


def test_what_is_provisioned_from_files_is_left_alone(grafana: FakeGrafana) -> None:
    pushed()
    grafana.data_sources["iot-redis"]["readOnly"] = True
    grafana.dashboards["iot-house"]["meta"]["provisioned"] = True
    said = pushed()
    assert "data source IoT Redis: is provisioned from files" in said
    assert "dashboard House: is provisioned from files" in said


def test_grafana_behind_a_path(monkeypatch: pytest.MonkeyPatch, grafana: FakeGrafana) -> None:
    monkeypatch.setenv("IOT_GRAFANA", "http://unused")
    with serving(FakeGrafana(path="/monitoring/grafana")) as behind:
        pushed("--url", f"{behind.url}/")
        assert behind.dashboards
        assert "is the path missing" in refused("--url", f"http://127.0.0.1:{behind.port}")
    assert not grafana.calls


def test_a_token_from_a_file(grafana: FakeGrafana, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("IOT_GRAFANA_TOKEN")
    assert "there is no token" in refused()
    file = tmp_path / "token"
    assert "cannot be read" in refused("--token-file", str(file))
    file.write_text(f"{TOKEN}\n")
    pushed("--token-file", str(file))
    file.write_text("\n")
    assert "there is no token" in refused("--token-file", str(file))
    file.write_text("two\nlines")
    assert "one line" in refused("--token-file", str(file))
    pushed("--token", TOKEN)
    assert grafana.dashboards


def test_the_password_of_redis_from_its_file(
    grafana: FakeGrafana, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("IOT_REDIS_VIEWER_PASSWORD")
    assert "IOT_REDIS_VIEWER_PASSWORD" in refused()
    assert not grafana.calls
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "redis_viewer_password").write_text("from-a-file")
    pushed()
    assert grafana.data_sources["iot-redis"]["secureJsonData"] == {"password": "from-a-file"}


def test_a_wrong_token(grafana: FakeGrafana) -> None:
    said = refused("--token", "glsa_another")
    assert "401" in said
    assert "Service accounts" in said
    assert "glsa_another" not in said
    assert state(grafana) == {"folders": {}, "dashboards": {}}


def test_a_token_without_the_right(grafana: FakeGrafana) -> None:
    grafana.role = "Viewer"
    said = refused()
    assert "403" in said
    assert "role Admin" in said


@pytest.mark.parametrize(
    ("status", "message", "advice"),
    [
        (400, "bad request data", "bad request data"),
        (404, "Not found", "is the path missing"),
        (412, "The dashboard has been changed by someone else", "push again"),
        (500, "database is locked", "its log"),
        (502, "Bad Gateway", "its log"),
    ],
)
def test_a_refusal_says_what_to_do(grafana: FakeGrafana, status: int, message: str, advice: str) -> None:
    grafana.fault = ("POST", status, message)
    said = refused()
    assert str(status) in said
    assert message in said
    assert advice in said


def test_a_uid_that_is_taken(grafana: FakeGrafana) -> None:
    pushed()
    grafana.data_sources["iot-redis"]["name"] = "renamed by hand"
    said = refused()
    assert "409" in said
    assert "taken by something else" in said


def test_a_data_source_of_that_name_which_is_another(grafana: FakeGrafana) -> None:
    pushed()
    grafana.data_sources["iot-redis"]["uid"] = "by-hand"
    before = deepcopy(grafana.data_sources)
    assert "rename or delete it" in refused()
    assert grafana.data_sources == before


@pytest.mark.parametrize("version", ["8.5.27", "7.0.0"])
def test_a_grafana_that_is_too_old(grafana: FakeGrafana, version: str) -> None:
    grafana.version = version
    said = refused()
    assert version in said
    assert "too old" in said
    assert grafana.calls == ["GET /api/health"]


@pytest.mark.parametrize("version", ["9.0.0", "11.6.4+security-01", "12.2.0", "13.0.1-pre", None])
def test_other_versions_are_taken_and_new_ones_named(grafana: FakeGrafana, version: str | None) -> None:
    grafana.version = version
    assert ("not known to load" in pushed()) == bool(version and version.startswith(("12", "13")))


def test_a_data_source_that_does_not_work(grafana: FakeGrafana) -> None:
    grafana.well = False
    said = refused()
    assert "WRONGPASS" in said
    assert "password of the user viewer" in said
    grafana.well, grafana.plugin = True, False
    assert "plugins install redis-datasource 2.2.0" in refused()
    assert grafana.dashboards


def test_nobody_answers(grafana: FakeGrafana) -> None:
    [port] = free_ports(1)
    said = refused("--url", f"http://127.0.0.1:{port}")
    assert f"no Grafana answers at http://127.0.0.1:{port}" in said
    assert not grafana.calls


@pytest.mark.parametrize("url", ["127.0.0.1:3000", "ftp://127.0.0.1", "http://admin:admin@127.0.0.1:3000", "http://"])
def test_what_is_no_address(grafana: FakeGrafana, url: str) -> None:
    assert "IOT_GRAFANA" in refused("--url", url) or "not the address" in refused("--url", url)
    assert not grafana.calls


def test_redis_with_tls_needs_its_authority(grafana: FakeGrafana, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOT_REDIS", "rediss://127.0.0.1:6379/0")
    assert "--redis-ca" in refused()
    monkeypatch.setenv("IOT_REDIS", "redis://127.0.0.1:6379/0")
    assert "--redis-ca" in refused("--redis-certificate", "/nowhere")
    assert not grafana.calls


def test_the_command_ends_as_the_others_do(grafana: FakeGrafana) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "IOT_GRAFANA_TOKEN": "wrong"}
    done = subprocess.run(
        [sys.executable, "-m", "grafana_provisioning", "push"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: Grafana at")
    assert "Traceback" not in done.stderr
    assert issubclass(PushError, UserError)
    assert grafana.calls
