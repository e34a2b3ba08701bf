"""Read the versions that Horizon and RPC report, and decide which Headrace cannot use. Pure.

The texts are not trusted: they are shortened, and characters that are not printable ASCII are
replaced. If a version does not have the form MAJOR.MINOR.PATCH, it is reported, but not refused.

See docs/decisions/0085-versions-are-told-and-old-rpc-is-refused.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

NEWEST_KNOWN_PROTOCOL = 30
"""The newest protocol whose XDR the decoder knows. docs/chain.md lists the versions tried."""
_OLDEST_RPC = 23
"""The first version of RPC whose getEvents returns `latestLedgerCloseTime`, `oldestLedger`."""
_MAX_CHARACTERS = 80
_NOT_PRINTABLE = re.compile(r"[^ -~]")
_VERSION = re.compile(r"v?([1-9]\d{0,4})\.\d{1,5}\.\d{1,5}(?![\w])", re.ASCII)
"""A released version, with or without a suffix: "27.1.1-7e71…". A build by hand has "0.0.0"."""


class ServerVersion(NamedTuple):
    """What a server reports. `protocol`: that of the network. 0 and "" mean "not reported"."""

    server: str
    version: str
    core: str
    protocol: int


def horizon_version(root: Mapping[str, Any]) -> ServerVersion:
    """Read Horizon's root (`GET /`)."""
    return ServerVersion(
        "horizon",
        _clean(root.get("horizon_version")),
        _clean(root.get("core_version")),
        _protocol(root.get("current_protocol_version")),
    )


def rpc_version(answer: Mapping[str, Any]) -> ServerVersion:
    """Read the result of getVersionInfo, or of getNetwork, which has only the protocol."""
    return ServerVersion(
        "rpc",
        _clean(answer.get("version")),
        _clean(answer.get("captiveCoreVersion")),
        _protocol(answer.get("protocolVersion")),
    )


def _clean(text: object) -> str:
    return _NOT_PRINTABLE.sub("?", text)[:_MAX_CHARACTERS] if isinstance(text, str) else ""


def _protocol(number: object) -> int:
    return number if type(number) is int and 0 < number < 1 << 32 else 0


def major(version: str) -> int | None:
    """The first number of a released version; None for any other text."""
    match = _VERSION.match(version)
    return int(match[1]) if match else None


def is_new_enough(reported: ServerVersion) -> bool:
    """True if RPC reports protocol 23 or later: an older RPC cannot read such ledgers."""
    return reported.protocol >= _OLDEST_RPC


def refusal_of_rpc(reported: ServerVersion, url: str, *, has_version: bool = True) -> str | None:
    """The reason why Headrace cannot use this RPC. None if it can, or if its age is not known.

    `has_version`: RPC knows getVersionInfo. See is_new_enough for gateways, which may hide
    getVersionInfo, or report a version of their own.
    """
    number = major(reported.version)
    is_old = not has_version or (number is not None and number < _OLDEST_RPC)
    if not is_old or is_new_enough(reported):
        return None
    found = (
        f"is version {reported.version}"
        if has_version
        else "does not know getVersionInfo, so it is older than 21.1.0"
    )
    return (
        f"RPC at {url} {found}; Headrace needs {_OLDEST_RPC}.0.0 or newer, because older versions "
        "answer getEvents without latestLedgerCloseTime. Upgrade RPC, set another RPC_URL, or use "
        "SOURCE=horizon"
    )


def note_of_protocol(servers: Iterable[ServerVersion]) -> str | None:
    """A note if a server reports a newer protocol than the decoder knows, else None."""
    newest = max(servers, key=lambda reported: reported.protocol, default=None)
    if newest is None or newest.protocol <= NEWEST_KNOWN_PROTOCOL:
        return None
    return (
        f"{newest.server} is at protocol {newest.protocol}; this version of Headrace knows "
        f"protocols up to {NEWEST_KNOWN_PROTOCOL}. The indexer continues. What it cannot decode "
        "becomes a dead letter. Upgrade Headrace when there is a newer version"
    )
