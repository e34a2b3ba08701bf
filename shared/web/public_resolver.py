"""Resolves host names that a client chose, and refuses addresses that a fetch must not reach.

The connection uses the very addresses that were checked. So a name that changes between the check
and the connection (DNS rebinding) gains nothing. aiohttp does not resolve a host that is an IP
address: check such a host with `is_reachable` before.
"""

from __future__ import annotations

from ipaddress import ip_address

from aiohttp.abc import AbstractResolver, ResolveResult

from shared.web.public_addresses import AllowedNetworks, is_reachable


class NotPublicError(OSError):
    """A name has an address that must not be reached. aiohttp expects an OSError."""


class PublicResolver(AbstractResolver):
    """Rejects a name if any of its addresses is neither public nor in the `allowed` networks."""

    def __init__(self, inner: AbstractResolver, allowed: AllowedNetworks = ()) -> None:
        self._inner = inner
        self._allowed = allowed

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        """The addresses of a host. Raises NotPublicError if one of them must not be reached."""
        # `family` is an int here; the inner resolver's type is socket.AddressFamily.
        results = await self._inner.resolve(host, port, family)  # type: ignore[arg-type]
        addresses = [ip_address(entry["host"].partition("%")[0]) for entry in results]
        if not all(is_reachable(each, self._allowed) for each in addresses):
            raise NotPublicError(f"{host} has an address that is not public")
        return results

    async def close(self) -> None:
        """Close the inner resolver."""
        await self._inner.close()
