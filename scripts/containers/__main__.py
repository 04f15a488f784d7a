"""python -m scripts.containers: what `iot up` does beside starting processes, one step a container."""

from __future__ import annotations

import typer
from rich.console import Console

from commands import terminal
from infrastructure.passwords import password_of
from infrastructure.settings import Settings, load_settings
from scripts.stack import access
from scripts.stack.job import cancel_changed_job, refuse_old_results, start_job
from scripts.stack.paths import Paths
from scripts.stack.placement import containers
from scripts.stack.processes import configure as write_configuration
from topics.errors import UserError

app = typer.Typer(
    help="Steps of docker-compose.yml: configure the servers, let the system log in, submit the job.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
console = Console(highlight=False, soft_wrap=True)

CLIENTS = ("kafka_password", "redis_ingest_password", "redis_viewer_password")
"""Passwords that the system's processes log in with. The admins' stay with those who make the configuration."""


@app.command()
def configure() -> None:
    """Write the servers' configuration, and the passwords of their clients, below the data directory. Idempotent.

    All passwords are in the directory IOT_SECRETS, one a file.
    """
    settings = load_settings()
    refuse_missing(settings)
    paths = Paths.of(settings)
    write_configuration(settings, paths, containers())
    clients = settings.data_dir / "secrets"
    clients.mkdir(parents=True, exist_ok=True)
    for name in CLIENTS:
        access.write_private(clients / name, password_of(settings, name))
    console.print(f"{paths.run} and {clients} are written")


@app.command()
def grant() -> None:
    """Let the system's own user log in to Kafka and do its work. Idempotent."""
    settings = load_settings()
    refuse_missing(settings)
    access.grant(settings)
    console.print(f"{settings.kafka.user} may log in to Kafka")


@app.command()
def submit() -> None:
    """Submit the job if it does not run, from its newest checkpoint, or anew if it was declared otherwise."""
    settings = load_settings()
    refuse_old_results(settings, console.print)
    cancel_changed_job(settings, console.print)
    start_job(settings, console.print)
    console.print("the job runs")


def refuse_missing(settings: Settings) -> None:
    """Raise ``UserError`` that names each password that was not given, or cannot be one."""
    wrong = []
    for name in access.PASSWORDS:
        try:
            password_of(settings, name)
        except UserError:
            wrong.append(f"IOT_{name.upper()}")
    if wrong:
        raise UserError(
            f"{', '.join(wrong)} in .env must be passwords of printable ASCII, without spaces, quotes and backslashes: "
            "`python3 scripts/containers/passwords.py` makes a file .env with random ones"
        )


if __name__ == "__main__":
    terminal.run(app, "python -m scripts.containers")
