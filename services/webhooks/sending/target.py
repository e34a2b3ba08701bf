"""Where a delivery goes: the URL of an endpoint, checked and parsed. Pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from yarl import URL

from shared.web.public_resolver import AllowedNetworks
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
    parsed = URL(check_endpoint_url(url, allowed))
    # aiohttp connects to the host that yarl reads, so that host is checked and not only ours.
    check_endpoint_url(str(parsed), allowed)
    host = parsed.host or ""
    return Target(parsed, host, f"{host}:{parsed.port}")


def target_cache(allowed: AllowedNetworks) -> Callable[[str], Target]:
    """`target_of` that remembers the last URLs. Settings do not change while a process runs."""
    return lru_cache(_KEPT_TARGETS)(lambda url: target_of(url, allowed))
