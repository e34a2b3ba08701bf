"""Stellar RPC: its methods, as functions of the chain.

Limits, texts and codes are those of stellar-rpc v28 and v30 (docs/architecture.md, "RPC").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deploy.simulator.chain.close_meta import close_meta, history_entry
from deploy.simulator.chain.ledger import Ledger
from deploy.simulator.chain.server_view import ServerView
from deploy.simulator.chain.values import to_base64
from deploy.simulator.faults.faults import FaultKind, Faults
from deploy.simulator.network import Network
from deploy.simulator.problems import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    NO_SUCH_METHOD,
    RpcProblem,
)
from deploy.simulator.rpc.event_query import read_query, scan
from deploy.simulator.rpc.fee_stats import fee_stats
from deploy.simulator.rpc.ledger_entries import read_entries
from deploy.simulator.rpc.parameters import item, mistyped, number
from deploy.simulator.rpc.send import send
from deploy.simulator.rpc.simulate import simulate
from deploy.simulator.rpc.transactions import read_transaction, read_transactions
from deploy.simulator.settings import SimulatorSettings
from deploy.simulator.submission.submissions import Submissions
from deploy.simulator.versions import ReportedVersion, version_info

Json = dict[str, object]
_EMPTY = {
    "getHealth": f"[{INTERNAL_ERROR}] data stores are not initialized: DB is empty",
    "getLatestLedger": "could not get latest ledger sequence",
    "getTransaction": "unable to get ledger range: DB is empty",
}
"""The errors of these methods while there is no ledger. The other methods say "DB is empty"."""
LEDGERS, MOST_LEDGERS = 50, 200
"""The default and the largest number of ledgers in an answer of getLedgers."""


@dataclass(frozen=True, slots=True)
class RpcServer:
    """The data that all methods read."""

    chain: ServerView
    network: Network
    faults: Faults
    reported: ReportedVersion
    now: float
    """Unix seconds."""

    @property
    def settings(self) -> SimulatorSettings:
        """The settings of the network."""
        return self.network.settings

    @property
    def submissions(self) -> Submissions:
        """The transactions that clients submit."""
        return self.network.submissions

    def call(self, method: str, params: object) -> Json:
        """The result of a method. Raises RpcProblem."""
        if not method:
            raise RpcProblem(INVALID_REQUEST, "empty method name")
        found = _METHODS.get(method)
        if found is None:
            raise RpcProblem(NO_SUCH_METHOD, "method not found", data=method)
        if params is not None and not isinstance(params, dict):
            request = f"protocol.{method[0].upper()}{method[1:]}Request"
            raise mistyped(params, "value", request)
        if found is not get_version_info and self.faults.take(method, {FaultKind.STARTING}):
            raise RpcProblem(INTERNAL_ERROR, _EMPTY.get(method, "DB is empty"))
        return found(self, params or {})


def get_health(server: RpcServer, params: Json) -> Json:
    """The status and the bounds of the history. Raises RpcProblem if the last ledger is too old."""
    if fault := server.faults.take("getHealth", {FaultKind.UNHEALTHY}):
        raise _too_old(server, fault.seconds) if fault.seconds else _no_ledgers()
    if (age := server.now - server.chain.latest.closed_at) > server.settings.oldest_healthy:
        raise _too_old(server, age)
    oldest, latest = server.chain.oldest, server.chain.latest
    return {
        "status": "healthy",
        "latestLedger": latest.sequence,
        "oldestLedger": oldest.sequence,
        "ledgerRetentionWindow": server.settings.history_ledgers,
        "latestLedgerCloseTime": str(latest.closed_at),
        "oldestLedgerCloseTime": str(oldest.closed_at),
    }


def _no_ledgers() -> RpcProblem:
    return RpcProblem(INTERNAL_ERROR, _EMPTY["getHealth"])


def _too_old(server: RpcServer, age: float) -> RpcProblem:
    """The error as the real server writes it, with the code twice: as the code and in the text."""
    limit = duration(server.settings.healthy_seconds)
    reason = f"latency ({duration(age)}) since last known ledger closed is too high (>{limit})"
    return RpcProblem(INTERNAL_ERROR, f"[{INTERNAL_ERROR}] {reason}")


def duration(seconds: float) -> str:
    """Whole seconds in the format of Go: 45s, 2m5s, 1h0m0s."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s" if minutes else f"{rest}s"
    )


def get_network(server: RpcServer, params: Json) -> Json:
    """The passphrase and the version of the network."""
    passphrase = server.settings.network_passphrase
    return {"passphrase": passphrase, "protocolVersion": server.reported.protocol}


def get_version_info(server: RpcServer, params: Json) -> Json:
    """The version of the server, of its core and of the network."""
    if server.reported.version is None:  # older than 21.1.0, or hidden by a gateway
        raise RpcProblem(NO_SUCH_METHOD, "method not found", data="getVersionInfo")
    return version_info(server.reported)


