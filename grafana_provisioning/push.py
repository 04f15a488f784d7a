"""Data source, folder and dashboards into a Grafana that runs, over its HTTP API.

Only calls that Grafana 9 to 13 all have: data sources by name and uid, folders and dashboards by uid. Everything may be
done twice: what is there is brought to what it should be, and a dashboard that is right already gets no new version.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
from grafana_api.grafana_api import GrafanaClientError, GrafanaException
from grafana_api.grafana_face import GrafanaFace

from grafana_provisioning.data_source import PLUGIN_VERSION, TYPE
from infrastructure.proxies import through_proxy
from topics.errors import UserError

Json = dict[str, Any]
Said = Callable[[str], None]

FOLDER_UID, FOLDER = "iot", "IoT"
OLDEST = (9, 0)
"""Data sources have addresses by uid, and answer whether they are well, since Grafana 9."""
TIMEOUT = 10.0
"""Seconds that a call may take."""
TESTED = "11.6"
UNTESTED = 12
"""From this version on the plugin is not known to load (docs/how-to/grafana.md)."""


class PushError(UserError):
    """Grafana cannot be reached, or refuses; the message says what to do."""


class Grafana:
    """One running Grafana. Every method raises ``PushError``."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        path = parts.path.strip("/")
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
            raise PushError(f"{url} is not the address of a Grafana: give one like http://127.0.0.1:3000")
        self._url = url.rstrip("/")
        self._client = GrafanaFace(
            token,
            host=f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname,
            port=parts.port,
            url_path_prefix=f"{path}/" if path else "",
            protocol=parts.scheme,
            timeout=TIMEOUT,
        )

    def version(self) -> str:
        """Of Grafana; empty when it hides it. Refuses one that is too old."""
        with self._told("ask for its version"):
            health = self._client.api.GET("/health")
        if not (isinstance(health, Mapping) and "database" in health):
            raise PushError(f"{self._url} answers, but is no Grafana: is the path missing, behind which it is?")
        version = str(health.get("version", ""))
        if (found := _release(version)) and found < OLDEST:
            raise PushError(
                f"Grafana {version} is too old: it needs {'.'.join(map(str, OLDEST))} at least; {TESTED} is tested"
            )
        return version

    def put_data_source(self, wanted: Json) -> str:
        """Create the data source, or change the one of that name. What was done, in a word."""
        name, uid = wanted["name"], wanted["uid"]
        with self._told(f"look for the data source {name}"):
            there = _or_none(lambda: self._client.datasource.get_datasource_by_name(name))
        if there is None:
            with self._told(f"create the data source {name}"):
                self._client.datasource.create_datasource(wanted)
            return "created"
        if there["uid"] != uid or there["type"] != wanted["type"]:
            raise PushError(
                f"Grafana has another data source called {name} (uid {there['uid']}, type {there['type']}): "
                "rename or delete it (Connections, Data sources), and push again"
            )
        if there.get("readOnly"):
            return "is provisioned from files, left as it is"
        with self._told(f"change the data source {name}"):
            # grafana-api itself changes data sources by number only, which is going away.
            self._client.api.PUT(f"/datasources/uid/{uid}", json=wanted)
        return "updated"

    def put_folder(self, uid: str, title: str) -> str:
        """Create the folder, or give it its title. What was done, in a word."""
        with self._told(f"look for the folder {title}"):
            there = _or_none(lambda: self._client.folder.get_folder(uid))
        if there is None:
            with self._told(f"create the folder {title}"):
                self._client.folder.create_folder(title, uid)
            return "created"
        if there["title"] == title:
            return "unchanged"
        with self._told(f"rename the folder {there['title']} to {title}"):
            self._client.folder.update_folder(uid, title, overwrite=True)
        return "renamed"

    def put_dashboard(self, dashboard: Json, folder_uid: str) -> str:
        """Create the dashboard, or replace the one of its uid, in this folder. What was done, in a word."""
        title = dashboard["title"]
        with self._told(f"look for the dashboard {title}"):
            there = _or_none(lambda: self._client.dashboard.get_dashboard(dashboard["uid"]))
        if there is not None:
            if there["meta"].get("provisioned"):
                return "is provisioned from files, left as it is"
            if there["meta"].get("folderUid") == folder_uid and _content(there["dashboard"]) == _content(dashboard):
                return "unchanged"
        with self._told(f"save the dashboard {title}"):
            self._client.dashboard.update_dashboard(
                {
                    "dashboard": {**dashboard, "id": None},
                    "folderUid": folder_uid,
                    "overwrite": True,
                    "message": "iot grafana push",
                }
            )
        return "created" if there is None else "updated"

    def check_data_source(self, uid: str) -> None:
        """Return when Grafana says that the data source works, which it asks the plugin, which asks Redis."""
        try:
            with self._told("ask whether the data source works"):
                answer = self._client.api.GET(f"/datasources/uid/{uid}/health")
        except PushError as error:
            raise PushError(
                f"everything is in Grafana, but its data source does not work. {error}\n"
                f"Is the plugin there (grafana cli plugins install {TYPE} {PLUGIN_VERSION})? "
                "Does Grafana reach Redis at IOT_GRAFANA_REDIS, and is the password of the user viewer right?"
            ) from error
        if str(answer.get("status", "")).upper() != "OK":
            raise PushError(f"everything is in Grafana, but its data source says: {answer.get('message', answer)}")

    @contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        """Turn what goes wrong while ``doing`` something into a message that says what to do."""
        try:
            yield
        except requests.exceptions.SSLError as error:
            raise PushError(
                f"the certificate of {self._url} is not trusted: {error}. "
                "Put its authority's file into REQUESTS_CA_BUNDLE"
            ) from error
        except requests.exceptions.JSONDecodeError as error:
            raise PushError(
                f"{self._url} answers, but is no Grafana: is the path missing, behind which it is?"
            ) from error
        except requests.RequestException as error:
            raise PushError(
                f"no Grafana answers at {self._url}: does it run? Give its address by --url. ({error})"
                f"{through_proxy(self._url)}"
            ) from error
        except GrafanaException as error:
            raise PushError(self._advice(error, doing)) from error

    def _advice(self, error: GrafanaException, doing: str) -> str:
        response = error.response
        said = str(response.get("message") or response) if isinstance(response, Mapping) else str(response)[:200]
        match error.status_code:
            case 401:
                advice = (
                    "the token is wrong or has expired: make one (Administration, Users and access, Service accounts, "
                    "role Admin) and give it by IOT_GRAFANA_TOKEN or --token-file"
                )
            case 403:
                advice = "the token's service account may not do that: give it the role Admin"
            case 404:
                advice = "there is nothing: is the path missing from --url, behind which Grafana is?"
            case 409:
                advice = "the uid or the name is taken by something else: rename or delete that, and push again"
            case 412:
                advice = (
                    "somebody saved it at the same time, or it belongs to a plugin: push again, or give it another uid"
                )
            case status if status >= 500:
                advice = "that is a fault of Grafana's or of a proxy before it: look into its log"
            case _:
                advice = "see what it says"
        return f"Grafana at {self._url} refuses to {doing}: {error.status_code}, {said}. To do: {advice}"


