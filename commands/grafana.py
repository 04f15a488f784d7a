"""iot grafana, python -m grafana_provisioning: build the dashboards, and push them into a running Grafana."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from grafana_provisioning import data_source
from grafana_provisioning.push import Grafana, push
from infrastructure.home import ROOT
from infrastructure.passwords import password_of
from infrastructure.settings import Settings, load_settings
from topics import catalogue
from topics.errors import UserError

DIRECTORY = ROOT / "grafana_provisioning" / "dashboards"

app = typer.Typer(
    help="Build the dashboards, and push them into a running Grafana.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
console = Console(soft_wrap=True, highlight=False)


@app.command("build")
def build_dashboards(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail when a file is not up to date.")] = False,
    into: Annotated[Path, typer.Option(help="Directory of the JSON files.", show_default=False)] = DIRECTORY,
) -> None:
    """Write the dashboards for the sensors of the catalogue (IOT_SENSORS) as JSON."""
    try:
        from grafana_provisioning import build
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is missing: pip install -r requirements-dev.txt") from error
    settings = load_settings()
    stale = []
    for name, dashboard in build.dashboards(catalogue.read(settings.sensors)).items():
        file, text = into / name, build.text(dashboard)
        if file.exists() and file.read_text(encoding="utf-8") == text:
            console.print(f"{name:<16} is up to date")
        elif check:
            stale.append(name)
        else:
            into.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            console.print(f"{name:<16} written")
    if stale:
        raise UserError(f"not what the builder gives: {', '.join(stale)}. Run: iot grafana build")


@app.command("push")
def push_dashboards(
    url: Annotated[str | None, typer.Option(help="Address of Grafana.", show_default="IOT_GRAFANA")] = None,
    token: Annotated[
        str | None,
        typer.Option(
            help="Token of a service account with the role Admin. Others see it in the list of processes: better set "
            "IOT_GRAFANA_TOKEN, or use --token-file.",
            show_default="IOT_GRAFANA_TOKEN",
        ),
    ] = None,
    token_file: Annotated[Path | None, typer.Option(help="File with the token.", show_default=False)] = None,
    redis: Annotated[
        str | None,
        typer.Option(help="Redis as Grafana reaches it, host:port.", show_default="IOT_GRAFANA_REDIS, IOT_REDIS"),
    ] = None,
    redis_ca: Annotated[
        Path | None,
        typer.Option(help="Redis speaks TLS: PEM file of its certificate's authorities.", show_default="IOT_REDIS_CA"),
    ] = None,
    redis_certificate: Annotated[
        Path | None,
        typer.Option(
            help="PEM file with certificate and key, where Redis asks for them.", show_default="IOT_REDIS_CERTIFICATE"
        ),
    ] = None,
) -> None:
    """Put data source, folder and dashboards into a running Grafana; run it again after a change.

    The data source reads Redis as the user viewer, whose password is in IOT_REDIS_VIEWER_PASSWORD or in the file
    secrets/redis_viewer_password of the data directory.
    """
    settings = load_settings(
        grafana=url, grafana_token=token, grafana_redis=redis, redis_ca=redis_ca, redis_certificate=redis_certificate
    )
    if settings.redis.certificate and not settings.redis.ca:
        raise UserError("--redis-certificate is for TLS: give --redis-ca too")
    if settings.redis.url.startswith("rediss:") and not settings.redis.ca:
        raise UserError("Redis speaks TLS (IOT_REDIS): give its certificate's authorities by --redis-ca")
    tls = data_source.Tls.of(settings.redis.ca, settings.redis.certificate) if settings.redis.ca else None
    password = password_of(settings, "redis_viewer_password")
    definition = data_source.definition(data_source.address(settings), password, tls)
    dashboards = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(DIRECTORY.glob("*.json"))]
    push(Grafana(settings.grafana.url, _token(settings, token_file)), definition, dashboards, console.print)
    for dashboard in dashboards:
        console.print(f"{settings.grafana.url.rstrip('/')}/d/{dashboard['uid']}")


def _token(settings: Settings, file: Path | None) -> str:
    if file is None:
        token = settings.grafana.token.get_secret_value()
    else:
        try:
            token = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{file} cannot be read: {error}") from error
    if not token:
        raise UserError(
            "there is no token: make one in Grafana (Administration, Users and access, Service accounts, role Admin), "
            "and give it by IOT_GRAFANA_TOKEN or --token-file"
        )
    if not (token.isascii() and token.isprintable()):
        raise UserError("the token must be one line of printable ASCII")
    return token
