"""The fanout's settings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from shared.archive.settings import ArchiveSettings
from shared.auth.settings import CorsSettings
from shared.journal.settings import CommonSettings
from shared.redis.replica import check_feed_url
from shared.web.client_ip import Networks


class FanoutSettings(CommonSettings, CorsSettings, ArchiveSettings):
    """The environment variables of a fanout."""

    feed_redis_url: str = Field(
        "",
        description="URL of replicas of Redis, from which events are read: redis:// with one or "
        "more servers, rediss://, redis+sentinel://; default: REDIS_URL",
    )
    cookie_same_site: Literal["Lax", "Strict", "None"] = Field(
        "Lax",
        description="SameSite attribute of the cookie that a ticket sets; None is for pages of "
        "another site, and adds Secure",
    )
    trusted_proxies: Networks = Field(
        (),
        description="networks (CIDR) of proxies whose X-Forwarded-For is trusted, comma-separated",
    )
    connections_per_user: int = Field(
        100,
        ge=0,
        description="connections of one account over all replicas; 0 = no limit; in "
        "AUTH_MODE=open nobody has an account, so there is no limit",
    )
    connections_per_ip: int = Field(
        0,
        ge=0,
        description="connections of one address (IPv6: /64) over all replicas; 0 = no limit",
    )
    connection_lease_seconds: float = Field(
        30.0,
        ge=1,
        description="seconds until these two limits forget the connections of a crashed replica",
    )
    handshakes_per_second: int = Field(
        0, ge=0, description="new connections a second that one process accepts; 0 = no limit"
    )
    max_age_seconds: float = Field(
        3600.0,
        ge=0,
        description="maximum age of a connection in seconds; it ends at a random 80–100 % of this "
        "age; 0 = no limit",
    )
    revocation_seconds: float = Field(
        1.0, gt=0, description="seconds between two checks for revoked tokens"
    )
    max_connections: int = Field(
        15_000, ge=1, description="SSE connections that one process holds; more are refused"
    )
    max_topics: int = Field(100, ge=1, description="topics that one subscription may have")
    sync_seconds: float = Field(
        15.0,
        gt=0,
        description="longest silence of a connection in seconds; then it gets `sync` "
        "(its heartbeat); set less than 30, because the console reconnects after 30 seconds "
        "without data",
    )
    batch_ms: float = Field(
        0.0,
        ge=0,
        le=1000,
        description="milliseconds for which events are collected before one write; 0 = until the "
        "next iteration of the event loop",
    )
    gzip: bool = Field(
        False,
        description="whether events are compressed for clients that send `Accept-Encoding: gzip`; "
        "an event is compressed once for all of them",
    )
    backlog_bytes: int = Field(
        1 << 20,
        ge=1024,
        description="most unsent bytes buffered for a subscriber; with more it is disconnected",
    )
    total_backlog_bytes: int = Field(
        128 << 20,
        ge=1024,
        description="most bytes held for all slow subscribers of a process: their backlogs, and "
        "96 KB each in the kernel; above it, subscribers of the account that holds the most are "
        "disconnected",
    )
    write_seconds: float = Field(
        20.0,
        gt=0,
        description="seconds after which a subscriber that accepts no data is disconnected",
    )
    ring_events: int = Field(50_000, ge=1, description="recent events kept in memory for resumes")
    ring_bytes: int = Field(
        64 << 20,
        ge=1024,
        description="most bytes that the recent events in memory may use; clients with "
        "`view=compact` or gzip add to it",
    )
    replay_events: int = Field(
        100_000,
        ge=1,
        description="most entries read for one resume; if the client missed more, it gets a `gap`; "
        "with an archive it gets `goodbye`, and the rest when it reconnects",
    )
    replay_seconds: float = Field(
        60.0,
        gt=0,
        description="seconds that one resume may wait for its client to accept data; after that "
        "the client gets a `gap`, or with an archive `goodbye`",
    )
    probe_seconds: float = Field(
        1.0, gt=0, description="seconds between two checks of the end of the journal"
    )
    retry_ms: int = Field(
        2000,
        ge=100,
        description="milliseconds that a client waits before it reconnects, randomly ±50 %",
    )
    drain_seconds: float = Field(
        5.0,
        ge=0,
        description="seconds over which the goodbyes to all connections are spread after SIGTERM",
    )

    @field_validator("feed_redis_url")
    @classmethod
    def _usable_feed(cls, value: str) -> str:
        if value:
            check_feed_url(value)
        return value
