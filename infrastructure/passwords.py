"""Passwords: given themselves, or one a file."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import SecretStr

from infrastructure.settings import NO_PASSWORD, Settings
from topics.errors import UnavailableError, UserError

ADMIN = "admin"
"""Name of the servers' administrator, in Kafka and in Redis."""

USABLE = re.compile(r"[!#-\[\]-~]+")
"""Passwords that pass through all formats alike: printable ASCII without spaces, quotes and backslashes."""


def password_of(settings: Settings, name: str) -> str:
    """The password ``name`` of these settings. Raises as ``read_password`` does."""
    return read_password(name, settings.secrets_dir, settings.flat().get(name, NO_PASSWORD))


def read_password(name: str, secrets_dir: Path, given: SecretStr = NO_PASSWORD) -> str:
    """The password ``name``: as it was given, or else what its file in ``secrets_dir`` holds.

    Raises ``UserError`` when it is not there, or cannot be one.
    """
    if given.get_secret_value():
        where, found = f"IOT_{name.upper()}", given.get_secret_value()
    else:
        file = secrets_dir / name
        try:
            where, found = str(file), file.read_text(errors="replace")
        except FileNotFoundError:
            raise UnavailableError(
                f"there is no password in {file}. The local stack makes it when it starts. For servers elsewhere "
                f"put it there, or set IOT_{name.upper()}. "
                f"Without logins empty IOT_{name.upper().replace('PASSWORD', 'USER')}"
            ) from None
        except OSError as error:
            raise UserError(f"{file} cannot be read: {error.strerror}") from error
    if not USABLE.fullmatch(found):
        raise UserError(
            f"{where} must hold the password alone, without a line break: "
            "printable ASCII without spaces, quotes and backslashes"
        )
    return found


def check_readable(file: Path, setting: str) -> Path:
    """The file. Raises ``UserError`` that names ``setting`` when it cannot be read."""
    try:
        with file.open("rb"):
            return file
    except OSError as error:
        raise UserError(f"{setting}: {file} cannot be read: {error.strerror}") from error
