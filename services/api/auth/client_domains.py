"""The signing key of a wallet's own domain, from its stellar.toml (SEP-1), fetched with care.

The domain comes from whoever asks, so the fetch must not reach what only we can (SSRF): https to
port 443 of a public host name, no redirect, no answer that is large or slow; every address that
the name stands for must be public, and the connection goes to just those addresses.
"""

from __future__ import annotations

import asyncio
import re
import tomllib
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from services.api.auth.sep10 import ChallengeRejectedError
from shared.domain.strkeys import is_public_key
from shared.web import client as http

FetchToml = Callable[[str], Awaitable[bytes]]
"""From a host name to the bytes of its stellar.toml. Raises ChallengeRejectedError."""

MAX_TOML_BYTES = 100 * 1024
"""SEP-1's own bound."""

_HOST = re.compile(r"(?=.{4,63}\Z)([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}", re.ASCII)
_TIMEOUT = aiohttp.ClientTimeout(total=5.0)
_PLAIN = {"Accept-Encoding": "identity"}  # a small answer must not unpack to a large one
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public_name(domain: str) -> bool:
    """Whether a text is a full host name, with no port, and no address in disguise."""
    return _HOST.fullmatch(domain) is not None


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is of the public internet, with what IPv6 may wrap looked into."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast


class PublicResolver(AbstractResolver):
    """Resolves names to public addresses, and refuses a name that has any other."""

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        """The addresses that a connection may go to. Raises OSError."""
        found = await self._inner.resolve(host, port, family)  # type: ignore[arg-type] # as it came
        if not all(is_public(ip_address(entry["host"].partition("%")[0])) for entry in found):
            raise OSError(f"{host} is not public")
        return found

    async def close(self) -> None:
        """Nothing beside the resolver that was given."""
        await self._inner.close()


async def fetch_toml(domain: str) -> bytes:
    """The bytes of https://<domain>/.well-known/stellar.toml. Raises ChallengeRejectedError.

    With HTTPS_PROXY the proxy connects; the name must have public addresses here all the same.
    """
    url = f"https://{domain}/.well-known/stellar.toml"
    resolver: AbstractResolver = PublicResolver(aiohttp.ThreadedResolver())
    try:
        if http.is_proxied(url):
            async with asyncio.timeout(_TIMEOUT.total):
                await resolver.resolve(domain, 443)
            # From here on it resolves the proxy, whose address is rarely public.
            resolver = aiohttp.ThreadedResolver()
        connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False)
        async with (
            http.session(connector=connector, timeout=_TIMEOUT, auto_decompress=False) as session,
            session.get(url, allow_redirects=False, headers=_PLAIN) as response,
        ):
            return await read_bounded(response)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        raise ChallengeRejectedError(f"the stellar.toml of {domain} cannot be read") from None


async def read_bounded(response: aiohttp.ClientResponse) -> bytes:
    """The body of a 200 of bearable size. Raises ValueError on anything else."""
    if response.status != 200:
        raise ValueError(f"answer {response.status}")
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_TOML_BYTES:
            raise ValueError("too large")
    return bytes(body)


async def signing_key(domain: str, fetch: FetchToml) -> str:
    """SIGNING_KEY (G…) of a wallet's domain. Raises ChallengeRejectedError."""
    raw = await fetch(domain)
    try:
        key = tomllib.loads(raw.decode("utf-8")).get("SIGNING_KEY")
    except (ValueError, RecursionError):
        raise ChallengeRejectedError(f"the stellar.toml of {domain} is not TOML") from None
    if not isinstance(key, str) or not is_public_key(key):
        raise ChallengeRejectedError(f"the stellar.toml of {domain} names no SIGNING_KEY")
    return key
