"""HTTP to other servers: every client session of the project is made here.

So each session uses the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name. aiohttp reads
NO_PROXY as Python's urllib does: `*`, or host names (each with all names below it) and addresses.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
import structlog
from yarl import URL

log = structlog.get_logger()


def session(**options: Any) -> aiohttp.ClientSession:
    """A ClientSession with these options of aiohttp's; close it as usual.

    `trust_env` is set only when the environment names a proxy: with it aiohttp uses two threads for
    each request and reads ~/.netrc.
    """
    _warn_about_no_proxy(os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "")
    return aiohttp.ClientSession(trust_env=bool(getproxies()), **options)


def is_proxied(url: str) -> bool:
    """Whether a session sends requests for this URL through a proxy."""
    asked = URL(url)
    return asked.scheme in getproxies() and not proxy_bypass(asked.host or "")


def reason(error: BaseException) -> str:
    """An aiohttp error in words, for logs.

    Never its `repr`, which has the request's headers, the proxy's password and the whole URL.
    """
    name = type(error).__name__
    if isinstance(error, aiohttp.ClientResponseError):
        return f"{name}: {error.status} {error.message}"
    if isinstance(error, aiohttp.InvalidURL):
        return name
    return f"{name}: {error}" if str(error) else name


def unusable_no_proxy_entries(no_proxy: str) -> list[str]:
    """Entries of NO_PROXY that match nothing: networks (10.0.0.0/8) and hosts with a port."""
    entries = [entry.strip() for entry in no_proxy.split(",")]
    return [entry for entry in entries if "/" in entry or entry.count(":") == 1 or "]" in entry]


@lru_cache(maxsize=1)
def _warn_about_no_proxy(no_proxy: str) -> None:
    """Log once for each value."""
    if entries := unusable_no_proxy_entries(no_proxy):
        said = "these match nothing: give host names or addresses, without a port"
        log.warning("no_proxy_ignored", entries=entries, meaning=said)
