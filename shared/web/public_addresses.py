"""Which IP addresses are public. If a client chooses the host, a fetch reaches only these. Pure.

The lists are the IANA special-purpose registries of IPv4 and IPv6 (RFC 6890 and its updates).
Python's `is_global` is not used: it knows the registries only as of the release of Python. A range
that is special but globally reachable (such as AS112) is refused too: no wallet has its site there.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

_SPECIAL_IPV4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network (RFC 791)
        "10.0.0.0/8",  # private (RFC 1918)
        "100.64.0.0/10",  # shared by the customers of a provider (RFC 6598)
        "127.0.0.0/8",  # loopback (RFC 1122)
        "169.254.0.0/16",  # link-local; metadata servers of clouds (RFC 3927)
        "172.16.0.0/12",  # private (RFC 1918)
        "192.0.0.0/24",  # IETF protocol assignments (RFC 6890)
        "192.0.2.0/24",  # documentation (RFC 5737)
        "192.31.196.0/24",  # AS112 (RFC 7535)
        "192.52.193.0/24",  # AMT (RFC 7450)
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
        "192.168.0.0/16",  # private (RFC 1918)
        "192.175.48.0/24",  # AS112 (RFC 7534)
        "198.18.0.0/15",  # benchmarks (RFC 2544)
        "198.51.100.0/24",  # documentation (RFC 5737)
        "203.0.113.0/24",  # documentation (RFC 5737)
        "224.0.0.0/4",  # multicast (RFC 5771)
        "240.0.0.0/4",  # reserved, and broadcast (RFC 1112)
    )
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")
"""Everything outside is special or not assigned (RFC 4291): `::/96`, `fc00::/7`, `5f00::/16` …"""
_SPECIAL_IPV6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # IETF protocol assignments, with Teredo (RFC 2928)
        "2001:db8::/32",  # documentation (RFC 3849)
        "2002::/16",  # 6to4, which contains an IPv4 address (RFC 7526)
        "2620:4f:8000::/48",  # AS112 (RFC 7534)
        "3ffe::/16",  # 6bone, returned to IANA (RFC 3701)
        "3fff::/20",  # documentation (RFC 9637)
    )
)
_IPV4_INSIDE = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))
"""Mapped and NAT64 addresses (RFC 4291, RFC 6052). Their last 32 bits are an IPv4 address."""
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})
"""The third quarter of an ISATAP address. Its last 32 bits are an IPv4 address (RFC 5214)."""


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """True if the address is public. In a mapped or NAT64 address, the IPv4 address decides."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL_IPV4)
    if any(address in network for network in _IPV4_INSIDE):
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    if address not in _GLOBAL_UNICAST or any(address in network for network in _SPECIAL_IPV6):
        return False
    return int(address) >> 32 & 0xFFFF_FFFF not in _ISATAP


AllowedNetworks = Collection[IPv4Network | IPv6Network]


def is_reachable(address: IPv4Address | IPv6Address, allowed: AllowedNetworks = ()) -> bool:
    """True if the address is public, or in one of the networks that the operator allows."""
    return is_public(address) or any(address in network for network in allowed)
