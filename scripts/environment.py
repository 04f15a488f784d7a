"""python -m scripts.environment: make .venv, install into it what is pinned, and the project itself in place.

`make` runs it by environment.sh, before anything is installed: it imports the standard library alone. What it does can
be seen from its first second: on a terminal in a line that moves, elsewhere in a new line every few seconds.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import TextIO

from scripts.pip_progress import Packages, pinned

ROOT = Path(__file__).parent.parent
VENV = ROOT / ".venv"
REQUIREMENTS = ("requirements.txt", "requirements-dev.txt")

SUPPORTED = ((3, 11), (3, 12))
MOVES_SECONDS = 0.2
"""How often the line on a terminal moves."""
LINE_SECONDS = 5.0
"""How often there is a new line where there is no terminal."""
SHOWN = 15
"""Lines of a program that has failed."""

NETWORK = (
    "the package index was not reached: look at the network (behind a proxy pip wants HTTPS_PROXY, for a mirror "
    "PIP_INDEX_URL) and run make again, which downloads what is still missing"
)
HASH = (
    "a file is not the one that is pinned: run `.venv/bin/python -m pip cache purge` and make again; if it is still "
    "another one, do not install it"
)
LACKING = "the index has no file of this package for this machine and Python: is it a mirror that lacks it?"
ADVICE = {
    "DO NOT MATCH THE HASHES": HASH,
    "No space left on device": "the disk is full: 3 GiB are needed, here and for pip's cache",
    "Retrying (Retry(": NETWORK,
    "Temporary failure in name resolution": NETWORK,
    "ReadTimeoutError": NETWORK,
    "ConnectionError": NETWORK,
    "IncompleteRead": NETWORK,
    "SSLError": NETWORK,
    "No matching distribution": LACKING,
}
"""What to do, by words that pip prints; the first that is found counts."""


class SetupError(Exception):
    """``.venv`` cannot be set up; the message says what to do."""


@dataclass
class Display:
    """Lines that begin with the seconds since the start."""

    stream: TextIO
    clock: Callable[[], float] = time.monotonic
    began: float = field(init=False)
    last: float = field(init=False, default=-LINE_SECONDS)

    def __post_init__(self) -> None:
        self.began = self.clock()
        self.terminal = self.stream.isatty()

    def step(self, text: str) -> None:
        """A line that stays."""
        self._write(f"{self._clear()}{self._seconds()}  {text}\n")
        self.last = self.clock()

    def moving(self, text: str) -> None:
        """The line that moves."""
        if self.terminal:
            width = shutil.get_terminal_size().columns - 1
            self._write(f"{self._clear()}{f'{self._seconds()}  {text}'[:width]}")
        elif self.clock() - self.last >= LINE_SECONDS:
            self.step(text)

    def end(self) -> None:
        """No line moves any more."""
        self._write(self._clear())

    def _clear(self) -> str:
        return "\r\x1b[K" if self.terminal else ""

    def _seconds(self) -> str:
        return f"{self.clock() - self.began:5.1f} s"

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


def python() -> tuple[int, int]:
    """Which Python this is."""
    return sys.version_info.major, sys.version_info.minor


def check() -> None:
    """Raise ``SetupError`` when this interpreter, or this machine, does not do."""
    version = platform.python_version()
    if python() not in SUPPORTED:
        raise SetupError(f"Python 3.11 or 3.12 is needed, and {sys.executable} is Python {version}")
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise SetupError(f"Linux on x86-64 is needed, and this is {platform.system()} on {platform.machine()}")
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        package = "python{}.{}-venv".format(*python())
        raise SetupError(
            f"{sys.executable} cannot make virtual environments; on Debian and Ubuntu `apt-get install {package}` "
            "helps. Then run make again"
        )


def usable(venv: Path, *, named: bool) -> bool:
    """Whether an environment can stay: it runs, where it was made, by a Python that is supported.

    ``named``: only when it was made by this interpreter.
    """
    who = "import sys, pip; print(*sys.version_info[:2], sys.version, sys.base_prefix)"
    try:
        done = subprocess.run([venv / "bin" / "python", "-c", who], capture_output=True, text=True)
        if done.returncode or str(venv.resolve()) not in (venv / "bin" / "activate").read_text():
            return False
    except OSError:
        return False
    if named:
        return done.stdout.strip() == f"{sys.version_info[0]} {sys.version_info[1]} {sys.version} {sys.base_prefix}"
    return done.stdout.startswith(tuple(f"{major} {minor} " for major, minor in SUPPORTED))


def run(
    command: Sequence[str | Path],
    display: Display,
    shown: Callable[[], str],
    read: Callable[[str], None] = lambda _: None,
    temporary: Path | None = None,
) -> None:
    """Run a program and show how far it is. Raises ``SetupError`` with its last lines and advice when it fails."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    if temporary:
        environment["TMPDIR"] = str(temporary)
    said: deque[str] = deque(maxlen=1000)
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        reader = Thread(target=_listen, args=(process.stdout, said, read), daemon=True)
        reader.start()
        try:
            while True:
                display.moving(shown())
                try:
                    process.wait(MOVES_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
                break
        except BaseException:
            process.terminate()
            raise
        finally:
            reader.join()
    if process.returncode:
        last = list(said)[-SHOWN:]
        raise SetupError("\n".join([f".venv is not complete: {advice(last)}", *last]))


def _listen(stream: TextIO, said: deque[str], read: Callable[[str], None]) -> None:
    for line in stream:
        said.append(line.rstrip())
        read(line.rstrip())


def advice(said: Iterable[str]) -> str:
    """What to do when pip has said this and failed."""
    text = "\n".join(said)
    found = (what for words, what in ADVICE.items() if words in text)
    return next(found, "run make again; when it fails in the same way, the lines below tell why")


@contextmanager
def alone(display: Display) -> Iterator[None]:
    """No other process sets the same environment up at the same time."""
    descriptor = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            display.step("waiting for another make that sets .venv up")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def make(venv: Path, display: Display) -> None:
    """Make an environment anew."""
    if venv.is_symlink():
        venv.unlink()
    elif venv.exists():
        display.step("removing the old .venv, which does not run or was made by another Python")
        shutil.rmtree(venv)
    display.step(f"making .venv with Python {platform.python_version()} ({sys.executable})")
    run([sys.executable, "-m", "venv", venv], display, lambda: "making .venv")


def fill(venv: Path, display: Display) -> int:
    """Install what is pinned, and the project in place; the number of packages."""
    files = [ROOT / name for name in REQUIREMENTS]
    packages = Packages(pinned(files))
    installed = next((venv / "lib").glob("python*")) / "site-packages"
    options = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    pip: list[str | Path] = [venv / "bin" / "python", "-m", "pip", "install", *options]
    temporary = Path(tempfile.mkdtemp(prefix="tmp-", dir=venv))
    try:
        display.step(f"installing what is pinned in {' and '.join(REQUIREMENTS)}")
        run(
            [*pip, "--require-hashes", *(f"--requirement={file}" for file in files)],
            display,
            lambda: packages.shown(temporary, installed),
            packages.read,
            temporary,
        )
        display.step("installing the project itself in place")
        project = ["--no-deps", "--no-build-isolation", "--editable", "."]
        run([*pip, *project], display, lambda: "installing the project", temporary=temporary)
    finally:
        shutil.rmtree(temporary)
    return len(packages.pinned)


def main() -> int:
    """Set .venv up, and say what happens."""
    named = "--named" in sys.argv[1:]
    display = Display(sys.stdout)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        check()
        with alone(display):
            if not usable(VENV, named=named):
                make(VENV, display)
            count = fill(VENV, display)
    except SetupError as error:
        display.end()
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        display.end()
        print("interrupted; the next make goes on", file=sys.stderr)
        return 128 + signal.SIGINT
    display.step(f"{count} packages and the project are in .venv")
    return 0


if __name__ == "__main__":
    sys.exit(main())