def push(grafana: Grafana, data_source: Json, dashboards: Iterable[Json], said: Said) -> None:
    """Put everything into Grafana; ``said`` hears each step. Raises ``PushError``."""
    version = grafana.version()
    said(f"Grafana {version or '(it hides its version)'}")
    if (found := _release(version)) and found[0] >= UNTESTED:
        unknown = f"the plugin {TYPE} is not known to load there (docs/how-to/grafana.md)"
        said(f"this version is newer than {TESTED}: {unknown}")
    said(f"data source {data_source['name']}: {grafana.put_data_source(data_source)}")
    said(f"folder {FOLDER}: {grafana.put_folder(FOLDER_UID, FOLDER)}")
    for dashboard in dashboards:
        said(f"dashboard {dashboard['title']}: {grafana.put_dashboard(dashboard, FOLDER_UID)}")
    grafana.check_data_source(data_source["uid"])
    said("Grafana reads Redis")


def _or_none(call: Callable[[], Json]) -> Json | None:
    try:
        return call()
    except GrafanaClientError as error:
        if error.status_code == 404:
            return None
        raise


def _content(dashboard: Json) -> Json:
    """Without the fields that Grafana counts up itself."""
    return {name: value for name, value in dashboard.items() if name not in {"id", "version"}}


def _release(version: str) -> tuple[int, int] | None:
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else None
