"""The local stack: on loopback only, restarted when killed, and clear about what keeps it from starting."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

from infrastructure.home import ROOT
from infrastructure.settings import Settings
from iot.__main__ import app
from scripts.stack import access, checks, supervision
from scripts.stack.apart import settings_apart
from scripts.stack.checks import complaints
from scripts.stack.paths import Paths
from scripts.stack.processes import Process, processes, write_configuration
from scripts.stack.supervision import Stack, StackError
from tests.running import wait_for


@pytest.fixture
def elsewhere(tmp_path: Path) -> Settings:
    """Settings of a stack that is not running, on free ports."""
    return settings_apart(tmp_path)


def test_every_listening_socket_is_on_loopback(stack: Stack) -> None:
    listening = {
        (process["name"], connection.laddr.ip, connection.laddr.port)
        for process in stack.states()
        if process["pid"]
        for each in [psutil.Process(process["pid"]), *psutil.Process(process["pid"]).children(recursive=True)]
        for connection in each.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert {name for name, _, _ in listening} == {"kafka", "redis", "zookeeper", "jobmanager", "taskmanager"}
    settings = stack.settings
    assert {settings.kafka.port, settings.stack.kafka_controller_port, settings.redis.port, settings.flink.port} <= {
        port for _, _, port in listening
    }
    assert {ip.removeprefix("::ffff:") for _, ip, _ in listening} == {"127.0.0.1"}, listening


def test_what_a_killed_jvm_leaves_is_not_in_the_systems_temporary_directory(stack: Stack) -> None:
    """It unpacks libraries, and keeps files open: nobody deletes them when it is killed, but the next start does."""
    commands = {p["name"]: psutil.Process(p["pid"]).cmdline() for p in stack.states() if p["pid"]}
    jvms = {name: words for name, words in commands.items() if words[0].endswith("java")}
    assert jvms.keys() >= {"kafka", "zookeeper", "jobmanager", "taskmanager"}
    for name, words in jvms.items():
        there = [word for word in words if word.startswith("-Djava.io.tmpdir=")]
        assert there == [f"-Djava.io.tmpdir={stack.paths.temporary}"], name
        assert "-XX:-UsePerfData" in words, name


def test_a_start_deletes_what_killed_processes_have_left(elsewhere: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack(elsewhere)
    stack.paths.temporary.mkdir(parents=True)
    (stack.paths.temporary / "liblz4-java-1.so").touch()

    def no_further(*_: object) -> None:
        raise StackError("no further")

    monkeypatch.setattr(supervision, "missing", list)
    monkeypatch.setattr(supervision, "complaints", lambda _: ())
    monkeypatch.setattr(Stack, "_format_kafka", no_further)
    with pytest.raises(StackError, match="no further"):
        stack.up()
    assert not list(stack.paths.temporary.iterdir())


def test_up_is_idempotent(stack: Stack) -> None:
    before = [process["pid"] for process in stack.states()]
    stack.up()
    assert [process["pid"] for process in stack.states()] == before


def test_a_killed_process_comes_back(stack: Stack) -> None:
    before = stack.pid("redis")
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: stack.pid("redis") not in (0, before), "supervisor to start Redis again")
    stack.up()
    assert stack.state("redis") in {"STARTING", "RUNNING"}


def test_a_process_is_ready_when_it_serves_and_not_before(stack: Stack, elsewhere: Settings) -> None:
    assert [p.name for p in processes(elsewhere) if p.autostart and p.ready()] == []
    assert all(p.ready() for p in processes(stack.settings) if p.autostart)
    (redis,) = (p for p in processes(stack.settings) if p.name == "redis")
    try:
        stack.stop("redis")
        stack.stop("redis")
        assert stack.state("redis") == "STOPPED"
        assert not redis.ready()
    finally:
        stack.up()
    assert redis.ready()


def test_flink_is_started_with_the_configuration_of_the_stack_also_the_first_time(elsewhere: Settings) -> None:
    """Without it Flink's servers listen on the ports that it has by default."""
    assert not elsewhere.data_dir.joinpath("run").exists()
    servers = {p.name: p.environment for p in processes(elsewhere) if p.name in ("jobmanager", "taskmanager")}
    assert {each["FLINK_CONF_DIR"] for each in servers.values()} == {str(elsewhere.data_dir / "run" / "flink-conf")}
    assert len(servers) == 2


