"""The steps that containers run: configuration and passwords, the job, health checks, a .env of one's own."""

from __future__ import annotations

import json
import re
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infrastructure.home import ROOT
from infrastructure.passwords import USABLE, password_of
from infrastructure.settings import Settings
from jobs import cluster
from jobs.daily_aggregates import SPEC
from scripts.containers import __main__ as steps
from scripts.containers import health, passwords
from scripts.stack import access
from scripts.stack.apart import free_ports
from scripts.stack.supervision import Stack
from tests.running import wait_for
from tests.scripts.containers.compose_file import given
from topics.errors import UserError


def environment(settings: Settings) -> dict[str, str]:
    return settings.environment()


@pytest.fixture
def given_passwords(tmp_path: Path) -> Settings:
    """Settings of the container that configures, with its passwords."""
    settings = Settings.of(env_file=None, data_dir=tmp_path / "data", secrets=tmp_path / "given")
    access.make_secrets(settings)
    return settings


def test_servers_get_their_configuration_and_clients_their_passwords_alone(given_passwords: Settings) -> None:
    for _ in range(2):
        done = CliRunner().invoke(steps.app, ["configure"], env=environment(given_passwords))
        assert done.exit_code == 0, done.output
    secrets = given_passwords.data_dir / "secrets"
    assert {file.name: file.read_text() for file in secrets.iterdir()} == {
        name: password_of(given_passwords, name) for name in steps.CLIENTS
    }
    files = [file for file in given_passwords.data_dir.rglob("*") if file.is_file()]
    assert len(files) == 7 + len(steps.CLIENTS)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    acl = (given_passwords.data_dir / "run" / "redis" / "redis.acl").read_text()
    assert "user default off" in acl
    assert password_of(given_passwords, "redis_admin_password") not in acl


@pytest.mark.parametrize("step", ["configure", "grant"])
def test_every_password_that_is_missing_is_named(step: str, given_passwords: Settings) -> None:
    (given_passwords.secrets_dir / "kafka_admin_password").unlink()
    (given_passwords.secrets_dir / "redis_viewer_password").write_text("")
    with pytest.raises(UserError, match=r"^IOT_KAFKA_ADMIN_PASSWORD, IOT_REDIS_VIEWER_PASSWORD in \.env must be"):
        CliRunner().invoke(steps.app, [step], env=environment(given_passwords), catch_exceptions=False)
    assert not given_passwords.data_dir.exists()


# .env


def test_each_password_is_made_and_can_be_used(tmp_path: Path) -> None:
    assert passwords.main(tmp_path) == 0
    file = tmp_path / ".env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = dict(re.findall(r"^(\w+)=(.*)$", file.read_text(), re.MULTILINE))
    assert found.keys() == given().keys()
    assert {name for name in found if name.endswith("PASSWORD")} >= {f"IOT_{name.upper()}" for name in access.PASSWORDS}
    made = [value for name, value in found.items() if name.endswith("PASSWORD")]
    assert len(set(made)) == len(made) == 6
    for value in made:
        assert USABLE.fullmatch(value)
        assert "$" not in value  # Compose would look for a variable
        assert len(value) > 40


def test_a_file_that_is_there_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / ".env").write_text("IOT_PREFIX=mine.")
    assert passwords.main(tmp_path) == 1
    assert (tmp_path / ".env").read_text() == "IOT_PREFIX=mine."
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize("script", ["passwords", "health"])
def test_scripts_that_any_python_runs_need_no_package(script: str) -> None:
    code = f"import runpy; runpy.run_path({str(ROOT / 'scripts' / 'containers' / script)!r} + '.py')"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# Health


@contextmanager
def server(status: int, body: object) -> Iterator[str]:
    """Something that answers every GET alike; its port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield str(running.server_port)
        running.shutdown()
        thread.join()


def known(address: str) -> dict[str, object]:
    """What a JobManager says that knows one TaskManager there."""
    return {"taskmanagers": [{"id": "1", "path": f"pekko.tcp://flink@{address}:43211/user/rpc/taskmanager_0"}]}


@pytest.mark.parametrize(
    ("check", "status", "body", "well"),
    [
        (["answers", "/health"], 200, {}, True),
        (["answers", "/health"], 503, {}, False),
        (["registered"], 200, known("192.0.2.7"), True),
        (["registered"], 200, known("192.0.2.77"), False),
        (["registered"], 200, {"taskmanagers": []}, False),
        (["registered"], 503, {"errors": []}, False),
    ],
)
def test_health_is_what_the_server_says(
    check: list[str], status: int, body: object, well: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostbyname", lambda _: "192.0.2.7")
    with server(status, body) as port:
        name, *rest = check
        assert health.main([name, "127.0.0.1", port, *rest]) == (0 if well else 1)


def test_what_is_not_well_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with server(503, {"status": "not well", "reasons": ["Redis is away"]}) as port:
        assert health.main(["answers", "127.0.0.1", port, "/health"]) == 1
    assert "Redis is away" in capsys.readouterr().out


def test_what_does_not_listen_is_not_well() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert health.main(["listens", str(listening.getsockname()[1])]) == 0
    (port,) = free_ports(1)
    for check in (["listens", str(port)], ["answers", "127.0.0.1", str(port), "/"]):
        assert health.main(check) == 1


# On the real stack


def test_the_job_is_submitted_once_and_goes_on(settings: Settings) -> None:
    first = CliRunner().invoke(steps.app, ["submit"], env=environment(settings), catch_exceptions=False)
    assert first.output.splitlines() == ["submitting the job", "the job runs"]
    job = cluster.find(settings, SPEC).id
    again = CliRunner().invoke(steps.app, ["submit"], env=environment(settings), catch_exceptions=False)
    assert again.output.splitlines() == ["the job runs"]
    assert cluster.find(settings, SPEC).id == job
    wait_for(lambda: cluster.last_checkpoint(settings, job), "a checkpoint")
    cluster.cancel(settings, job)
    after = CliRunner().invoke(steps.app, ["submit"], env=environment(settings), catch_exceptions=False)
    assert after.output.splitlines() == ["submitting the job from its newest checkpoint", "the job runs"]


def test_the_right_to_log_in_is_given_again(stack: Stack) -> None:
    done = CliRunner().invoke(steps.app, ["grant"], env=environment(stack.settings), catch_exceptions=False)
    assert done.output.splitlines() == ["iot may log in to Kafka"]


def test_a_taskmanager_is_well_when_the_jobmanager_knows_it(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    port = str(stack.settings.flink.port)
    assert health.main(["answers", "127.0.0.1", port, "/overview"]) == 0
    for own, code in (("127.0.0.1", 0), ("127.0.0.2", 1)):
        monkeypatch.setattr(socket, "gethostbyname", lambda _, own=own: own)
        assert health.main(["registered", "127.0.0.1", port]) == code
