"""`python -m services.indexer verify --state`: compare all stored streams with the contract.

Reads the contract's storage through RPC_URL. Changes nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict

import orjson
from redis.asyncio import Redis

from services.indexer.commands.runner import CommandFailedError
from services.indexer.commands.verification import Difference
from services.indexer.settings import IndexerSettings
from services.indexer.sources.rpc.version import check_version
from services.indexer.sources.upstream import UpstreamVersions
from services.indexer.state.contract_storage import ContractStorage
from services.indexer.state.findings import AuditRound
from services.indexer.state.rounds import StateRounds
from shared.chain.decode.contracts import WatchedContracts
from shared.chain.rpc import RpcClient
from shared.web import client as http

_PATIENCE = 60.0


async def run(settings: IndexerSettings, redis: Redis) -> int:
    """Compare the states and print the differences; returns the exit code."""
    if not settings.rpc_url:
        raise CommandFailedError("verify --state needs RPC_URL: Horizon has no contract storage")
    async with http.session() as session:
        contract = WatchedContracts(settings.contracts).stream
        rpc = RpcClient(session, settings.rpc_url)
        await check_version(rpc, UpstreamVersions())
        storage = ContractStorage(rpc, contract)
        rounds = StateRounds(storage, redis, settings.keys, patience=_PATIENCE)
        found = await rounds.round()
    differences = list(_differences(found))
    for each in differences:
        print(orjson.dumps(asdict(each)).decode())
    print(_summary(found, len(differences)), file=sys.stderr)
    return 1 if differences else 0


def _differences(found: AuditRound) -> Iterator[Difference]:
    for stream_id in found.loaded:
        yield Difference(f"stream {stream_id}", "missing", None, None)
    for stream_id in found.repaired:
        yield Difference(f"stream {stream_id}", "uncertain", None, None)
    for stream_id, fields in found.different.items():
        for each in fields:
            yield Difference(f"stream {stream_id}", each.field, each.contract, each.stored)
    for stream_id, reason in found.unreadable.items():
        yield Difference(f"stream {stream_id}", "unreadable", None, reason)


def _summary(found: AuditRound, differences: int) -> str:
    verdict = f"{differences} differences" if differences else "all equal"
    notes = [f"{len(found.archived)} are archived"] if found.archived else []
    if found.unsettled:
        notes.append(f"{len(found.unsettled)} changed too fast to compare")
    whole = f"{found.streams} streams of the contract at ledger {found.ledger}: {verdict}"
    return "; ".join([whole, *notes])
