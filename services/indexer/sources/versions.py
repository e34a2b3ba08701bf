"""What Horizon and RPC report of their versions, and what Headrace cannot read. Pure.

All texts come from a stranger: they are cut to a length and to printable ASCII. A version that is
not of the form MAJOR.MINOR.PATCH is only reported, never refused.

See docs/decisions/0085-versions-are-told-and-old-rpc-is-refused.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

NEWEST_KNOWN_PROTOCOL = 30
"""The newest protocol whose XDR the decoder knows. docs/chain.md says what was tried with what."""
_OLDEST_RPC = 23
"""RPC's first version whose getEvents answers with `latestLedgerCloseTime` and `oldestLedger`."""
_MAX_CHARACTERS = 80
_NOT_PRINTABLE = re.compile(r"[^ -~]")
_VERSION = re.compile(r"v?([1-9]\d{0,4})\.\d{1,5}\.\d{1,5}(?![\w])", re.ASCII)
"""A released version, alone or before a suffix: "27.1.1-7e71…". A build by hand has "0.0.0"."""


class ServerVersion(NamedTuple):
    """What a server reports. `protocol` is the network's; 0 and "" mean "not reported"."""

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
    """Read the result of getVersionInfo; also that of getNetwork, which has only the protocol."""
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


def refusal_of_rpc(told: ServerVersion, url: str, *, has_version: bool = True) -> str | None:
    """Say why Headrace cannot read this RPC; None if it can, or if nobody can tell.

    `has_version`: RPC knows getVersionInfo. An RPC that follows a network of protocol 23 or later
    is new enough, whatever its version text says: an older one cannot read such ledgers. So a
    gateway that hides getVersionInfo, or reports a version of its own, does no harm.
    """
    number = major(told.version)
    is_old = not has_version or (number is not None and number < _OLDEST_RPC)
    if not is_old or told.protocol >= _OLDEST_RPC:
        return None
    found = (
        f"is version {told.version}"
        if has_version
        else "does not know getVersionInfo, so it is older than 21.1.0"
    )
    return (
        f"RPC at {url} {found}; Headrace needs {_OLDEST_RPC}.0.0 or newer, because older versions "
        "answer getEvents without latestLedgerCloseTime. Upgrade RPC, set another RPC_URL, or use "
        "SOURCE=horizon"
    )


def note_of_protocol(all_told: Iterable[ServerVersion]) -> str | None:
    """A note if a server is at a newer protocol than the decoder knows, else None."""
    newest = max(all_told, key=lambda told: told.protocol, default=None)
    if newest is None or newest.protocol <= NEWEST_KNOWN_PROTOCOL:
        return None
    return (
        f"{newest.server} is at protocol {newest.protocol}; this version of Headrace knows "
        f"protocols up to {NEWEST_KNOWN_PROTOCOL}. The indexer continues. What it cannot decode "
        "becomes a dead letter. Upgrade Headrace when there is a newer version"
    )
