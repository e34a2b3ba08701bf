"""HTTP to other servers. All client sessions of the project are created here.

Each session obeys HTTPS_PROXY, HTTP_PROXY and NO_PROXY. aiohttp reads NO_PROXY as
Python's urllib does: `*`, or host names (each includes its subdomains) and addresses.

See docs/decisions/0046-one-function-makes-client-sessions.md.
"""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from urllib.request import getproxies

import aiohttp
import structlog
from aiohttp.helpers import get_env_proxy_for_url
from yarl import URL

log = structlog.get_logger()

_UNNAMED = "unnamed.invalid"
"""Stands for a host that no entry of NO_PROXY but `*` can name."""


def session(**options: Any) -> aiohttp.ClientSession:
    """A ClientSession with these options of aiohttp. The caller closes it.

    `trust_env` is set only if the environment names a proxy, because with `trust_env` aiohttp uses
    two threads for each request and reads ~/.netrc. A caller that must know the way of its requests
    sets it to False, and gives each request the proxy that `proxy_of` has returned.
    """
    _warn_about_no_proxy(os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "")
    return aiohttp.ClientSession(**{"trust_env": bool(getproxies()), **options})


async def proxy_of(url: URL) -> URL | None:
    """The proxy of the environment for this URL; None if it is reached directly.

    aiohttp decides, as it does for each request of a session with `trust_env`. It reads ~/.netrc,
    so this runs in a thread.
    """
    if not getproxies():
        return None
    try:
        _ = url.host
    except UnicodeError:  # xn--… that means nothing, which yarl cannot decode
        url = url.with_host(_UNNAMED)
    try:
        proxy, login = await asyncio.to_thread(get_env_proxy_for_url, url)
    except LookupError:
        return None
    return proxy if login is None else proxy.with_user(login.login).with_password(login.password)


def reason(error: BaseException) -> str:
    """The text of an aiohttp error for logs.

    Do not log the error's `repr`: it shows request headers, the proxy password and the whole URL.
    """
    name = type(error).__name__
    if isinstance(error, aiohttp.ClientResponseError):
        return f"{name}: {error.status} {error.message}"
    if isinstance(error, aiohttp.InvalidURL):
        return name
    return f"{name}: {error}" if str(error) else name


def http_date(text: str) -> datetime | None:
    """Parse an HTTP date (RFC 9110, 5.6.7) in one of its three forms; None if it is not a date."""
    try:
        parsed = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # OverflowError: a number with very many digits
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)  # all forms are in GMT


def unusable_no_proxy_entries(no_proxy: str) -> list[str]:
    """The entries of NO_PROXY that match nothing: networks (10.0.0.0/8) and hosts with a port."""
    entries = [entry.strip() for entry in no_proxy.split(",")]
    return [entry for entry in entries if "/" in entry or entry.count(":") == 1 or "]" in entry]


@lru_cache(maxsize=1)
def _warn_about_no_proxy(no_proxy: str) -> None:
    """Log the entries of NO_PROXY that match nothing, once for each value of NO_PROXY."""
    if entries := unusable_no_proxy_entries(no_proxy):
        meaning = "these entries match nothing: use host names or addresses, without a port"
        log.warning("no_proxy_ignored", entries=entries, meaning=meaning)
