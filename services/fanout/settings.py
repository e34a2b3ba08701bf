"""The fanout's settings: a named knob for every risk of holding many connections."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from shared.settings import Common, split_list


class Settings(Common):
    """What a fanout reads from the environment."""

    auth_mode: Literal["open"] = Field(
        "open", description="open: anyone may see everything (logins come in a later version)"
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        ("*",), description="origins that browsers may read from, comma-separated; * = any"
    )
    max_connections: int = Field(
        15_000, ge=1, description="SSE connections that one process holds; more are turned away"
    )
    max_topics: int = Field(100, ge=1, description="topics that one subscription may name")
    sync_seconds: float = Field(
        15.0, gt=0, description="seconds between two `sync` events of a connection (its heartbeat)"
    )
    backlog_bytes: int = Field(
        1 << 20, ge=1024, description="unsent bytes kept for a slow subscriber before it is closed"
    )
    write_seconds: float = Field(
        20.0, gt=0, description="seconds that a subscriber may take no byte before it is closed"
    )
    ring_events: int = Field(50_000, ge=1, description="recent events kept in memory for resumes")
    ring_bytes: int = Field(64 << 20, ge=1024, description="bytes of those events at the most")
    replay_events: int = Field(
        100_000, ge=1, description="journal entries read for one resume; beyond it: gap"
    )
    replay_seconds: float = Field(60.0, gt=0, description="seconds one resume may take")
    probe_seconds: float = Field(
        1.0, gt=0, description="seconds between two looks at the journal's top"
    )
    retry_ms: int = Field(
        2000, ge=100, description="milliseconds after which a client reconnects, jittered ±50 %"
    )
    drain_seconds: float = Field(
        5.0, ge=0, description="seconds over which SIGTERM says goodbye to the connections"
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        return split_list(value)
