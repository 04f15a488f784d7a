"""An HTTP proxy is for addresses elsewhere: what listens on this machine is asked directly."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from urllib.parse import urlsplit

LOCAL = ("localhost", "127.0.0.1", "127.0.0.0/8", "::1")
"""Addresses of this machine. ``requests`` takes a network; urllib, and curl before 7.86, take names alone."""

VARIABLES = ("no_proxy", "NO_PROXY")
"""Which of the two counts differs from program to program."""


def keep_local_direct(environment: MutableMapping[str, str] = os.environ) -> None:
    """Except local addresses from the proxy of this process, and of those that it starts.

    What the user has excepted stays excepted, in whichever of the two variables it stands.
    """
    given = [part.strip() for name in VARIABLES for part in environment.get(name, "").split(",")]
    # "*" excepts everything, and only where it stands alone.
    value = "*" if "*" in given else ",".join(dict.fromkeys([*filter(None, given), *LOCAL]))
    environment.update(dict.fromkeys(VARIABLES, value))


def through_proxy(url: str) -> str:
    """The end of an error about ``url``: through which proxy this process asks it; empty where it asks directly."""
    from requests.utils import get_environ_proxies, select_proxy  # of those that only start, nobody waits for it

    proxy = select_proxy(url, get_environ_proxies(url))
    if not proxy:
        return ""
    where = urlsplit(proxy if "://" in proxy else f"//{proxy}")
    name = f"{where.hostname}:{where.port}" if where.port else where.hostname  # without the login that may be in it
    return f". It is asked through the proxy {name}: if it is reached without one, put its name into no_proxy"
