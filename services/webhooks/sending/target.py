"""Where a delivery goes: the URL of an endpoint, checked and parsed. Pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from yarl import URL

from shared.web.public_addresses import AllowedNetworks
from shared.webhooks.urls import check_endpoint_url

_KEPT_TARGETS = 4_096


class Target(NamedTuple):
    """A URL that may be used. `host` is for the owner's eyes, `server` is `host:port`."""

    url: URL
    host: str
    server: str


def target_of(url: str, allowed: AllowedNetworks) -> Target:
    """The target of an endpoint's URL. Raises ValueError if it must not be used.

    The stored URL is checked again, because WEBHOOK_ALLOWED_NETWORKS may have changed since.
    """
    # Nothing is encoded anew: the receiver gets the path and the query that its owner wrote.
    parsed = URL(check_endpoint_url(url, allowed), encoded=True)
    host = (parsed.raw_host or "").lower()  # `host` decodes xn--…, and fails for some names
    if host != (urlsplit(url).hostname or ""):
        # aiohttp connects to the host that yarl reads, so both must read the same.
        raise ValueError("the host of the URL can be read in two ways")
    return Target(parsed, host, f"{host}:{parsed.port}")


def target_cache(allowed: AllowedNetworks) -> Callable[[str], Target]:
    """`target_of` that remembers the last URLs. Settings do not change while a process runs."""
    return lru_cache(_KEPT_TARGETS)(lambda url: target_of(url, allowed))
