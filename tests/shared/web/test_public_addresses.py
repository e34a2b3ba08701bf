"""Which addresses are public: the special ranges of the IANA registries, from edge to edge."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from shared.web.public_addresses import is_public

SPECIAL = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "2620:4f:8000::/48",
    "3ffe::/16",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
    "::ffff:10.0.0.0/104",
    "::ffff:169.254.0.0/112",
    "64:ff9b::127.0.0.0/104",
    "64:ff9b::192.88.99.0/120",
    "2606:4700::5efe:0:0/96",
    "2606:4700::200:5efe:0:0/96",
    "4000::/3",
    "8000::/1",
]
"""IANA's registries (RFC 6890 and its updates), IPv4 inside of IPv6, and what nobody was given."""


@pytest.mark.parametrize("network", SPECIAL)
def test_no_address_of_a_special_range_is_public(network: str) -> None:
    whole = ip_network(network)
    middle = whole[whole.num_addresses // 2]
    for address in (whole[0], middle, whole[-1]):
        assert not is_public(address), address


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "128.0.0.0",
     "172.32.0.0", "192.0.1.0", "192.88.98.255", "192.88.100.0", "198.20.0.0", "223.255.255.255",
     "2001:200::1", "2606:4700::1111", "2a00:1450:4001::1", "3ff0::1", "3fff:1000::",
     "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"],
)  # fmt: skip
def test_addresses_beside_the_special_ranges_are_public(address: str) -> None:
    assert is_public(ip_address(address))
