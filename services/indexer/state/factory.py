"""Create the audit from the settings."""

from __future__ import annotations

import asyncio
from functools import partial

import aiohttp
from redis.asyncio import Redis

from services.indexer.settings import IndexerSettings
from services.indexer.sources.rpc.version import check_version
from services.indexer.sources.upstream import UpstreamVersions
from services.indexer.state.audit import StateAudit
from services.indexer.state.contract_storage import ContractStorage
from shared.chain.decode.contracts import WatchedContracts
from shared.chain.rpc import RpcClient
from shared.journal.commit import Committer
from shared.redis.clock import Clock
from shared.web.probes import Readiness


def create_audit(
    settings: IndexerSettings,
    session: aiohttp.ClientSession,
    committer: Committer,
    redis: Redis,
    *,
    readiness: Readiness,
    lock: asyncio.Lock,
    clock: Clock,
    upstream: UpstreamVersions,
) -> StateAudit | None:
    """None without RPC_URL, because only RPC returns the storage, or with AUDIT_SECONDS=0."""
    if not settings.rpc_url or not settings.audit_seconds:
        return None
    contract = WatchedContracts(settings.contracts).stream
    rpc = RpcClient(session, settings.rpc_url)
    return StateAudit(
        ContractStorage(rpc, contract),
        committer,
        redis,
        settings.keys,
        readiness=readiness,
        lock=lock,
        seconds=settings.audit_seconds,
        clock=clock,
        check=partial(check_version, rpc, upstream),
    )
