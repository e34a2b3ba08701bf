"""Reads the signing key of a wallet's client domain from the domain's stellar.toml (SEP-1).

The client chooses the domain, so the fetch must not reach our private network (SSRF). The fetch
uses https on port 443 of a public host name. It follows no redirect, and limits size and time. All
addresses of the host must be public, and the connection uses the addresses that were checked.
"""

from __future__ import annotations

import asyncio
import re
import tomllib
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from services.api.errors import ClientDomainRejectedError
from shared.domain.strkeys import is_public_key
from shared.web import client as http
from shared.web.public_resolver import PublicResolver

FetchToml = Callable[[str], Awaitable[bytes]]
"""Takes a host name and returns the bytes of its stellar.toml. Raises ClientDomainRejectedError."""

MAX_TOML_BYTES = 100 * 1024
"""The largest stellar.toml that SEP-1 allows, in bytes."""

_HOST = re.compile(r"(?=.{4,63}\Z)([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}", re.ASCII)
_TIMEOUT = aiohttp.ClientTimeout(total=5.0)
_NO_COMPRESSION = {"Accept-Encoding": "identity"}  # a small body may unpack to a huge one


def is_public_name(domain: str) -> bool:
    """True if the text is a full host name without a port. False for an IP address."""
    return _HOST.fullmatch(domain) is not None


async def fetch_toml(domain: str) -> bytes:
    """The bytes of https://<domain>/.well-known/stellar.toml. Raises ClientDomainRejectedError.

    With HTTPS_PROXY the proxy connects to the domain. We check the domain's addresses in this case
    too.
    """
    url = f"https://{domain}/.well-known/stellar.toml"
    resolver: AbstractResolver = PublicResolver(aiohttp.ThreadedResolver())
    try:
        if proxy := await http.proxy_of(URL(url)):
            async with asyncio.timeout(_TIMEOUT.total):
                await resolver.resolve(domain, 443)
            # From here on, aiohttp resolves only the proxy's name. The proxy's address is rarely
            # public, so PublicResolver would reject it.
            resolver = aiohttp.ThreadedResolver()
        connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False)
        async with (
            http.session(
                connector=connector, timeout=_TIMEOUT, auto_decompress=False, trust_env=False
            ) as session,
            session.get(
                url, proxy=proxy, allow_redirects=False, headers=_NO_COMPRESSION
            ) as response,
        ):
            return await read_bounded(response)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        raise ClientDomainRejectedError(f"The stellar.toml of {domain} cannot be read.") from None


async def read_bounded(response: aiohttp.ClientResponse) -> bytes:
    """The body. Raises ValueError if the status is not 200 or the body exceeds MAX_TOML_BYTES."""
    if response.status != 200:
        raise ValueError(f"status {response.status}")
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_TOML_BYTES:
            raise ValueError("body too large")
    return bytes(body)


async def signing_key(domain: str, fetch: FetchToml) -> str:
    """The SIGNING_KEY (G…) in a domain's stellar.toml. Raises ClientDomainRejectedError."""
    raw = await fetch(domain)
    try:
        key = tomllib.loads(raw.decode("utf-8")).get("SIGNING_KEY")
    except (ValueError, RecursionError):
        raise ClientDomainRejectedError(f"The stellar.toml of {domain} is not TOML.") from None
    if not isinstance(key, str) or not is_public_key(key):
        raise ClientDomainRejectedError(f"The stellar.toml of {domain} has no SIGNING_KEY.")
    return key
