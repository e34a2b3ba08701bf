"""The URLs that a webhook can have."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.web.public_addresses import is_public
from shared.webhooks.urls import MOST_CHARACTERS, check_endpoint_url, check_new_endpoint_url

LOOPBACK = (ip_network("127.0.0.0/8"),)
BOTH = (*LOOPBACK, ip_network("::1/128"))
ADDRESSES = st.one_of(
    st.integers(0, (1 << 32) - 1).map(IPv4Address),
    st.integers(0, (1 << 128) - 1).map(IPv6Address),
    st.sampled_from(["10.0.0.1", "169.254.169.254", "192.168.1.1"]).map(IPv4Address),
    st.sampled_from(["::1", "fe80::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"]).map(IPv6Address),
)


def host_of(address: IPv4Address | IPv6Address) -> str:
    return f"[{address}]" if isinstance(address, IPv6Address) else str(address)


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/headrace",
        "https://shop.example:8443/a?b=c&d=%20",
        "https://xn--bcher-kva.example/",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "https://shop.example",
    ],
)
def test_https_urls_of_public_hosts_are_endpoints(url: str) -> None:
    assert check_endpoint_url(url) == url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://shop.example/", "expected https://"),
        ("ftp://shop.example/", "expected https://<host>/"),
        ("//shop.example/", "expected https://<host>/"),
        ("https://", "expected https://<host>/"),
        ("https:///path", "expected https://<host>/"),
        ("https://shop.example:0/", "expected https://<host>/"),
        ("https://shop.example:99999/", "not a URL"),
        ("https://[::1/", "not a URL"),
        ("https://user@shop.example/", "user name"),
        ("https://:password@shop.example/", "user name or a password"),
        ("https://shop.example/#part", "fragment"),
        ("https://shop.example/ä", "percent-encoded"),
        ("https://shop.example/a b", "percent-encoded"),
        ("https://shop.example/\r\nX: y", "percent-encoded"),
        ("https://shop.example/" + "x" * MOST_CHARACTERS, "more than 2048 characters"),
        ("https://bücher.example/", "the host must be in ASCII"),
        ("https://exa mple.com", "the host must be in ASCII without spaces"),
        ("https://exa mple.com/ä?ö#ü", "the host must be in ASCII"),
        ("https://shop.example?b=ü", "percent-encoded"),
        ("http://127.0.0.1/", r"not a public address \(operator: WEBHOOK_ALLOWED_NETWORKS\)"),
    ],
)
def test_what_is_wrong_is_said(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_endpoint_url(url)


@given(ADDRESSES, st.sampled_from(["http", "https"]))
def test_no_private_address_is_an_endpoint(address: IPv4Address | IPv6Address, scheme: str) -> None:
    url = f"{scheme}://{host_of(address)}/hook"
    if scheme == "https" and is_public(address):
        assert check_endpoint_url(url) == url
    else:
        with pytest.raises(ValueError, match=r"not a public address|expected https"):
            check_endpoint_url(url)


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "127.8.8.8"])
def test_a_receiver_on_this_machine_may_have_http_if_the_operator_allows_it(host: str) -> None:
    url = f"http://{host}/hook"
    assert check_endpoint_url(url, LOOPBACK) == url
    assert check_endpoint_url(url.replace("http:", "https:"), LOOPBACK)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_localhost_needs_both_loopback_networks(scheme: str) -> None:
    """It often has both addresses. Of a stored URL, the lookup shows which addresses it has."""
    url = f"{scheme}://localhost:8000/hook"
    assert check_new_endpoint_url(url, BOTH) == url
    for allowed in (LOOPBACK, BOTH[1:], ()):
        with pytest.raises(ValueError, match=r"^localhost .*allow 127\.0\.0\.0/8 and ::1/128 \("):
            check_new_endpoint_url(url, allowed)
        assert check_endpoint_url(url, allowed) == url


@pytest.mark.parametrize("url", ["http://10.0.0.7/", "http://shop.example/", "http://8.8.8.8/"])
def test_http_to_another_machine_is_never_allowed(url: str) -> None:
    everything = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))
    with pytest.raises(ValueError, match=r"on the server's own machine$"):
        check_endpoint_url(url, everything)


def test_a_private_network_can_be_allowed() -> None:
    allowed = (ip_network("10.1.0.0/16"),)
    assert check_endpoint_url("https://10.1.2.3/", allowed)
    with pytest.raises(ValueError, match="not a public address"):
        check_endpoint_url("https://10.2.0.1/", allowed)
    assert check_endpoint_url("http://[::1]:80/", BOTH)
