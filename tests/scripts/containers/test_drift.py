"""docker-compose.yml runs what the local stack runs: commands, environments, settings, configuration, limits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from infrastructure.home import ROOT
from infrastructure.settings import Settings, variables
from jobs.tools import INSTALLED, flink_home, java_home
from scripts.stack import access
from scripts.stack.paths import Paths, redis_home
from scripts.stack.placement import Placement, containers, one_machine
from scripts.stack.processes import CONFIGURATION, Process, classpath, configure, processes
from tests.scripts.containers.compose_file import command, environment, mounts, ours, services, settings_of
from tests.scripts.containers.dockerfile import image_environment

PROCESSES = ("kafka", "redis", "zookeeper", "jobmanager", "taskmanager", "ingest", "exporter", "board")

PLACES = {
    # Each container has a /tmp of its own, which is empty when it starts.
    "/var/lib/iot/run/tmp": "/tmp",
    # In the application's image; the Dockerfile makes /opt/java and /opt/flink.
    str(java_home()): "/opt/java",
    str(flink_home()): "/opt/flink",
    str(INSTALLED.parent): "/opt/iot/.venv",
}
"""Where things are: here, and in the containers."""

ELSEWHERE = {
    "kafka": {f"{java_home()}/bin/java": "/opt/java/openjdk/bin/java", classpath(): "/opt/kafka/libs/*"},
    "redis": {f"{redis_home()}/bin/redis-server": "redis-server"},
}
"""The same in images that others make."""


def in_container(name: str, text: str) -> str:
    """A word of a command, or a value of an environment, with places here turned into those of the container."""
    for here, there in (ELSEWHERE.get(name, {}) | PLACES).items():
        text = text.replace(here, there)
    return "python" if text == "/opt/iot/.venv/bin/python" else text


def local(name: str, settings: Settings) -> Process:
    """What the local stack would run with the settings of a container."""
    (process,) = processes(settings, (name,))
    return process


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of every container that has settings."""
    return settings_of(services()["ingest"], monkeypatch)


def test_every_process_of_the_local_stack_is_a_service_and_what_is_more_is_known() -> None:
    here = {process.name for process in processes(Settings.of(env_file=None))}
    assert here == set(PROCESSES)
    assert services().keys() - here == {"configure", "format", "grant", "topics", "submit", "producer", "grafana"}


@pytest.mark.parametrize("name", PROCESSES)
def test_commands_are_the_same(name: str, inside: Settings) -> None:
    assert command(services()[name]) == [in_container(name, word) for word in local(name, inside).command]


@pytest.mark.parametrize("name", PROCESSES)
def test_limits_are_the_same(name: str, inside: Settings) -> None:
    process, service = local(name, inside), services()[name]
    assert service["mem_limit"] == f"{process.memory}m"
    assert service["stop_grace_period"] == f"{process.stop_seconds}s"
    assert service["restart"] == ("on-failure:5" if process.ends else "unless-stopped")


@pytest.mark.parametrize("name", ["jobmanager", "taskmanager"])
def test_flinks_environment_is_the_same(name: str, inside: Settings) -> None:
    here = {key: in_container(name, value) for key, value in local(name, inside).environment.items()}
    there = image_environment() | environment(services()[name])
    assert {key: there.get(key) for key in here} == here
    assert there.keys() - here.keys() == {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}


def test_steps_are_those_of_make_up() -> None:
    commands = {name: command(service) for name, service in services().items()}
    assert commands["topics"] == ["python", "-m", "topics", "create"]
    assert commands["producer"] == ["python", "-m", "producer"]
    for name in ("configure", "grant", "submit"):
        assert commands[name] == ["python", "-m", "scripts.containers", name]
    start = commands["kafka"][: commands["kafka"].index("kafka.Kafka")]
    assert commands["format"][: len(start)] == start
    assert commands["format"][len(start) : len(start) + 2] == ["kafka.tools.StorageTool", "format"]


# Settings

DIFFERENT = {
    "kafka": "the service's name",
    "redis": "the service's name",
    "flink": "the service's name",
    "data_dir": "where the volumes are mounted",
}
FIXED = {
    "producer_metrics": "the health check asks there",
    "ingest_metrics": "the health check asks there",
    "job_metrics": "the health check asks there",
    "kafka_heap": "mem_limit goes with it",
    "redis_memory": "mem_limit goes with it",
    "jobmanager_memory": "mem_limit goes with it",
    "taskmanager_memory": "mem_limit goes with it",
}
NOT_GIVEN = {
    "sensors": "the catalogue is in the image",
    "checkpoints": "a volume",
    "kafka_password": "in a file",
    "redis_ingest_password": "in a file",
    "redis_viewer_password": "in a file",
    "secrets": "in the data directory, where the steps that log in as admin do not look",
    "redis_viewer_user": "Grafana's data source and Redis' health check name it",
    "kafka_ca": "nobody else is on the network",
    "redis_ca": "nobody else is on the network",
    "redis_certificate": "nobody else is on the network",
    "stack_certificate": "nobody else is on the network",
    "board": "the board's own environment has it",
    "metrics_host": "nobody else asks for metrics",
    "grafana": "of `push`; here Grafana reads files",
    "grafana_token": "of `push`; here Grafana reads files",
    "grafana_redis": "Grafana's own environment has it",
    "kafka_controller_port": "nobody else is in the container",
    "flink_rpc_port": "nobody else is in the container",
    "zookeeper_port": "nobody else is in the container",
}


def test_each_setting_is_passed_on_or_said_why_not() -> None:
    block = services()["ingest"]["environment"]
    named = {name.removeprefix("IOT_").lower(): value for name, value in block.items() if name.lower() != "no_proxy"}
    assert named.keys() == {variable.name for variable in variables()} - NOT_GIVEN.keys()
    assert {name for name, value in named.items() if value is not None} == DIFFERENT.keys() | FIXED.keys()


