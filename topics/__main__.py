"""python -m topics: the topics of the system, their audit, and dead letters."""

import typer

from commands import dead_letters, topics
from commands.audit import audit
from commands.terminal import run

# An app of its own: `iot topics` has the first of these alone.
app = typer.Typer(
    help="Create, describe, audit and delete the topics; list and resend dead letters.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(topics.app)
app.command()(audit)
app.add_typer(dead_letters.app, name="deadletter")

if __name__ == "__main__":
    run(app, "python -m topics")
