"""/metrics, for Prometheus, and /health of a process: serve both, and read the metrics of another one."""

from __future__ import annotations

import errno
import ipaddress
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import requests
from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from infrastructure import logs
from infrastructure.health import Health, answer
from infrastructure.settings import LOOPBACK, at

log = logs.get(__name__)

Samples = Mapping[str, Mapping[tuple[str, ...], float]]
"""Values by the sample's name and the values of its labels, in the order of the labels' names."""

Respond = Callable[[str, list[tuple[str, str]]], Any]
"""WSGI's ``start_response``."""

CLIENT_SECONDS = 10
"""Seconds that a client has to ask its question."""


def serve(collector: Collector, host: str, port: int, setting: str, health: Health) -> bool:
    """Serve what ``collector`` gives and what the process takes, and its ``health``, in threads; port 0 serves nothing.

    ``health`` is asked at each request, in any thread. On loopback a request under another name than this machine's
    own is refused: a page elsewhere that gives its name this address would read what is served.

    Returns whether it is served. An address that cannot be had is a warning which names ``setting``, that of the port,
    or IOT_METRICS_HOST: a process that stores readings must not stop for its metrics.
    """
    if not port:
        return False
    registry = CollectorRegistry()
    registry.register(collector)
    ProcessCollector(registry=registry)
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        server = _server(family)((str(address[0]), port), _Handler)
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            log.warning(
                "metrics endpoint not started, its port is taken; set another one, or 0 for none",
                setting=setting,
                port=port,
                error=error.strerror,
            )
        else:
            log.warning(
                "metrics endpoint not started, its address is not one of this machine; set one that is",
                setting="IOT_METRICS_HOST",
                host=host,
                error=error.strerror,
            )
        return False
    server.set_app(_Application(registry, health, {*LOOPBACK, host} if _is_loopback(host) else None))
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    log.info("serving metrics", url=f"{at(host, port)}/metrics")
    return True


def read(url: str, seconds: float = 2.0) -> Samples | None:
    """What a process serves at ``url``/metrics; None when none answers in time, or with something else.

    An empty ``url`` is nobody's.
    """
    if not url:
        return None
    try:
        answered = requests.get(f"{url}/metrics", timeout=seconds)
        answered.raise_for_status()
        found: dict[str, dict[tuple[str, ...], float]] = {}
        for family in text_string_to_metric_families(answered.text):
            for sample in family.samples:
                labels = tuple(value for _, value in sorted(sample.labels.items()))
                found.setdefault(sample.name, {})[labels] = sample.value
    except (requests.RequestException, ValueError):
        return None
    return found


class _Application:
    """/metrics and /health, as WSGI has it. ``names``: those that it answers to; None is any."""

    def __init__(self, registry: CollectorRegistry, health: Health, names: set[str] | None) -> None:
        self._metrics = make_wsgi_app(registry)
        self._health = health
        self._names = names

    def __call__(self, environ: dict[str, Any], respond: Respond) -> Iterable[bytes]:
        if self._names is not None and _name(environ) not in self._names:
            return _json(respond, HTTPStatus.BAD_REQUEST, {"error": f"this answers to {', '.join(LOOPBACK)} alone"})
        match environ["PATH_INFO"], environ["REQUEST_METHOD"]:
            case "/metrics", _:
                served: Iterable[bytes] = self._metrics(environ, respond)
                return served
            case "/health", "GET":
                told = answer(self._health())
                return _json(respond, HTTPStatus(told.status), told.body)
            case "/health", _:
                return _json(respond, HTTPStatus.METHOD_NOT_ALLOWED, {"error": "/health is read by GET"})
            case path, _:
                return _json(respond, HTTPStatus.NOT_FOUND, {"error": f"no {path}: there are /metrics and /health"})


def _json(respond: Respond, status: HTTPStatus, body: dict[str, Any]) -> list[bytes]:
    text = json.dumps(body, ensure_ascii=False).encode() + b"\n"
    respond(
        f"{status.value} {status.phrase}",
        [("Content-Type", "application/json"), ("Content-Length", str(len(text))), ("Cache-Control", "no-store")],
    )
    return [text]


def _name(environ: Mapping[str, Any]) -> str | None:
    """Under which name this was asked for; None for one that is malformed, or missing."""
    try:
        return urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in LOOPBACK


def _server(family: socket.AddressFamily) -> type[WSGIServer]:
    class Server(ThreadingMixIn, WSGIServer):
        address_family = family
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Say it, unless a client hung up or asked nothing: elsewhere than on loopback there are such."""
            if not isinstance(sys.exception(), OSError):
                super().handle_error(request, client_address)

    return Server


class _Handler(WSGIRequestHandler):
    timeout = CLIENT_SECONDS

    def log_message(self, *_: Any) -> None:
        """Log no request."""