def test_settings_are_those_of_the_local_stack_but_for_the_addresses(inside: Settings) -> None:
    here = Settings.of(env_file=None).flat()
    assert {name for name, value in inside.flat().items() if value != here[name]} == DIFFERENT.keys()


@pytest.mark.parametrize("name", ["configure", "grant", "topics", "submit", "ingest", "exporter", "producer", "board"])
def test_all_have_the_same_settings(name: str) -> None:
    found = dict(services()[name]["environment"])
    assert found.pop("IOT_SECRETS", None) == ("/run/secrets" if "secrets" in services()[name] else None)
    assert found.pop("IOT_BOARD", None) == ("http://0.0.0.0:8000" if name == "board" else None)
    assert found == services()["ingest"]["environment"]


def test_the_jobmanager_is_not_asked_through_a_proxy_of_dockers_configuration() -> None:
    block = services()["ingest"]["environment"]
    host = urlsplit(block["IOT_FLINK"]).hostname
    assert block["no_proxy"] == block["NO_PROXY"] == host


def test_the_board_has_the_viewers_password_alone() -> None:
    assert [secret["source"] for secret in services()["board"]["secrets"]] == ["redis_viewer_password"]
    assert not mounts(services()["board"])


def test_no_other_container_has_any() -> None:
    for name, service in services().items():
        settings = {variable for variable in environment(service) if variable.startswith("IOT_")}
        if name == "grafana":
            assert settings == {"IOT_GRAFANA_REDIS", "IOT_REDIS_VIEWER_PASSWORD"}
            assert services()[name]["environment"]["IOT_GRAFANA_REDIS"] == "redis:6379"
        elif name not in ours() or name in PROCESSES[:5]:
            assert not settings, name


# Configuration

CONFIGURED_OTHERWISE = {
    ("kafka/server.properties", "listeners"): "the clients are in other containers; the controller's are not",
    ("kafka/server.properties", "advertised.listeners"): "the service's name",
    ("redis/redis.conf", "bind"): "the clients are in other containers",
    ("redis/redis.conf", "loadmodule"): "where the image has it",
    ("flink-conf/zoo.cfg", "clientPortAddress"): "the clients are in other containers",
    ("flink-conf/config.yaml", "jobmanager.rpc.address"): "the service's name",
    ("flink-conf/config.yaml", "jobmanager.bind-host"): "the clients are in other containers",
    ("flink-conf/config.yaml", "taskmanager.host"): "each TaskManager has an address of its own",
    ("flink-conf/config.yaml", "taskmanager.bind-host"): "the clients are in other containers",
    ("flink-conf/config.yaml", "rest.address"): "the service's name",
    ("flink-conf/config.yaml", "rest.bind-address"): "the clients are in other containers",
    ("flink-conf/config.yaml", "high-availability.zookeeper.quorum"): "the service's name",
    ("flink-conf/config.yaml", "env.java.opts.all"): "a container has a /tmp of its own",
}


def written(settings: Settings, placement: Placement, directory: Path) -> dict[tuple[str, str], str]:
    """Every option of every configuration file; of Redis' users, a user a line."""
    own = settings.replace(secrets=directory / "secrets")
    access.make_secrets(own)
    run = directory / str(placement.listen)
    paths = Paths.of(settings)
    configure(own, Paths(data=paths.data, run=run, logs=paths.logs, temporary=run / "tmp"), placement)
    found: dict[tuple[str, str], str] = {}
    for _, target in CONFIGURATION:
        text = (run / target).read_text().replace(str(run), str(paths.run))
        pairs: dict[str, Any]
        if target.endswith(".yaml"):
            pairs = yaml.safe_load(text)
        elif target.startswith("redis/"):
            lines = [line for line in text.splitlines() if line and not line.startswith("#")]
            pairs = {line.partition(" ")[0] if target.endswith("conf") else line: line for line in lines}
        else:
            pairs = dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))
        found |= {(target, str(key)): str(value) for key, value in pairs.items()}
    return found


def test_the_configuration_is_the_same_but_for_addresses(inside: Settings, tmp_path: Path) -> None:
    here = Settings.of(env_file=None).replace(data_dir=inside.data_dir)
    one, other = written(here, one_machine(), tmp_path), written(inside, containers(), tmp_path)
    assert len(one) > 80
    different = {key for key in one | other if one.get(key) != other.get(key)}
    assert different == CONFIGURED_OTHERWISE.keys()


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("kafka", "kafka/"),
        ("redis", "redis/"),
        ("zookeeper", "flink-conf/zoo.cfg"),
        ("jobmanager", "flink-conf/config.yaml"),
        ("taskmanager", "flink-conf/config.yaml"),
    ],
)
def test_what_the_configuration_names_is_mounted(name: str, files: str, inside: Settings, tmp_path: Path) -> None:
    options = written(inside, containers(), tmp_path)
    values = " ".join(value for (file, _), value in options.items() if file.startswith(files))
    named = set(re.findall(rf"{inside.data_dir}/[\w./-]+", f"{values} {' '.join(command(services()[name]))}"))
    service = services()[name]
    there = [mount.target for mount in mounts(service)] + [each.split(":")[0] for each in service["tmpfs"]]
    assert named
    for path in named:
        assert [target for target in there if path == target or path.startswith(f"{target}/")], path


def test_the_page_says_what_is_said_here() -> None:
    text = (ROOT / "docs" / "how-to" / "docker.md").read_text()
    for name in services():
        assert f"`{name}`" in text, name
