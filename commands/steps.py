"""The steps of something long, each with its time; on a terminal the one that is under way moves."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.text import Text


class _Mark(SpinnerColumn):
    """A spinner that becomes ✓, or ✗."""

    def render(self, task: Task) -> RenderableType:
        if task.fields["failed"]:
            return Text("✗", "red")
        return Text("✓", "green") if task.finished else super().render(task)


class _Seconds(ProgressColumn):
    """How long a step has taken."""

    def render(self, task: Task) -> Text:
        return Text(f"{(task.finished_time if task.finished else task.elapsed) or 0:6.1f} s")


class Steps:
    """Shows one line a step, from its first moment on. Without a terminal: when it began, seconds after the first."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            _Mark(),
            _Seconds(),
            TextColumn("{task.description}", markup=False),
            TextColumn("{task.fields[detail]}", style="dim", markup=False),
            console=console,
            disable=not console.is_terminal,
        )
        self._began = time.monotonic()
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, _value: object, _trace: TracebackType | None) -> None:
        self._end(failed=kind is not None)
        self._bar.stop()

    def begin(self, step: str) -> None:
        """The step before has ended, and this one begins."""
        self._end(failed=False)
        if self._bar.disable:
            self._console.print(f"{time.monotonic() - self._began:6.1f} s  {step}", markup=False, soft_wrap=True)
        else:
            self._task = self._bar.add_task(step, total=1, detail="", failed=False)

    def detail(self, text: str) -> None:
        """What the step under way is at, or how far; empty: nothing to say."""
        if self._task is not None:
            self._bar.update(self._task, detail=text)

    def _end(self, *, failed: bool) -> None:
        if self._task is not None:
            self._bar.update(self._task, completed=0 if failed else 1, detail="", failed=failed)
            self._task = None
