"""A malformed setting says what it must be; one that there is not says which one may be meant."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure.home import ROOT
from infrastructure.settings import Settings
from infrastructure.wrong_settings import OTHERS
from scripts.containers.passwords import filled
from topics.errors import UserError

MALFORMED = {
    ("IOT_PARTITIONS", "none"): "must be a whole number (it is 'none')",
    ("IOT_PARTITIONS", "1.5"): "must be a whole number (it is '1.5')",
    ("IOT_PARTITIONS", "0"): "must be at least 1 (it is '0')",
    ("IOT_PARTITIONS", "10001"): "must be at most 10,000 (it is '10001')",
    ("IOT_JOB_METRICS", "70000"): "must be at most 65,535 (it is '70000')",
    ("IOT_SETTLE", "2 s"): "must be a duration: a number of seconds, or ISO 8601 as PT90S or P2DT10S (it is '2 s')",
    ("IOT_SETTLE", "0"): "must be longer than zero (it is '0')",
    ("IOT_KAFKA_MECHANISM", "PLAIN"): "must be SCRAM-SHA-512 or SCRAM-SHA-256 (it is 'PLAIN')",
    ("IOT_LOG_FORMAT", "JSON"): "must be text or json (it is 'JSON')",
    ("IOT_PREFIX", "a b"): "must be at most 64 letters, digits, and characters of _.- (it is 'a b')",
    ("IOT_KAFKA_USER", "a/b"): "must be at most 64 letters, digits, and characters of _.@- (it is 'a/b')",
    ("IOT_KAFKA_HEAP", "1G"): "must be a size in MiB or GiB, as 512m or 1g (it is '1G')",
    ("IOT_KAFKA", "there"): (
        "must be HOST:PORT, or several of them with commas between, as 127.0.0.1:9092 (it is 'there')"
    ),
    ("IOT_FLINK", "there:8081"): (
        "must be an address as http://HOST:PORT, without user and password (it is 'there:8081')"
    ),
    ("IOT_FLINK", "http://there:99999"): (
        "its port must be a number up to 65,535: give it as http://HOST:PORT (it is 'http://there:99999')"
    ),
    ("IOT_FLINK", "http://me:secret@there"): "must be an address as http://HOST:PORT, without user and password",
    ("IOT_GRAFANA", "http://me:secret@there"): "must be an address as http://HOST:PORT, without user and password",
    ("IOT_REDIS", "redis://there:x/0"): (
        "its port must be a number up to 65,535: give it as redis://HOST:PORT/0, or rediss://HOST:PORT/0 with TLS"
    ),
    ("IOT_BOARD", "8000"): "must be an address as http://127.0.0.1:8000, or empty (it is '8000')",
    ("IOT_BOARD_HOSTS", "a, b"): "must be names of hosts with commas between (it is 'a, b')",
    ("IOT_METRICS_HOST", "http://there"): (
        "must be an address to listen on, as 127.0.0.1, without http:// and path (it is 'http://there')"
    ),
    ("IOT_GRAFANA_REDIS", "redis"): "must be HOST:PORT, or empty (it is 'redis')",
}


@pytest.fixture(autouse=True)
def _nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("IOT_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("setting", MALFORMED, ids="=".join)
def test_a_malformed_setting_says_what_it_must_be(monkeypatch: pytest.MonkeyPatch, setting: tuple[str, str]) -> None:
    name, value = setting
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError) as error:
        Settings.of(env_file=None)
    assert str(error.value) == f"{name}: {MALFORMED[setting]}"


def of_file(directory: Path, text: str) -> Settings:
    (directory / ".env").write_text(text, encoding="utf-8")
    return Settings.of(env_file=str(directory / ".env"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("IOT_PARTITION=4", "IOT_PARTITION is no setting, and does nothing: is IOT_PARTITIONS meant?"),
        ("iot_prefx=a.", "IOT_PREFX is no setting, and does nothing: is IOT_PREFIX meant?"),
        (
            "IOT_WINDOWS_OF_TIME=1",
            "IOT_WINDOWS_OF_TIME is no setting, and does nothing: docs/reference/settings.md has every one",
        ),
    ],
)
def test_a_setting_that_there_is_not_is_an_error_in_the_file(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        of_file(tmp_path, f"IOT_PARTITIONS=3\n{line}\n")
    assert str(error.value) == f"{tmp_path / '.env'}: {said}"


def test_the_file_of_docker_compose_is_one_for_the_local_stack_too(tmp_path: Path) -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8").replace("# IOT_PARALLELISM=2", "IOT_PARALLELISM=3")
    assert of_file(tmp_path, filled(example)).job.parallelism == 3
    assert of_file(tmp_path, "".join(f"{name}=x\n" for name in OTHERS)).flat() == Settings.of(env_file=None).flat()


def test_a_line_that_is_no_setting_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        of_file(tmp_path, "IOT_PARTITIONS=3\n\n# of mine\nIOT_PARALLELISM 3\n")
    assert str(error.value) == f"{tmp_path / '.env'}, line 4: give a setting as IOT_NAME=value"


def test_a_file_that_is_not_utf_8_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"IOT_PREFIX=\xff\n")
    with pytest.raises(UserError, match=r"\.env cannot be read as UTF-8"):
        Settings.of(env_file=str(tmp_path / ".env"))


LOAD = "from infrastructure.settings import load_settings; load_settings(); print(load_settings().partitions)"


def loaded(directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run([sys.executable, "-c", LOAD], cwd=directory, env=given, capture_output=True, text=True)


def test_a_setting_that_there_is_not_is_a_warning_in_the_environment(tmp_path: Path) -> None:
    done = loaded(tmp_path, IOT_PARTITION="4", IOT_HOME=str(tmp_path), IOT_PARTITIONS="3")
    assert (done.returncode, done.stdout) == (0, "3\n")
    assert done.stderr == "warning: IOT_PARTITION is no setting, and does nothing: is IOT_PARTITIONS meant?\n"


def test_a_process_that_writes_json_warns_in_json(tmp_path: Path) -> None:
    done = loaded(tmp_path, IOT_PARTITION="4", IOT_LOG_FORMAT="json")
    (line,) = done.stderr.splitlines()
    assert json.loads(line)["level"] == "warning"
    assert json.loads(line)["message"].startswith("IOT_PARTITION is no setting")


def test_a_process_that_is_handed_its_settings_is_not_warned(tmp_path: Path) -> None:
    assert loaded(tmp_path, **Settings.of(env_file=None).environment()).stderr == ""
