"""The HTTP sessions of a dispatcher.

A session connects only to public addresses, and to those that the operator allows. The connection
uses the addresses that were checked. Nothing is remembered between two requests but the connection:
no cookies, no redirects.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import NamedTuple
from urllib.request import getproxies

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from services.webhooks.sending.connector import BoundedConnector
from services.webhooks.sending.resolving import PooledResolver
from services.webhooks.sending.target import Target
from services.webhooks.settings import DispatcherSettings
from shared import __version__
from shared.web import client as http
from shared.web.public_resolver import PublicResolver

CONNECT_SECONDS = 5.0
DNS_SECONDS = 10
"""How long a checked address is used for new connections."""
_IDLE_SECONDS = 15.0
"""How long a connection is kept for the next delivery."""
_HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": f"Headrace/{__version__}",
    "Accept-Encoding": "identity",  # a small answer may unpack to a huge one
}


class Route(NamedTuple):
    """How a request reaches its receiver. Without a `proxy`, the session connects directly."""

    session: aiohttp.ClientSession
    proxy: URL | None


class Sessions:
    """One session for direct connections, and one for those through HTTPS_PROXY.

    `most_open`: more connections are not kept open.
    """

    def __init__(self, settings: DispatcherSettings, most_open: int) -> None:
        allowed = settings.webhook_allowed_networks
        self._timeout = aiohttp.ClientTimeout(settings.webhook_seconds, CONNECT_SECONDS)
        self._most_open = most_open
        self._tls = ssl.create_default_context()
        self._resolver = PublicResolver(PooledResolver(), allowed)
        self.direct = self._session(self._resolver)
        self.proxied: aiohttp.ClientSession | None = None
        if getproxies():  # asked once: it reads all variables, which takes about 50 µs
            # aiohttp resolves only the proxy's name here. It is rarely public.
            self.proxied = self._session(PooledResolver())

    def _session(self, resolver: AbstractResolver) -> aiohttp.ClientSession:
        connector = BoundedConnector(
            most_open=self._most_open,
            resolver=resolver,
            ssl=self._tls,
            ttl_dns_cache=DNS_SECONDS,
            limit=0,  # lanes limit the connections, and waiting there is not part of the time
            keepalive_timeout=_IDLE_SECONDS,
        )
        return http.session(
            connector=connector,
            timeout=self._timeout,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            skip_auto_headers=("Accept",),
            trust_env=False,  # `route` says for each request whether it uses a proxy
        )

    async def route(self, target: Target) -> Route:
        """The route to a target. Raises OSError if the name has an address that is not public.

        A proxy resolves names itself, so the name is checked here before.
        """
        if self.proxied is None or (proxy := await http.proxy_of(target.url)) is None:
            return Route(self.direct, None)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._resolver.resolve(target.host, target.url.port or 443)
        except TimeoutError:  # no request was sent, so it is not the receiver that was slow
            raise socket.gaierror(socket.EAI_AGAIN, "no answer in time") from None
        return Route(self.proxied, proxy)

    async def aclose(self) -> None:
        """Close all connections."""
        await self.direct.close()
        await self._resolver.close()
        if self.proxied is not None:
            await self.proxied.close()
