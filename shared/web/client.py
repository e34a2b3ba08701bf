"""HTTP to other servers. All client sessions of the project are created here.

Each session obeys HTTPS_PROXY, HTTP_PROXY and NO_PROXY. aiohttp reads NO_PROXY as
Python's urllib does: `*`, or host names (each includes its subdomains) and addresses.

See docs/decisions/0046-one-function-makes-client-sessions.md.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
import structlog
from yarl import URL

log = structlog.get_logger()


def session(**options: Any) -> aiohttp.ClientSession:
    """A ClientSession with these options of aiohttp. The caller closes it.

    `trust_env` is set only if the environment names a proxy, because with `trust_env` aiohttp uses
    two threads for each request and reads ~/.netrc.
    """
    _warn_about_no_proxy(os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "")
    return aiohttp.ClientSession(trust_env=bool(getproxies()), **options)


def is_proxied(url: str) -> bool:
    """True if a session sends requests for this URL through a proxy."""
    parsed = URL(url)
    return parsed.scheme in getproxies() and not proxy_bypass(parsed.host or "")


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
