"""A small server with the part of Grafana's HTTP API that pushing uses, as Grafana documents it, and its state.

Addresses with numeric ids are not there: Grafana is giving them up.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]
TOKEN = "glsa_a-token-of-the-tests"


class RefusedError(Exception):
    """An answer that is not 200."""

    def __init__(self, code: int, message: str, **more: str) -> None:
        super().__init__(message)
        self.code = code
        self.body = {"message": message, **more}


@dataclass
class FakeGrafana:
    """What the server holds, and how it is to behave."""

    version: str | None = "11.6.4"
    path: str = ""
    role: str = "Admin"
    well: bool = True
    plugin: bool = True
    fault: tuple[str, int, str] | None = None
    """Method, status and message of an answer to every call of that method but the login-free ones."""
    port: int = 0
    data_sources: dict[str, Json] = field(default_factory=dict)
    folders: dict[str, Json] = field(default_factory=dict)
    dashboards: dict[str, Json] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    def answer(self, method: str, path: str, token: str | None, body: Json) -> Json:
        """What Grafana answers; raises ``RefusedError``."""
        self.calls.append(f"{method} {path}")
        if path == "/api/health":
            return {"database": "ok", "commit": "0"} | ({"version": self.version} if self.version else {})
        if token != f"Bearer {TOKEN}":
            raise RefusedError(401, "Invalid API key", messageId="api-key.invalid")
        if self.fault and self.fault[0] == method:
            raise RefusedError(self.fault[1], self.fault[2])
        if method != "GET" and self.role != "Admin":
            raise RefusedError(403, "You'll need additional permissions to perform this action")
        handlers: tuple[tuple[str, Callable[..., Json]], ...] = (
            (r"GET /api/datasources/name/(.+)", self.data_source_by_name),
            (r"POST /api/datasources", self.create_data_source),
            (r"PUT /api/datasources/uid/([^/]+)", self.update_data_source),
            (r"GET /api/datasources/uid/([^/]+)/health", self.data_source_health),
            (r"GET /api/folders/([^/]+)", self.folder),
            (r"POST /api/folders", self.create_folder),
            (r"PUT /api/folders/([^/]+)", self.update_folder),
            (r"GET /api/dashboards/uid/([^/]+)", self.dashboard),
            (r"POST /api/dashboards/db", self.save_dashboard),
        )
        for pattern, handler in handlers:
            if found := re.fullmatch(pattern, f"{method} {path}"):
                return handler(*found.groups(), **({"body": body} if method in {"POST", "PUT"} else {}))
        raise RefusedError(404, "Not found")

    def data_source_by_name(self, name: str) -> Json:
        for source in self.data_sources.values():
            if source["name"] == name:
                return shown(source)
        raise RefusedError(404, "Data source not found")

    def create_data_source(self, body: Json) -> Json:
        if any(source["name"] == body["name"] for source in self.data_sources.values()):
            raise RefusedError(409, "data source with the same name already exists")
        if body["uid"] in self.data_sources:
            raise RefusedError(409, "data source with the same uid already exists")
        source = {**deepcopy(body), "id": next(self.numbers), "version": 1, "readOnly": False}
        self.data_sources[body["uid"]] = source
        return {"datasource": shown(source), "id": source["id"], "message": "Datasource added", "name": body["name"]}

    def update_data_source(self, uid: str, body: Json) -> Json:
        if uid not in self.data_sources:
            raise RefusedError(404, "Data source not found")
        there = self.data_sources[uid]
        if there["readOnly"]:
            raise RefusedError(403, "Cannot update read-only data source")
        secrets = {**there["secureJsonData"], **body.get("secureJsonData", {})}
        there |= {**deepcopy(body), "secureJsonData": secrets, "version": there["version"] + 1}
        return {"datasource": shown(there), "id": there["id"], "message": "Datasource updated", "name": there["name"]}

    def data_source_health(self, uid: str) -> Json:
        if uid not in self.data_sources:
            raise RefusedError(404, "Data source not found")
        if not self.plugin:
            raise RefusedError(404, "Plugin not found")
        if not self.well:
            raise RefusedError(400, "PING command failed: WRONGPASS", status="ERROR")
        return {"message": "Data Source is working as expected.", "status": "OK"}

    def folder(self, uid: str) -> Json:
        if uid not in self.folders:
            raise RefusedError(404, "folder not found", status="not-found")
        return self.folders[uid]

    def create_folder(self, body: Json) -> Json:
        if body["uid"] in self.folders:
            raise RefusedError(412, "the folder has been changed by someone else", status="version-mismatch")
        self.folders[body["uid"]] = {**body, "id": next(self.numbers), "version": 1}
        return self.folders[body["uid"]]

    def update_folder(self, uid: str, body: Json) -> Json:
        there = self.folder(uid)
        if not body.get("overwrite") and body.get("version") != there["version"]:
            raise RefusedError(412, "the folder has been changed by someone else", status="version-mismatch")
        there |= {"title": body["title"], "version": there["version"] + 1}
        return there

    def dashboard(self, uid: str) -> Json:
        if uid not in self.dashboards:
            raise RefusedError(404, "Dashboard not found")
        return self.dashboards[uid]

    def save_dashboard(self, body: Json) -> Json:
        given = body["dashboard"]
        if body.get("folderUid") not in {None, "", *self.folders}:
            raise RefusedError(400, "folder not found")
        there = self.dashboards.get(given["uid"])
        if there and there["meta"]["provisioned"]:
            raise RefusedError(400, "Cannot save provisioned dashboard")
        if there and not body.get("overwrite") and given.get("version") != there["dashboard"]["version"]:
            raise RefusedError(412, "The dashboard has been changed by someone else", status="version-mismatch")
        version = there["dashboard"]["version"] + 1 if there else 1
        number = there["dashboard"]["id"] if there else next(self.numbers)
        self.dashboards[given["uid"]] = {
            "dashboard": {**deepcopy(given), "id": number, "version": version},
            "meta": {"folderUid": body.get("folderUid", ""), "provisioned": False, "version": version},
        }
        return {"id": number, "uid": given["uid"], "status": "success", "version": version, "slug": "x"}


def shown(source: Json) -> Json:
    """As Grafana shows a data source: which secrets there are, and none of them."""
    return {
        **{name: value for name, value in source.items() if name != "secureJsonData"},
        "secureJsonFields": dict.fromkeys(source["secureJsonData"], True),
    }


@contextmanager
def serving(grafana: FakeGrafana) -> Iterator[FakeGrafana]:
    """Serve it on a free port of 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            if not self.path.startswith(f"{grafana.path}/api/"):  # a proxy's page, or Grafana's own
                self.reply(200, "text/html", b"<!doctype html><title>Welcome</title>")
                return
            try:
                path = self.path.removeprefix(grafana.path).replace("%20", " ")
                status, found = 200, grafana.answer(self.command, path, self.headers.get("Authorization"), body or {})
            except RefusedError as refused:
                status, found = refused.code, refused.body
            self.reply(status, "application/json", json.dumps(found).encode())

        def reply(self, status: int, kind: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 – http.server's names

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        grafana.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield grafana
        finally:
            server.shutdown()
            thread.join()