def test_a_second_stack_on_the_same_ports_is_refused(stack: Stack, tmp_path: Path) -> None:
    with pytest.raises(StackError, match=rf"port {stack.settings.kafka.port} for kafka is taken by java"):
        Stack(stack.settings.replace(data_dir=tmp_path)).up()
    assert not Stack(stack.settings.replace(data_dir=tmp_path)).running()


def test_a_taken_port_is_named_with_its_setting(elsewhere: Settings) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", elsewhere.redis.port))
        other.listen()
        (complaint,) = complaints(elsewhere)
    assert f"port {elsewhere.redis.port} for redis is taken by" in complaint
    assert "IOT_REDIS=redis://127.0.0.1:PORT/0" in complaint
    assert not list(complaints(elsewhere))


def test_short_memory_and_disk_are_told(elsewhere: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2**30))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**30))
    first, second = complaints(elsewhere)
    assert "1.0 GiB of memory are free and the stack wants 3" in first
    assert "IOT_DATA_DIR" in second


def test_a_path_too_long_for_a_socket_is_told(elsewhere: Settings, tmp_path: Path) -> None:
    (complaint,) = complaints(elsewhere.replace(data_dir=tmp_path / ("x" * 100)))
    assert "too long for a Unix socket" in complaint


def test_a_broker_elsewhere_wants_no_local_stack(elsewhere: Settings) -> None:
    broker = f"kafka.example:{elsewhere.kafka.port}"
    (complaint,) = complaints(elsewhere.replace(kafka=broker))
    assert f"IOT_KAFKA is {broker}" in complaint


@pytest.mark.parametrize(
    ("update", "said"),
    [
        ({"kafka_user": ""}, "IOT_KAFKA_USER is empty"),
        ({"kafka_user": "admin"}, "IOT_KAFKA_USER is admin"),
        ({"redis_viewer_user": "default"}, "IOT_REDIS_VIEWER_USER is default"),
        ({"redis_viewer_user": "ingest"}, "are the same"),
        ({"redis": "redis://127.0.0.1:{port}/1"}, "keeps series in database 0"),
        ({"kafka_ca": Path("ca.pem")}, "IOT_STACK_CERTIFICATE and IOT_KAFKA_CA go together"),
        ({"redis": "rediss://127.0.0.1:{port}/0"}, "IOT_STACK_CERTIFICATE and rediss:// in IOT_REDIS go together"),
        (
            {"stack_certificate": Path("it.pem"), "kafka_ca": Path("ca.pem"), "redis": "rediss://127.0.0.1:{port}/0"},
            "IOT_STACK_CERTIFICATE and IOT_REDIS_CA go together",
        ),
    ],
)
def test_logins_and_tls_that_the_local_stack_does_not_have(
    elsewhere: Settings, update: dict[str, Any], said: str
) -> None:
    if "redis" in update:
        update = {**update, "redis": update["redis"].format(port=elsewhere.redis.port)}
    (complaint,) = complaints(elsewhere.replace(**update))
    assert said in complaint


def test_a_stack_from_before_there_were_logins_says_how_to_get_them(
    elsewhere: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stack, "running", lambda _: True)
    with pytest.raises(StackError, match="started without logins: `iot down` first, then `iot up`"):
        Stack(elsewhere).up()


def test_reset_deletes_the_passwords_too(elsewhere: Settings) -> None:
    access.make_secrets(elsewhere)
    made = {file.name: file.read_text() for file in elsewhere.secrets_dir.iterdir()}
    assert len(set(made.values())) == len(access.PASSWORDS)
    assert all(len(password) >= 40 for password in made.values())
    access.make_secrets(elsewhere)
    assert {file.name: file.read_text() for file in elsewhere.secrets_dir.iterdir()} == made
    Stack(elsewhere).reset()
    assert not elsewhere.secrets_dir.exists()


