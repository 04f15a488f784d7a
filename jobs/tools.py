"""Where the Flink client and the Kafka connector are on this machine."""

from __future__ import annotations

from command_line import UserError
from jobs.cluster import Tools
from scripts.stack.paths import Paths, connector_jar, flink_home
from scripts.stack.processes import flink_environment
from settings import Settings


def local_tools(settings: Settings) -> Tools:
    """The Flink client of the package apache-flink. Raises ``UserError`` before `make up` has installed its parts."""
    try:
        connector = connector_jar()
    except FileNotFoundError as error:
        raise UserError(str(error)) from error
    environment = flink_environment(Paths.of(settings))
    return Tools(flink=flink_home() / "bin" / "flink", connector=connector, environment=environment)
