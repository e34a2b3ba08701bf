"""The client's address behind proxies: X-Forwarded-For read from the right. Pure.

Each proxy appends the address it was called from, so only what a trusted proxy appended counts, and
what stands further left may be anybody's invention.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
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
"""A peer without an address, such as one on a Unix socket."""


def client_address(
    peer: str | None,
    forwarded: Iterable[str],
    trusted: Collection[IPv4Network | IPv6Network],
) -> str:
    """The first address, from the right, that is no trusted proxy's; UNKNOWN without a peer.

    `forwarded` are the values of the X-Forwarded-For headers in order.
    """
    address = _parse(peer or "")
    if address is None:
        return UNKNOWN
    for hop in reversed(",".join(forwarded).split(",")):
        if not any(address in network for network in trusted):
            break
        if (nearer := _parse(hop.strip())) is None:
            break
        address = nearer
    return str(address)


def limit_key_of(address: str) -> str:
    """Whom a limit counts: an IPv4 address, or the /64 of IPv6, which one household has whole."""
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, 64), strict=False))
    return address


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """An address, bare or as `1.2.3.4:80` and `[::1]:80`; IPv4 in IPv6 is IPv4."""
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
