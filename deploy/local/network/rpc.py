"""Stellar RPC: getEvents, getTransaction and the small ones, as pure functions of the chain.

Limits, texts and codes are those of stellar-rpc v30 (docs/architecture.md, "RPC").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deploy.local.network.event_query import read_query, scan
from deploy.local.network.faults import Faults, Kind
from deploy.local.network.horizon import PROTOCOL, VERSION
from deploy.local.network.ledger import Transaction
from deploy.local.network.problems import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    NO_SUCH_METHOD,
    RpcError,
)
from deploy.local.network.settings import Settings
from deploy.local.network.views import View

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Server:
    """What the methods look at."""

    chain: View
    settings: Settings
    faults: Faults
    now: float
    """Unix seconds."""

    def call(self, method: object, params: object) -> Json:
        """The result of a method. Raises RpcError."""
        found = _METHODS.get(str(method))
        if found is None:
            raise RpcError(NO_SUCH_METHOD, f'no such method "{method}"')
        if params is not None and not isinstance(params, dict):
            raise RpcError(INVALID_PARAMS, "invalid parameters")
        return found(self, params or {})


def get_health(server: Server, params: Json) -> Json:
    """Healthy, and how far the history reaches. Raises RpcError when the tip is too old."""
    if fault := server.faults.take("getHealth", {Kind.UNHEALTHY}):
        raise _too_old(server, fault.seconds) if fault.seconds else _no_ledgers()
    if (age := server.now - server.chain.latest.closed_at) > server.settings.oldest_healthy:
        raise _too_old(server, age)
    oldest, latest = server.chain.oldest, server.chain.latest
    return {
        "status": "healthy",
        "latestLedger": latest.sequence,
        "latestLedgerCloseTime": latest.closed_at,
        "oldestLedger": oldest.sequence,
        "ledgerRetentionWindow": latest.sequence - oldest.sequence + 1,
    }


def _no_ledgers() -> RpcError:
    return RpcError(INTERNAL_ERROR, "data stores are not initialized")


def _too_old(server: Server, age: float) -> RpcError:
    limit = duration(server.settings.healthy_seconds)
    text = f"latency ({duration(age)}) since last known ledger closed is too high (>{limit})"
    return RpcError(INTERNAL_ERROR, text)


def duration(seconds: float) -> str:
    """Whole seconds as Go writes them: 45s, 2m5s, 1h0m0s."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s" if minutes else f"{rest}s"
    )


def get_network(server: Server, params: Json) -> Json:
    """Which network this is."""
    return {
        "passphrase": server.settings.network_passphrase,
        "protocolVersion": PROTOCOL,
        "build": VERSION,
    }


def get_latest_ledger(server: Server, params: Json) -> Json:
    """The tip; without its header and meta, which nobody here decodes."""
    latest = server.chain.latest
    return {
        "id": latest.hash,
        "protocolVersion": PROTOCOL,
        "sequence": latest.sequence,
        "closeTime": str(latest.closed_at),
    }


def get_ledgers(server: Server, params: Json) -> Json:
    """Ledgers from one on, each by its hash; without header and meta, which nobody here decodes."""
    start, pagination = params.get("startLedger"), params.get("pagination") or {}
    limit = pagination.get("limit") if isinstance(pagination, dict) else None
    oldest, latest = server.chain.oldest.sequence, server.chain.latest.sequence
    if not isinstance(start, int) or not oldest <= start <= latest:
        text = f"start ledger ({start}) must be between the oldest ledger: {oldest} and the latest"
        raise RpcError(INVALID_REQUEST, f"{text} ledger: {latest} for this rpc instance")
    if not isinstance(limit, int) or not 1 <= limit <= 200:
        raise RpcError(INVALID_PARAMS, "limit must be between 1 and 200")
    found = list(server.chain.ledgers(start, start + limit))
    ledgers = [
        {"hash": each.hash, "sequence": each.sequence, "ledgerCloseTime": str(each.closed_at)}
        for each in found
    ]
    return {"ledgers": ledgers, "cursor": str(found[-1].sequence)} | _range(server.chain)


def get_transaction(server: Server, params: Json) -> Json:
    """A transaction by its hash, or NOT_FOUND."""
    digest = str(params.get("hash") or "")
    if len(digest) != 64:
        raise RpcError(INVALID_PARAMS, f"unexpected hash length ({len(digest)})")
    found = server.chain.transaction(digest)
    shown = _range(server.chain) | {"txHash": digest}
    if found is None:
        nothing = {"applicationOrder": 0, "feeBump": False, "events": {}, "ledger": 0}
        return shown | {"status": "NOT_FOUND", "createdAt": "0"} | nothing
    return shown | _details(server.faults.distort("getTransaction", found))


def _details(found: Transaction) -> Json:
    events = [[event.xdr for event in events] for events in found.operations]
    return {
        "status": "SUCCESS" if found.successful else "FAILED",
        "applicationOrder": found.order,
        "feeBump": found.signed.inner_hash is not None,
        "envelopeXdr": found.signed.envelope,
        "resultXdr": found.result,
        **({} if found.meta is None else {"resultMetaXdr": found.meta}),
        "events": {
            **({"transactionEventsXdr": list(found.fee_events)} if found.fee_events else {}),
            **({"contractEventsXdr": events} if events else {}),
        },
        "ledger": found.ledger,
        "createdAt": str(found.closed_at),
    }


def _range(chain: View) -> Json:
    return {
        "latestLedger": chain.latest.sequence,
        "latestLedgerCloseTime": str(chain.latest.closed_at),
        "oldestLedger": chain.oldest.sequence,
        "oldestLedgerCloseTime": str(chain.oldest.closed_at),
    }


def get_events(server: Server, params: Json) -> Json:
    """The events of a range of ledgers, and the cursor from which to go on."""
    events, cursor = scan(read_query(params), server.chain, server.faults)
    return {"events": events, "cursor": cursor} | _range(server.chain)


_METHODS: dict[str, Callable[[Server, Json], Json]] = {
    "getEvents": get_events,
    "getHealth": get_health,
    "getLatestLedger": get_latest_ledger,
    "getLedgers": get_ledgers,
    "getNetwork": get_network,
    "getTransaction": get_transaction,
}
