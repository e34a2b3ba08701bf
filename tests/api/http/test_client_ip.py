"""The client's address behind proxies, and the network that a rate limit counts."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.web.client_ip import UNKNOWN, client_address, limit_key_of

TRUSTED = tuple(map(ip_network, ("10.0.0.0/8", "fd00::/8", "127.0.0.1/32")))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["1.2.3.4"], "203.0.113.9"),  # not from a trusted proxy
        ("10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["6.6.6.6, 1.2.3.4"], "1.2.3.4"),  # the client can invent entries on the left
        ("10.0.0.1", ["6.6.6.6, 1.2.3.4, 10.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["6.6.6.6", "1.2.3.4", "10.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["10.9.9.9"], "10.9.9.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["1.2.3.4, nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["", ""], "10.0.0.1"),
        ("10.0.0.1", ["1.2.3.4:5678"], "1.2.3.4"),
        ("fd00::1", ["[2001:db8::1]:443"], "2001:db8::1"),
        ("fd00::1", ["2001:DB8:0::1"], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        ("", ["1.2.3.4"], UNKNOWN),
        (None, ["1.2.3.4"], UNKNOWN),
    ],
)
def test_the_address_is_the_last_one_that_is_not_a_trusted_proxy(
    peer: str | None, forwarded: list[str], address: str
) -> None:
    assert client_address(peer, forwarded, TRUSTED) == address


@given(st.lists(st.text(max_size=40), max_size=5))
def test_malformed_headers_are_ignored(forwarded: list[str]) -> None:
    assert client_address("10.0.0.1", forwarded, TRUSTED)
    assert client_address("8.8.8.8", forwarded, TRUSTED) == "8.8.8.8"


def test_addresses_of_one_network_share_a_bucket() -> None:
    assert limit_key_of("1.2.3.4") == "1.2.3.4"
    assert (
        limit_key_of("2001:db8:1:2:3::4") == limit_key_of("2001:db8:1:2::5") == "2001:db8:1:2::/64"
    )
    assert limit_key_of(UNKNOWN) == UNKNOWN
