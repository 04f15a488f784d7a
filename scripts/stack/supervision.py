"""Start, watch and stop the processes of one stack, by supervisor."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Container, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import psutil
from supervisor.xmlrpc import SupervisorTransport

from infrastructure.settings import Settings
from scripts.stack import access
from scripts.stack.checks import complaints
from scripts.stack.install import STEPS, install, missing
from scripts.stack.paths import Paths
from scripts.stack.processes import Process, kafka_java, processes, program, write_configuration
from topics.errors import UserError

START_SECONDS = 120
STARTS = 3
"""Starts after which a process that ends each time will not do otherwise."""
QUIET_SECONDS = 15
"""A wait that lasts longer says what it is for."""
TAIL_LINES, TAIL_COLUMNS = 8, 400


class StackError(UserError):
    """The stack cannot do what was asked; the message says what to do."""


class Stack:
    """The supervised processes below one data directory; ``only`` names some, where not all are wanted."""

    def __init__(self, settings: Settings, only: Container[str] | None = None) -> None:
        self.settings = settings
        self.paths = Paths.of(settings)
        self._only = only

    def up(self, said: Callable[[str], None] = lambda _: None, detail: Callable[[str], None] = lambda _: None) -> None:
        """Install what is missing and start the processes; ready when this returns. Idempotent.

        ``said`` receives a line for each step as it begins, ``detail`` what the step is at. Raises ``StackError`` or
        ``InstallError``.
        """
        if missing():
            for part in install(fetched=lambda size: detail(f"{size / 1e6:,.0f} MB" if size > 1e6 else "")):
                said(STEPS[part])
        if self.running():
            if not access.secrets_made(self.settings):
                raise StackError("the stack that runs was started without logins: `iot down` first, then `iot up`")
        else:
            if wrong := list(complaints(self.settings)):
                raise StackError("\n".join(wrong))
            for directory in (self.paths.data / "kafka", self.paths.data / "redis", self.paths.logs, self.paths.run):
                directory.mkdir(parents=True, exist_ok=True)
            for directory in (self.paths.data, self.paths.logs, self.paths.run):
                directory.chmod(0o700)  # also of a stack from before
            shutil.rmtree(self.paths.temporary, ignore_errors=True)  # what killed processes have left
            self.paths.temporary.mkdir()
            access.make_secrets(self.settings)
            write_configuration(self.settings, self.paths, self._only)
            self._format_kafka(said)
            said("starting Kafka, Redis and Flink")
            configuration = str(self.paths.run / "supervisord.conf")
            supervisord = [sys.executable, "-m", "supervisor.supervisord", "--configuration", configuration]
            subprocess.run(_without_warnings(supervisord), check=True, stdout=subprocess.DEVNULL)
            self._wait("supervisord", self._answers, said)
        for process in self._processes():
            if process.autostart:
                self.start(process.name)
        for process in self._processes():
            if process.autostart:
                detail(f"waiting for {process.name}")
                self._wait(process.name, process.ready, said, self._started)
        access.grant(self.settings)

    def down(self) -> None:
        """Stop every process and the supervisor; none is left when this returns. Idempotent."""
        if family := self._family():
            family[0].terminate()
            _, alive = psutil.wait_procs(family, timeout=60)
            _kill(alive)  # supervisor kills a child that does not stop in time; these outlived even that

    def kill(self) -> None:
        """The same at once, for those who throw the data away."""
        _kill(self._family())

    def _family(self) -> list[psutil.Process]:
        """The supervisor, and behind it all that it started; nobody when the stack is down."""
        pid = self._supervisor_pid()
        return [] if pid is None else [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]

    def reset(self) -> None:
        """Delete all data, checkpoints and logs. The stack must be down."""
        if self.running():
            raise StackError("the stack is running: `iot down` first")
        for directory in (self.paths.data, self.paths.logs, self.paths.run, self.settings.data_dir / "secrets"):
            shutil.rmtree(directory, ignore_errors=True)

    def running(self) -> bool:
        """Whether the supervisor runs."""
        return self._supervisor_pid() is not None

    def start(self, name: str) -> None:
        """Start one process that is stopped; nothing happens to one that runs."""
        if self.state(name) not in ("RUNNING", "STARTING", "BACKOFF"):
            try:
                self._rpc().startProcess(name)
            except Fault as fault:
                raise StackError(
                    f"{name} did not start ({fault.faultString}). The end of {self.log(name)}:\n{self.tail(name)}"
                ) from fault

    def add(self, process: Process) -> None:
        """Supervise one process more, until the stack is down."""
        with (self.paths.run / "supervisord.conf").open("a") as configuration:
            configuration.write(program(process, self.paths))
        self._rpc().reloadConfig()
        self._rpc().addProcessGroup(process.name)

    def remove(self, name: str) -> None:
        """Supervise a process no more that was added and is stopped."""
        self._rpc().removeProcessGroup(name)

    def stop(self, name: str) -> None:
        """Stop one process; nothing happens to one that is stopped."""
        if self.state(name) in ("RUNNING", "STARTING", "BACKOFF"):
            self._rpc().stopProcess(name)

    def state(self, name: str) -> str:
        """Supervisor's word for the state of a process: RUNNING, STOPPED, BACKOFF, …"""
        return str(self._rpc().getProcessInfo(name)["statename"])

    def ended(self, name: str) -> bool:
        """Whether a process has done its work; one that was killed is started again, and has not."""
        process = self._rpc().getProcessInfo(name)
        return bool(process["statename"] == "EXITED" and process["exitstatus"] == 0)

    def states(self) -> Iterator[dict[str, Any]]:
        """Name, state, pid and start time (epoch seconds) of each process."""
        yield from self._rpc().getAllProcessInfo()

    def pid(self, name: str) -> int:
        """Process id, 0 when the process does not run."""
        return int(self._rpc().getProcessInfo(name)["pid"])

    def log(self, name: str) -> Path:
        """The file that holds what the process printed."""
        return self.paths.logs / f"{name}.log"

    def tail(self, name: str) -> str:
        """The last lines that the process printed; of the supervisor: what it has started, and what has ended."""
        log = self.log(name)
        lines = log.read_text(errors="replace").splitlines()[-TAIL_LINES:] if log.exists() else ["(there is none)"]
        return "\n".join(line[:TAIL_COLUMNS] for line in lines)

    def _processes(self) -> list[Process]:
        return list(processes(self.settings, self._only))

    def _supervisor_pid(self) -> int | None:
        try:
            pid = int((self.paths.run / "supervisord.pid").read_text())
            return pid if "supervisor" in " ".join(psutil.Process(pid).cmdline()) else None
        except (OSError, ValueError, psutil.Error):
            return None

    def _rpc(self) -> Any:
        if not self.running():
            raise StackError("the stack is down: `iot up` starts it")
        transport = SupervisorTransport(None, None, f"unix://{self.paths.run / 'supervisor.sock'}")
        return ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def _format_kafka(self, said: Callable[[str], None]) -> None:
        if (self.paths.data / "kafka" / "meta.properties").exists():
            return
        said("formatting Kafka's storage")
        cluster = uuid.uuid4().hex[:22]
        command = [*kafka_java(self.settings, self.paths), "kafka.tools.StorageTool", "format", "--cluster-id", cluster]
        done = subprocess.run(
            [*command, "--config", f"{self.paths.run}/kafka/server.properties"], capture_output=True, text=True
        )
        if done.returncode:
            raise StackError(f"Kafka could not format {self.paths.data / 'kafka'}:\n{done.stdout}{done.stderr}")

    def _answers(self) -> bool:
        try:
            return bool(self._rpc().getState())
        except (StackError, OSError, Fault):
            return False

    def _started(self, name: str) -> int:
        """When supervisor has started a process the last time, epoch seconds; 0 when it never has."""
        return int(self._rpc().getProcessInfo(name)["start"])

    def _wait(
        self,
        name: str,
        ready: Callable[[], bool],
        said: Callable[[str], None] = lambda _: None,
        started: Callable[[str], int] = lambda _: 0,
    ) -> None:
        """Return when a process is ``ready``; ``started`` tells when it was started the last time.

        Raises ``StackError``: when it ends again and again, else after ``START_SECONDS``.
        """
        began = time.monotonic()
        starts = set[int]()
        told = False
        while not ready():
            starts.add(started(name))
            waited = time.monotonic() - began
            if len(starts) > STARTS:
                raise StackError(f"{name} ends whenever it is started. The end of {self.log(name)}:\n{self.tail(name)}")
            if waited > START_SECONDS:
                raise StackError(
                    f"{name} is not ready after {START_SECONDS} s. The end of {self.log(name)}:\n{self.tail(name)}"
                )
            if waited > QUIET_SECONDS and not told:
                said(f"waiting for {name}, at most {START_SECONDS} s: its log is {self.log(name)}")
                told = True
            time.sleep(0.1)


def _without_warnings(command: list[str]) -> list[str]:
    """Supervisor imports a package that warns of its own end; users need not read that."""
    return [command[0], "-W", "ignore", *command[1:]]


def _kill(family: list[psutil.Process]) -> None:
    for process in family:  # the supervisor first: it would start the others again
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, timeout=10)