def get_latest_ledger(server: RpcServer, params: Json) -> Json:
    """The last ledger."""
    latest = server.chain.latest
    return {
        "id": latest.hash,
        "protocolVersion": latest.protocol,
        "sequence": latest.sequence,
        "closeTime": str(latest.closed_at),
        "headerXdr": to_base64(latest.header),
        "metadataXdr": to_base64(close_meta(latest)),
    }


def get_ledgers(server: RpcServer, params: Json) -> Json:
    """Ledgers from a given ledger on, or after a cursor, which is a ledger number.

    Raises RpcProblem -32600 if the start is outside the history or the limit is too high.
    """
    oldest, latest = server.chain.oldest, server.chain.latest
    start, limit = _start_and_limit(params, oldest.sequence, latest.sequence)
    found = list(server.chain.ledgers(start, start + limit))
    return {
        "ledgers": [_ledger(each) for each in found],
        "latestLedger": latest.sequence,
        "latestLedgerCloseTime": latest.closed_at,
        "oldestLedger": oldest.sequence,
        "oldestLedgerCloseTime": oldest.closed_at,
        "cursor": str(found[-1].sequence if found else start - 1),
    }


def _start_and_limit(params: Json, oldest: int, latest: int) -> tuple[int, int]:
    field = "GetLedgersRequest.pagination"
    asked = item(params.get("pagination"), field, "LedgerPaginationOptions")
    limit = number(asked, "LedgerPaginationOptions.pagination.limit", "uint") or LEDGERS
    start = number(params, "GetLedgersRequest.startLedger", "uint32")
    if (cursor := str(asked.get("cursor") or "")).isdecimal():
        start = int(cursor) + 1
    if not oldest <= start <= latest:
        reason = (
            f"start ledger ({start}) must be between the oldest ledger: {oldest} and the latest"
        )
        raise RpcProblem(INVALID_REQUEST, f"{reason} ledger: {latest} for this rpc instance")
    if limit > MOST_LEDGERS:
        raise RpcProblem(INVALID_REQUEST, f"limit must not exceed {MOST_LEDGERS}")
    return start, limit


def _ledger(ledger: Ledger) -> Json:
    return {
        "hash": ledger.hash,
        "sequence": ledger.sequence,
        "ledgerCloseTime": str(ledger.closed_at),
        "headerXdr": to_base64(history_entry(ledger)),
        "metadataXdr": to_base64(close_meta(ledger)),
    }


def get_transaction(server: RpcServer, params: Json) -> Json:
    """The transaction with this hash, or NOT_FOUND."""
    return read_transaction(params, server.chain, server.faults)


def get_transactions(server: RpcServer, params: Json) -> Json:
    """Transactions of any contract, in the order of the chain."""
    return read_transactions(params, server.chain, server.faults)


def get_events(server: RpcServer, params: Json) -> Json:
    """The events of a range of ledgers, and the cursor from which to continue."""
    events, cursor = scan(read_query(params), server.chain, server.faults, server.settings.protocol)
    oldest, latest = server.chain.oldest, server.chain.latest
    return {
        "events": events,
        "cursor": cursor,
        "latestLedger": latest.sequence,
        "oldestLedger": oldest.sequence,
        "latestLedgerCloseTime": str(latest.closed_at),
        "oldestLedgerCloseTime": str(oldest.closed_at),
    }


def get_ledger_entries(server: RpcServer, params: Json) -> Json:
    """Accounts, trustlines, and entries of the contracts' storage."""
    return read_entries(params, server.submissions, server.chain.latest)


def get_fee_stats(server: RpcServer, params: Json) -> Json:
    """The inclusion fees of the last ledgers."""
    return fee_stats(server.chain, server.submissions.inclusion_fee)


def send_transaction(server: RpcServer, params: Json) -> Json:
    """Submit a transaction. It can be in the next ledger."""
    return send(params, server.chain, server.network, server.faults, int(server.now))


def simulate_transaction(server: RpcServer, params: Json) -> Json:
    """What a transaction would do now, and what it must declare."""
    return simulate(params, server.chain, server.network, server.reported.protocol)


_METHODS: dict[str, Callable[[RpcServer, Json], Json]] = {
    "getEvents": get_events,
    "getFeeStats": get_fee_stats,
    "getHealth": get_health,
    "getLatestLedger": get_latest_ledger,
    "getLedgerEntries": get_ledger_entries,
    "getLedgers": get_ledgers,
    "getNetwork": get_network,
    "getTransaction": get_transaction,
    "getTransactions": get_transactions,
    "getVersionInfo": get_version_info,
    "sendTransaction": send_transaction,
    "simulateTransaction": simulate_transaction,
}
