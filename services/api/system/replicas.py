"""The replicas of a service: all addresses that the name in a URL has.

The name of a headless Service in Kubernetes, or of a service in compose, has one address for each
replica. Behind a proxy (HTTP_PROXY) the proxy looks the name up, so the name counts as one replica.

See docs/decisions/0101-every-replica-is-asked.md.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address

from yarl import URL

from shared.runtime.urls import host_of
from shared.web import client as http

MOST_REPLICAS = 100
"""Addresses of one name that are asked. A request for /v1/system costs one read of each."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port → IP addresses. Raises OSError or TimeoutError."""

_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Replica:
    """One address of a service. `service` is host and port as written in the setting."""

    service: str
    address: str | None
    url: URL
    headers: dict[str, str]
    server_name: str | None
    """The name in the certificate of an https:// URL."""
    proxy: URL | None = None
    """The proxy that this replica is asked through."""

    @property
    def key(self) -> str:
        """A short name of this replica for clients. The same address and path have the same key."""
        place = f"{self.address or self.url.host}:{self.url.port}{self.url.path.rstrip('/')}"
        return sha256(place.encode()).hexdigest()[:12]


async def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host, in order. Only IPv4 if there are any, so no replica counts twice."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(_SECONDS):
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    families = {family for family, *_ in found}
    family = socket.AF_INET if socket.AF_INET in families else socket.AF_INET6
    addresses = {str(place[0]) for kind, *_, place in found if kind == family}
    return sorted(addresses, key=ip_address)


async def replicas_of(url: str, resolve: Resolve) -> list[Replica]:
    """The replicas at a URL. Raises OSError or TimeoutError if its name has no address."""
    service, parsed = host_of(url), URL(url)
    host = parsed.host or ""
    if proxy := await http.proxy_of(parsed):
        return [Replica(service, None, parsed, {}, None, proxy)]
    server_name = host if parsed.scheme == "https" else None
    return [
        Replica(service, address, parsed.with_host(address), {"Host": service}, server_name)
        for address in await resolve(host, parsed.port or 80)
    ]
