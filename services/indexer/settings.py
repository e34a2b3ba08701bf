"""The indexer's settings."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from shared.journal.settings import JournalSettings
from shared.runtime.config import http_url

_START = re.compile(r"latest|earliest|(?:ledger )?([1-9]\d{0,9})", re.ASCII)


class IndexerSettings(JournalSettings):
    """All settings of the indexer, read from environment variables."""

    horizon_url: str = Field(
        "https://horizon-testnet.stellar.org", description="URL of the Horizon server"
    )
    rpc_url: str = Field(
        "",
        description="URL of a Stellar RPC server; used as a source, or to read what Horizon lacks",
    )
    source: Literal["horizon", "rpc", "auto"] = Field(
        "horizon",
        description="source of events: horizon, rpc, or auto (failover between both)",
    )
    start: str = Field(
        "latest",
        description="where a new namespace begins to read: latest, earliest or a ledger number",
    )
    rpc_poll_seconds: float = Field(
        2.0, gt=0, description="seconds between two getEvents calls when all ledgers are read"
    )
    source_read_seconds: float = Field(
        75.0,
        gt=0,
        description="the indexer reconnects if the source sends no byte for this many seconds",
    )
    source_wait_seconds: float = Field(
        30.0, gt=0, description="longest wait in seconds before a failed source is tried again"
    )
    reconcile_seconds: float = Field(
        300.0,
        ge=0,
        description="SOURCE=auto: seconds between two comparisons of the journal with the inactive "
        "source; 0 = never",
    )
    audit_seconds: float = Field(
        600.0,
        ge=0,
        description="RPC_URL: seconds between two comparisons of all streams with the contract's "
        "own state; 0 = never, and streams from before START stay unknown",
    )
    on_gap: Literal["announce", "stop"] = Field(
        "announce",
        description="if no source has a ledger: announce (publish a gap and continue) or stop",
    )
    unproved: Literal["stop", "alarm"] = Field(
        "stop",
        description="if events fail their proof: stop, or alarm (keep them with verified=false)",
    )
    lease_seconds: float = Field(
        4.0, gt=0.2, description="seconds until a standby takes over from a dead indexer"
    )

    @field_validator("horizon_url")
    @classmethod
    def _horizon(cls, value: str) -> str:
        return http_url(value)

    @field_validator("rpc_url")
    @classmethod
    def _rpc(cls, value: str) -> str:
        return http_url(value) if value else ""

    @field_validator("source")
    @classmethod
    def _needs_rpc_url(cls, value: str, info: ValidationInfo) -> str:
        if value != "horizon" and info.data.get("rpc_url") == "":
            raise ValueError(f"{value} needs RPC_URL")
        return value

    @field_validator("start")
    @classmethod
    def _parse_start(cls, value: str) -> str:
        match = _START.fullmatch(value)
        if match is None:
            raise ValueError(f"{value!r} is not latest, earliest or a ledger number")
        return match[1] or value
