"""The data source: the provisioning files say what `push` says, and TLS files that are none are refused."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from grafana_provisioning import data_source
from grafana_provisioning.data_source import Tls
from grafana_provisioning.push import FOLDER, FOLDER_UID
from infrastructure.home import ROOT
from infrastructure.settings import Settings, load_settings
from topics.errors import UserError

FILES = ROOT / "grafana_provisioning"


def provisioned(directory: str, *, client: bool = False) -> dict[str, Any]:
    text = (FILES / directory / "redis.yaml").read_text(encoding="utf-8")
    if client:
        text = re.sub(r"# (tlsClient)", r"\1", text)
    [source] = yaml.safe_load(text)["datasources"]
    assert source.pop("editable") is False
    return dict(source)


def test_the_file_says_what_push_says() -> None:
    wanted = data_source.definition("$IOT_GRAFANA_REDIS", "$IOT_REDIS_VIEWER_PASSWORD")
    assert provisioned("datasources") == wanted


@pytest.mark.parametrize("client", [False, True])
def test_the_file_for_tls_says_what_push_says(client: bool) -> None:
    given = {"certificate": "$__file{/run/secrets/redis_client_certificate}"} if client else {}
    given |= {"key": "$__file{/run/secrets/redis_client_key}"} if client else {}
    tls = Tls("$__file{/run/secrets/redis_ca}", **given)
    wanted = data_source.definition("$IOT_GRAFANA_REDIS", "$IOT_REDIS_VIEWER_PASSWORD", tls)
    assert provisioned("datasources-tls", client=client) == wanted


@pytest.mark.parametrize("directory", ["datasources", "datasources-tls"])
def test_what_the_plugin_takes_as_a_boolean_or_a_number_is_one(directory: str) -> None:
    options = provisioned(directory)["jsonData"]
    for name in ("acl", "tlsAuth", "tlsSkipVerify", "cliDisabled"):
        assert type(options[name]) is bool
    for name in ("poolSize", "timeout", "pingInterval", "pipelineWindow"):
        assert type(options[name]) is int


@pytest.mark.parametrize("directory", ["datasources", "datasources-tls"])
def test_the_address_is_one_that_the_plugin_takes(directory: str) -> None:
    url = provisioned(directory)["url"]
    assert url.startswith("redis://")
    assert "/" not in url.removeprefix("redis://")


@pytest.mark.parametrize("directory", ["datasources", "datasources-tls"])
def test_files_hold_no_secret(directory: str) -> None:
    for value in provisioned(directory)["secureJsonData"].values():
        # In braces what is filled in would be expanded once more, and lose its $.
        assert re.fullmatch(r"\$[A-Z_]+|\$__file\{/run/secrets/redis_[a-z_]+\}", value)
    assert "$__file" not in provisioned(directory)["secureJsonData"]["password"]


def test_the_dashboards_are_provisioned_into_the_folder_that_push_uses() -> None:
    [provider] = yaml.safe_load((FILES / "dashboards" / "iot.yaml").read_text(encoding="utf-8"))["providers"]
    assert (provider["folder"], provider["folderUid"]) == (FOLDER, FOLDER_UID)
    assert provider["type"] == "file"
    assert provider["options"]["path"] == "/etc/grafana/provisioning/dashboards"


def test_the_address_is_that_of_redis_unless_given() -> None:
    settings = Settings.of(env_file=None, redis="redis://10.0.0.7/0")
    assert data_source.address(settings) == "10.0.0.7:6379"
    assert data_source.address(settings.replace(grafana_redis="redis:6380")) == "redis:6380"


@pytest.mark.parametrize("address", ["redis", "redis://redis:6379", "redis:6379/0", "user@redis:6379"])
def test_an_address_that_the_plugin_does_not_take_is_refused(address: str) -> None:
    with pytest.raises(UserError, match="IOT_GRAFANA_REDIS"):
        load_settings(grafana_redis=address)


def test_the_token_does_not_go_into_the_environment_of_others() -> None:
    assert not [name for name in Settings.of(env_file=None).environment() if "TOKEN" in name]


def certified() -> tuple[str, str]:
    """A certificate that certifies itself, and its key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "viewer")])
    since = datetime(2020, 1, 1, tzinfo=UTC)
    until = since + timedelta(days=36500)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), since, until)
    signed = builder.sign(key, hashes.SHA256())
    plain = serialization.NoEncryption()
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return signed.public_bytes(serialization.Encoding.PEM).decode(), text.decode()


def test_files_of_tls(tmp_path: Path) -> None:
    certificate, key = certified()
    ca, client, empty = tmp_path / "ca.pem", tmp_path / "client.pem", tmp_path / "empty.pem"
    ca.write_text(certificate)
    client.write_text(key + certificate)
    empty.touch()
    assert Tls.of(ca, client) == Tls(certificate, certificate=certificate, key=key)
    secrets = data_source.definition("redis:6379", "x", Tls.of(ca, client))["secureJsonData"]
    assert secrets.keys() == {"password", "tlsCACert", "tlsClientCert", "tlsClientKey"}
    assert data_source.definition("redis:6379", "x", Tls.of(ca))["secureJsonData"].keys() == {"password", "tlsCACert"}
    for wrong in (tmp_path / "nowhere", empty):
        with pytest.raises(UserError, match=wrong.name):
            Tls.of(wrong)
        with pytest.raises(UserError, match=wrong.name):
            Tls.of(ca, wrong)
    with pytest.raises(UserError, match="a certificate and its key"):
        Tls.of(ca, ca)