@pytest.fixture
def supervisor(elsewhere: Settings) -> Iterator[Stack]:
    """A stack without processes, whose supervisor runs."""
    stack = Stack(elsewhere)
    for directory in (stack.paths.logs, stack.paths.run):
        directory.mkdir(parents=True)
    access.make_secrets(elsewhere)
    write_configuration(elsewhere, stack.paths, only=())
    configuration = str(stack.paths.run / "supervisord.conf")
    subprocess.run([sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "-c", configuration], check=True)
    wait_for(stack._answers, "the supervisor")
    yield stack
    stack.down()


def process(name: str, script: str) -> Process:
    return Process(name, ["/bin/sh", "-c", script], ready=lambda: False, memory=1)


def test_a_process_that_ends_whenever_it_is_started_is_told_before_the_wait_is_over(supervisor: Stack) -> None:
    broken = process("broken", "echo no such directory; exit 3")
    supervisor.add(broken)
    with pytest.raises(StackError, match=r"^broken ends whenever it is started(.|\n)*no such directory$"):
        supervisor._wait(broken.name, broken.ready, started=supervisor._started)


def test_a_process_that_comes_to_serve_at_its_third_start_is_waited_for(supervisor: Stack, tmp_path: Path) -> None:
    tries = tmp_path / "tries"
    supervisor.add(process("late", f"echo >> {tries}; [ $(wc -l < {tries}) -ge 3 ] && exec sleep 600"))
    supervisor._wait("late", lambda: supervisor.state("late") == "RUNNING", started=supervisor._started)
    assert len(tries.read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [("down", 0, "the stack is down"), ("status", 1, "the stack is down: `iot up` starts it")],
)
def test_the_commands_on_a_stack_that_is_down(elsewhere: Settings, command: str, code: int, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "iot", command],
        cwd=ROOT,
        env={**os.environ, **elsewhere.environment()},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_catalogue_is_told_before_anything_starts(elsewhere: Settings, tmp_path: Path) -> None:
    (tmp_path / "sensors.toml").write_text('[TH1]\nunit = "°C"\n')
    given = elsewhere.replace(sensors=tmp_path / "sensors.toml")
    done = subprocess.run(
        [sys.executable, "-m", "iot", "up"],
        cwd=ROOT,
        env={**os.environ, **given.environment()},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert f"{tmp_path}/sensors.toml, sensor TH1" in done.stderr
    assert not Stack(elsewhere).running()


def test_logs_of_a_process_that_there_is_not_names_those_that_there_are(
    elsewhere: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.settings.load_settings", lambda **_: elsewhere)
    logs = Paths.of(elsewhere).logs
    logs.mkdir(parents=True)
    for name in ("kafka", "ingest"):
        (logs / f"{name}.log").touch()
    refused = CliRunner().invoke(app, ["logs", "kafka", "redpanda"])
    assert str(refused.exception) == "there is no log of redpanda; there are those of ingest, kafka"


def test_reset_is_told_when_nobody_is_there_to_be_asked(elsewhere: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infrastructure.settings.load_settings", lambda **_: elsewhere)
    refused = CliRunner().invoke(app, ["reset"])
    assert str(refused.exception) == "nobody is there to be asked: --yes says yes beforehand"
    assert elsewhere.data_dir.exists()


def test_reset_asks(elsewhere: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infrastructure.settings.load_settings", lambda **_: elsewhere)
    refused = CliRunner().invoke(app, ["reset"], input="n\n")
    assert refused.exit_code == 1
    assert elsewhere.data_dir.exists()


def test_a_path_that_scripts_would_cut_is_told(
    elsewhere: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (complaint,) = complaints(elsewhere.replace(data_dir=tmp_path / "My 'data'"))
    assert "has ' ' \"'\" in it, which Flink's scripts do not take: set IOT_DATA_DIR to another" in complaint
    monkeypatch.setattr(checks, "ROOT", Path("/srv/the clone"))
    (complaint,) = complaints(elsewhere)
    assert "clone into another directory" in complaint
