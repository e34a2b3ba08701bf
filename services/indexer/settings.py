"""The indexer's settings."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from shared.settings import JournalSettings, http_url

_START = re.compile(r"latest|earliest|(?:ledger )?([1-9]\d{0,9})", re.ASCII)


class Settings(JournalSettings):
    """What an indexer reads from the environment."""

    horizon_url: str = Field(
        "https://horizon-testnet.stellar.org", description="Horizon, read over SSE"
    )
    rpc_url: str = Field(
        "", description="Stellar RPC, asked for a transaction's meta where Horizon leaves it out"
    )
    start: str = Field(
        "latest", description="where a new namespace begins: latest, earliest or ledger N"
    )
    source_read_seconds: float = Field(
        75.0, gt=0, description="seconds without a byte after which a source counts as hung"
    )
    source_wait_seconds: float = Field(
        30.0, gt=0, description="longest wait before another try at a source that failed"
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

    @field_validator("start")
    @classmethod
    def _where(cls, value: str) -> str:
        match = _START.fullmatch(value)
        if match is None:
            raise ValueError(f"{value!r} is none of latest, earliest, ledger N")
        return match[1] or value
