"""python -m jobs: the Flink job on its cluster, replay and merge."""

import typer

from commands import jobs
from commands.merge import merge
from commands.replay import replay
from commands.terminal import run

# An app of its own: `iot jobs` has the first of these alone.
app = typer.Typer(
    help="Submit, list and stop the Flink job; replay and merge.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(jobs.app)
app.command()(replay)
app.command()(merge)

if __name__ == "__main__":
    run(app, "python -m jobs")
