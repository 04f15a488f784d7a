"""The data source: Redis, read by the plugin redis-datasource as a user who may read series and nothing else.

The plugin runs any Redis command that a dashboard's author writes, so the user's rights are the limit. TLS is switched
on by ``tlsAuth``; the plugin does not know rediss://. A database in the address would need the right to ``select``.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from infrastructure.settings import Settings
from topics.errors import UserError

TYPE = "redis-datasource"
PLUGIN_VERSION = "2.2.0"
UID = "iot-redis"
NAME = "IoT Redis"
USER = "viewer"


@dataclass(frozen=True)
class Tls:
    """PEM texts: the authorities of Redis' certificate, and certificate and key where Redis asks a client for them."""

    authorities: str
    certificate: str = ""
    key: str = ""

    @classmethod
    def of(cls, authorities: Path, client: Path | None = None) -> Tls:
        """From files; ``client`` holds certificate and key.

        Raises ``UserError`` for files that cannot be read or hold no PEM: the plugin would ignore them silently.
        """
        pem = _text(authorities)
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
        except (ssl.SSLError, ValueError) as error:
            raise UserError(f"{authorities} holds no certificates in PEM: {error}") from error
        if client is None:
            return cls(pem)
        try:
            ssl.create_default_context().load_cert_chain(client)
        except (ssl.SSLError, OSError) as error:
            raise UserError(f"{client} does not hold a certificate and its key in PEM: {error}") from error
        both = _text(client)
        return cls(pem, certificate=_blocks(both, "CERTIFICATE"), key=_blocks(both, "PRIVATE KEY"))


def definition(address: str, password: str, tls: Tls | None = None) -> dict[str, Any]:
    """As Grafana's API and its provisioning files take it; ``address`` (host:port) is as Grafana reaches Redis."""
    secrets = {"password": password}
    if tls is not None:
        given = {"tlsCACert": tls.authorities, "tlsClientCert": tls.certificate, "tlsClientKey": tls.key}
        secrets |= {name: pem for name, pem in given.items() if pem}
    return {
        "name": NAME,
        "uid": UID,
        "type": TYPE,
        "access": "proxy",
        "isDefault": False,
        "url": f"redis://{address}",
        "jsonData": {
            "client": "standalone",
            "acl": True,
            "user": USER,
            "tlsAuth": tls is not None,
            "tlsSkipVerify": False,
            "cliDisabled": True,
            "poolSize": 5,
            "timeout": 10,
            "pingInterval": 0,
            "pipelineWindow": 0,
        },
        "secureJsonData": secrets,
    }


def address(settings: Settings) -> str:
    """Host and port of Redis as Grafana reaches it: IOT_GRAFANA_REDIS, or else those in IOT_REDIS."""
    return settings.grafana.redis or f"{urlsplit(settings.redis.url).hostname}:{settings.redis.port}"


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read: {error}") from error


def _blocks(pem: str, kind: str) -> str:
    """The PEM blocks of a kind, ``PRIVATE KEY`` being one of every kind of key."""
    found: list[str] = []
    inside = False
    for line in pem.splitlines():
        inside = inside or (line.startswith("-----BEGIN ") and line.endswith(f"{kind}-----"))
        if inside:
            found.append(line)
        if line.startswith("-----END "):
            inside = False
    return "\n".join(found) + "\n"
