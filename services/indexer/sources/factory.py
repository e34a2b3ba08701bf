"""Create the source that the settings choose.

See docs/decisions/0043-other-source-before-a-gap.md.
"""

from __future__ import annotations

from collections.abc import Callable

import aiohttp

from services.indexer.settings import IndexerSettings
from services.indexer.sources.base import Source
from services.indexer.sources.failover.fallback import FallbackSource
from services.indexer.sources.failover.source import FailoverSource
from services.indexer.sources.horizon.source import HorizonSource
from services.indexer.sources.rpc.source import RpcSource
from services.indexer.sources.upstream import UpstreamVersions
from shared.chain.decode.contracts import WatchedContracts
from shared.chain.rpc import RpcClient


def create_horizon(
    settings: IndexerSettings,
    session: aiohttp.ClientSession,
    opened: Callable[[], None],
    upstream: UpstreamVersions,
) -> Source:
    """Create a Horizon source. With RPC_URL, RPC supplies the metas that Horizon leaves out."""
    return HorizonSource(
        session,
        settings.horizon_url,
        passphrase=settings.network_passphrase,
        contracts=WatchedContracts(settings.contracts),
        rpc=RpcClient(session, settings.rpc_url) if settings.rpc_url else None,
        read_seconds=settings.source_read_seconds,
        alarm_only=settings.unproved == "alarm",
        upstream=upstream,
        opened=opened,
    )


def create_rpc(
    settings: IndexerSettings,
    session: aiohttp.ClientSession,
    opened: Callable[[], None],
    upstream: UpstreamVersions,
) -> Source:
    """Create a source that reads Stellar RPC only."""
    return RpcSource(
        RpcClient(session, settings.rpc_url, seconds=min(settings.source_read_seconds, 30.0)),
        passphrase=settings.network_passphrase,
        contracts=WatchedContracts(settings.contracts),
        poll_seconds=settings.rpc_poll_seconds,
        alarm_only=settings.unproved == "alarm",
        upstream=upstream,
        opened=opened,
    )


def create_both(
    settings: IndexerSettings,
    session: aiohttp.ClientSession,
    opened: Callable[[], None],
    upstream: UpstreamVersions,
) -> tuple[Source, Source]:
    """Create both sources. RPC is first.

    RPC sends only the events of watched contracts, so a backfill is faster than with Horizon.
    """
    return create_rpc(settings, session, opened, upstream), create_horizon(
        settings, session, opened, upstream
    )


def create_source(
    settings: IndexerSettings,
    session: aiohttp.ClientSession,
    opened: Callable[[], None],
    upstream: UpstreamVersions,
) -> Source:
    """Create the source that the setting SOURCE names.

    With SOURCE=horizon and RPC_URL, RPC is read for ledgers that Horizon lacks.
    """
    if settings.source == "rpc":
        return create_rpc(settings, session, opened, upstream)
    if not settings.rpc_url:
        return create_horizon(settings, session, opened, upstream)
    first, second = create_both(settings, session, opened, upstream)
    return (
        FailoverSource(first, second)
        if settings.source == "auto"
        else FallbackSource(second, first)
    )
