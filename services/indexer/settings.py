"""The indexer's settings."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from shared.journal.settings import JournalSettings
from shared.runtime.config import http_url

_START = re.compile(r"latest|earliest|(?:ledger )?([1-9]\d{0,9})", re.ASCII)


class IndexerSettings(JournalSettings):
    """What an indexer reads from the environment."""

    horizon_url: str = Field(
        "https://horizon-testnet.stellar.org", description="Horizon, read over SSE"
    )
    rpc_url: str = Field(
        "", description="Stellar RPC: a source, and asked for a meta where Horizon leaves it out"
    )
    source: Literal["horizon", "rpc", "auto"] = Field(
        "horizon",
        description="what is read: horizon, rpc, or auto, the healthier of both",
    )
    start: str = Field(
        "latest", description="where a new namespace begins: latest, earliest or ledger N"
    )
    rpc_poll_seconds: float = Field(
        2.0, gt=0, description="seconds between two calls of getEvents once all is read"
    )
    source_read_seconds: float = Field(
        75.0, gt=0, description="seconds without a byte after which a source counts as hung"
    )
    source_wait_seconds: float = Field(
        30.0, gt=0, description="longest wait before another try at a source that failed"
    )
    reconcile_seconds: float = Field(
        300.0, ge=0, description="SOURCE=auto: seconds between two comparisons of both; 0 = none"
    )
    on_gap: Literal["announce", "stop"] = Field(
        "announce",
        description="ledgers that no source has any more: tell everyone and go on, or stop",
    )
    unproved: Literal["stop", "alarm"] = Field(
        "stop",
        description="events without their proof: stop, or keep them with verified=false and alarm",
    )
    lease_seconds: float = Field(
        4.0, gt=0.2, description="seconds after which a standby takes over from a dead indexer"
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
            raise ValueError(f"{value!r} is none of latest, earliest, ledger N")
        return match[1] or value
