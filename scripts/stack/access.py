"""Who may do what on the local stack: its passwords, the users of its servers, and their rights.

The files with the passwords are what counts: each start sets the servers to them.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from infrastructure.kafka.client import kafka_options
from infrastructure.passwords import ADMIN, password_of
from infrastructure.settings import Settings

TIMEOUT = 30

PASSWORDS = (
    "kafka_admin_password",
    "kafka_password",
    "redis_admin_password",
    "redis_ingest_password",
    "redis_viewer_password",
)

RIGHTS = {
    ResourceType.TOPIC: (
        AclOperation.READ,
        AclOperation.WRITE,
        AclOperation.CREATE,
        AclOperation.DELETE,
        AclOperation.DESCRIBE_CONFIGS,
        AclOperation.ALTER_CONFIGS,
    ),
    ResourceType.GROUP: (AclOperation.READ, AclOperation.DELETE),
}
"""What the system's own user may do with every topic and consumer group. The rest is refused."""


def make_secrets(settings: Settings) -> None:
    """Make the passwords that are not there yet; nobody else can read them. Idempotent."""
    directory = settings.secrets_dir
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in PASSWORDS:
        if not (directory / name).exists():
            fresh = directory / f".{name}.{os.getpid()}"
            write_private(fresh, secrets.token_urlsafe(32))
            try:
                os.link(fresh, directory / name)  # whole, or not at all; who comes second takes what is there
            except FileExistsError:
                pass
            finally:
                fresh.unlink()


def secrets_made(settings: Settings) -> bool:
    """Whether the stack's own passwords are there."""
    return all((settings.secrets_dir / name).exists() for name in PASSWORDS)


def write_private(file: Path, text: str) -> None:
    """Write a file that nobody else can read, at no moment."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)


def parameters(settings: Settings) -> dict[str, object]:
    """What the files in ``conf/`` want to know of users and certificates. Raises ``UserError``."""
    certificate = settings.stack.certificate

    def hashed(user: str) -> str:
        return hashlib.sha256(password_of(settings, f"redis_{user}_password").encode()).hexdigest()

    return {
        "kafka_protocol": settings.kafka.protocol,
        "kafka_admin_password": password_of(settings, "kafka_admin_password"),
        "kafka_mechanism_name": settings.kafka.mechanism.lower(),
        "stack_certificate": certificate or "",
        "kafka_ca": settings.kafka.ca or "",
        "redis_plain_port": 0 if certificate else settings.redis.port,
        "redis_tls_port": settings.redis.port if certificate else 0,
        "redis_ca": settings.redis.ca or "",
        "redis_asks_for_certificates": "yes" if settings.redis.certificate else "no",
        "redis_admin_hash": hashed("admin"),
        "redis_ingest_hash": hashed("ingest"),
        "redis_viewer_hash": hashed("viewer"),
    }


def kafka_admin(settings: Settings) -> dict[str, Any]:
    """Options of a Kafka client that may do everything; the local broker knows this user from its configuration."""
    return {
        **kafka_options(settings.kafka),
        "sasl.mechanism": "PLAIN",
        "sasl.username": ADMIN,
        "sasl.password": password_of(settings, "kafka_admin_password"),
    }


def grant(settings: Settings) -> None:
    """Let the system's own user log in to the local Kafka and do its work. Idempotent."""
    client = AdminClient({**kafka_admin(settings), "log_level": 0})
    mechanism = getattr(ScramMechanism, settings.kafka.mechanism.replace("-", "_"))
    credential = UserScramCredentialUpsertion(
        settings.kafka.user,
        ScramCredentialInfo(mechanism, 4096),
        password_of(settings, "kafka_password").encode(),
    )
    rights = [
        AclBinding(kind, "*", ResourcePatternType.LITERAL, f"User:{settings.kafka.user}", "*", right, ALLOW)
        for kind, rights in RIGHTS.items()
        for right in rights
    ]
    for future in [
        *client.alter_user_scram_credentials([credential], request_timeout=TIMEOUT).values(),
        *client.create_acls(rights, request_timeout=TIMEOUT).values(),
    ]:
        future.result()


ALLOW = AclPermissionType.ALLOW
