"""Which URLs an endpoint can have. Pure.

https only. http is accepted for a receiver on this machine, if the operator allows its network with
WEBHOOK_ALLOWED_NETWORKS. `localhost` needs both loopback networks: it often has an address of each,
and no delivery goes to a name with a forbidden address. The addresses behind a host name are
checked when the name is looked up (shared.web.public_resolver).
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

from shared.web.public_addresses import AllowedNetworks, is_reachable

MOST_CHARACTERS = 2_048
OPERATOR_ALLOWS = "(operator: WEBHOOK_ALLOWED_NETWORKS)"
"""The setting that lets webhooks reach more. It follows each refusal that the setting can end."""

_AUTHORITY = re.compile(r"[^/?#]*//([^/?#]*)")
_NUMBER = re.compile(r"\d+|0[xX][0-9a-fA-F]*", re.ASCII)
_LOOPBACK = (ip_address("127.0.0.1"), ip_address("::1"))


def check_new_endpoint_url(url: str, allowed: AllowedNetworks = ()) -> str:
    """`check_endpoint_url` for a URL that is new: `localhost` needs both loopback networks.

    A stored URL is not refused for this. When its name is looked up, its addresses are checked.
    """
    check_endpoint_url(url, allowed)
    if urlsplit(url).hostname == "localhost" and not _is_loopback_allowed(allowed):
        raise ValueError(
            "localhost can be 127.0.0.1 and ::1, which are not both allowed: write the address, "
            f"or allow 127.0.0.0/8 and ::1/128 {OPERATOR_ALLOWS}"
        )
    return url


def check_endpoint_url(url: str, allowed: AllowedNetworks = ()) -> str:
    """Returns the URL. Raises ValueError; the message says what is expected."""
    if len(url) > MOST_CHARACTERS:
        raise ValueError(f"the URL has more than {MOST_CHARACTERS} characters")
    _check_characters(url)
    parts, host = _split(url)
    if parts.username or parts.password:
        raise ValueError("the URL has a user name or a password: check the signature instead")
    if parts.fragment:
        raise ValueError("the URL has a fragment (#…), which no server gets")
    address = _address(host)
    if address is not None and not is_reachable(address, allowed):
        raise ValueError(f"{host} is not a public address {OPERATOR_ALLOWS}")
    if parts.scheme == "http" and not _is_local(host, address):
        raise ValueError(
            "expected https://…: http:// is only for receivers on the server's own machine"
        )
    return url


def _check_characters(url: str) -> None:
    if _is_plain(url):
        return
    authority = _AUTHORITY.match(url)
    if authority and not _is_plain(authority[1]):
        raise ValueError(
            "the host must be in ASCII without spaces: write a name such as bücher.example as "
            "xn--bcher-kva.example"
        )
    raise ValueError("the URL has characters that must be percent-encoded")


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _split(url: str) -> tuple[SplitResult, str]:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        is_usable = parts.scheme in ("http", "https") and host and parts.port != 0
    except ValueError as error:
        raise ValueError(f"not a URL: {error}") from None
    if not is_usable:
        raise ValueError("expected https://<host>/…")
    return parts, host


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """The address that the host is. None if it is a name.

    Raises ValueError for numbers that systems take for an address, such as 127.1 or 0x7f000001
    (WHATWG URL, "ends in a number").
    """
    try:
        return ip_address(host)
    except ValueError:
        pass
    if ":" in host or _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        raise ValueError(f"{host} is not an address as it is usually written, such as 192.0.2.1")
    return None


def _is_loopback_allowed(allowed: AllowedNetworks) -> bool:
    return all(any(each in network for network in allowed) for each in _LOOPBACK)


def _is_local(host: str, address: IPv4Address | IPv6Address | None) -> bool:
    """True if the host is this machine. Whether the operator allows it is checked elsewhere."""
    return host == "localhost" or (address is not None and address.is_loopback)
