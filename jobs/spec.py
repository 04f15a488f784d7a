"""What a job is: a value that submit, list, stop, replay, status and metrics take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from infrastructure.settings import Settings
from jobs.bounds import Bounds
from topics.catalogue import Catalogue
from topics.series import Kind

SQL = Path(__file__).with_name("sql")


@dataclass(frozen=True)
class Operators:
    """How Flink calls those of a job's operators that are looked at.

    ``window``: begins the names of the windows' tasks. The daily one gets every accepted reading, others some of them.
    ``rejected``: the sink that gets the rejected readings.
    """

    window: str
    rejected: str


@dataclass(frozen=True)
class JobSpec:
    """A Flink job that is declared by SQL.

    ``name`` stands behind the prefix in Flink and in the directory of its checkpoints. ``script`` is the Python file
    that `flink run` gets. ``sql`` is a directory below jobs/sql/, whose files are taken in the order of their names.
    ``arguments`` are the values of the files' parameters, as SQL text; ``options`` Flink's options for this job.
    It reads the topic ``reads`` and writes ``writes`` (without prefix), and emits the kinds of series ``series``.
    """

    name: str
    script: Path
    sql: str
    arguments: Callable[[Settings, Catalogue, Bounds | None], Mapping[str, str]]
    options: Callable[[Settings, Bounds | None], Mapping[str, str]]
    reads: str
    writes: tuple[str, ...]
    operators: Operators
    series: tuple[Kind, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """The SQL files, in order."""
        return tuple(sorted((SQL / self.sql).glob("*.sql")))

    def named(self, settings: Settings) -> str:
        """The job's name on the cluster."""
        return settings.prefix + self.name
