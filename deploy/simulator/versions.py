"""The versions that the simulated Horizon and RPC report. Pure.

The forms are those of real servers: "27.1.1-<commit>" for Horizon and RPC, "stellar-core 27.1.0
(<commit>)" for the core.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

Json = dict[str, object]


class ReportedVersion(NamedTuple):
    """What a server reports of itself. `version` None: RPC does not know getVersionInfo."""

    version: str | None
    core: str
    protocol: int


@dataclass(slots=True)
class ServerVersions:
    """The versions of both servers, which change when a server is upgraded."""

    horizon: ReportedVersion
    rpc: ReportedVersion

    @classmethod
    def of(cls, protocol: int) -> ServerVersions:
        """Both servers in the version that goes with this protocol."""
        core = f"stellar-core {protocol}.0.0 (headrace)"
        reported = ReportedVersion(f"{protocol}.0.0-headrace", core, protocol)
        return cls(horizon=reported, rpc=reported)

    def change(self, body: Mapping[str, Any]) -> None:
        """Replace what `server` reports; a field that is left out stays. Raises ValueError."""
        match dict(body):
            case {"server": "horizon" | "rpc" as server, **fields} if _are_valid(fields):
                before: ReportedVersion = getattr(self, server)
                setattr(self, server, before._replace(**fields))
            case _:
                raise ValueError(
                    'expected {"server": "horizon" or "rpc"} with `version` (text, or null for an '
                    "RPC without getVersionInfo), `core` (text) or `protocol` (number)"
                )


_TYPES: Mapping[str, tuple[type, ...]] = {
    "version": (str, type(None)),
    "core": (str,),
    "protocol": (int,),
}


def _are_valid(fields: Mapping[str, object]) -> bool:
    return all(isinstance(value, _TYPES.get(name, ())) for name, value in fields.items())


def version_info(reported: ReportedVersion) -> Json:
    """The result of getVersionInfo."""
    return {
        "version": reported.version,
        "commitHash": "headrace",
        "buildTimestamp": "2026-11-28T12:00:00",
        "captiveCoreVersion": reported.core,
        "protocolVersion": reported.protocol,
    }
