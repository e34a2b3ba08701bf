"""The client's IP address and protocol behind proxies. Pure.

X-Forwarded-For is read from right to left.

Each proxy appends the address of its caller. An address is used only if a trusted proxy appended
it. A client can also send this header, with any addresses; these stand further left.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

from shared.runtime.config import split_list

Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(split_list)]
"""A setting: networks in CIDR notation, comma-separated."""

UNKNOWN = "unknown"
"""Stands for the address of a peer that has none, such as a peer on a Unix socket."""


def client_address(
    peer: str | None,
    forwarded: Iterable[str],
    trusted: Collection[IPv4Network | IPv6Network],
) -> str:
    """The first address from the right that does not belong to a trusted proxy.

    `peer` is the address of the connection. If there is none, the result is UNKNOWN. `forwarded`
    are the values of the X-Forwarded-For headers, in order.
    """
    address = _parse_short(peer or "")
    if address is None:
        return UNKNOWN
    for hop in reversed(",".join(forwarded).split(",")):
        if not any(address in network for network in trusted):
            break
        if (nearer := _parse(hop.strip())) is None:
            break
        address = nearer
    return str(address)


def came_by_tls(
    peer: str | None,
    protocols: Iterable[str],
    trusted: Collection[IPv4Network | IPv6Network],
) -> bool:
    """True if a trusted proxy says that a client used TLS.

    `protocols` are the values of the X-Forwarded-Proto headers. Behind several proxies there can be
    several values. One `https` is enough: the browser's own connection is one of them.
    """
    address = _parse_short(peer or "")
    if address is None or not any(address in network for network in trusted):
        return False
    return "https" in (value.strip().lower() for value in ",".join(protocols).split(","))


def limit_key_of(address: str) -> str:
    """The key for limits per client: an IPv4 address, or the /64 network of an IPv6 address.

    A household usually has a whole /64, so all its addresses share one limit.
    """
    parsed = _parse_short(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, 64), strict=False))
    return address


@lru_cache(maxsize=4096)
def _parse_short(text: str) -> IPv4Address | IPv6Address | None:
    """Like `_parse`, cached. Only for the address of a peer, or one that was parsed before.

    A client can send a long text in X-Forwarded-For, and the cache would keep it.
    """
    return _parse(text)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an address, with or without a port (`1.2.3.4:80`, `[::1]:80`).

    An IPv4 address mapped into IPv6 (`::ffff:1.2.3.4`) becomes the IPv4 address.
    """
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
