"""Follows a transaction: pending, in a ledger (succeeded or failed), or expired."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.api.errors import EnvelopeRejectedError, TransactionNotFoundError
from services.api.transactions.documents import Document, settled_event
from services.api.transactions.failures import Failure
from services.api.transactions.network import ChainNetwork, answering
from services.api.transactions.reading import ReadEnvelope, read_envelope
from services.api.transactions.refusals import refusal_of
from services.api.transactions.rights import require_source
from services.api.transactions.settled import (
    NOT_FOUND,
    SettledTransaction,
    is_expired,
    ledger_times,
    network_error,
    read_settled,
)
from services.api.transactions.submission_store import (
    SubmissionRecord,
    SubmissionState,
    SubmissionStore,
)
from shared.auth.principal import Principal
from shared.chain.decode.contracts import WatchedContracts
from shared.chain.decode.transactions import decode_transaction
from shared.chain.errors import SourceError
from shared.domain.errors import HeadraceError
from shared.journal.plan import plan_writes
from shared.journal.streams import StoredStreams


class TransactionFollower:
    """Says what has become of a transaction."""

    def __init__(
        self,
        network: ChainNetwork,
        streams: StoredStreams,
        contracts: WatchedContracts,
        submissions: SubmissionStore,
    ) -> None:
        self._network = network
        self._streams = streams
        self._contracts = contracts
        self._submissions = submissions

    async def status(self, tx_hash: str, by: Principal) -> Document:
        """The status of a transaction.

        Raises TransactionNotFoundError, PermissionDeniedError, RpcUnavailableError.
        """
        record = await self._submissions.get(tx_hash)
        answer = await self._network.transaction(tx_hash)
        if answer["status"] != NOT_FOUND:
            return await self.settled(answer, tx_hash, by)
        if record is None or record.state is SubmissionState.PREPARED:
            raise TransactionNotFoundError(
                f"Transaction {tx_hash} was not submitted here within the last day, and Stellar "
                "RPC does not have it."
            )
        require_source(by, record.source)
        expired = is_expired(ledger_times(answer), record.max_time, record.after)
        return waiting(tx_hash, record, "expired" if expired else "pending")

    async def settled(self, answer: Mapping[str, Any], tx_hash: str, by: Principal) -> Document:
        """The status of a transaction that is in a ledger: `answer` is that of getTransaction."""
        async with answering():
            found = read_settled(answer, tx_hash)
            try:
                read = read_envelope(
                    str(answer["envelopeXdr"]),
                    self._network.passphrase,
                    self._contracts.stream.address,
                )
            except EnvelopeRejectedError as error:
                raise TransactionNotFoundError(
                    f"Transaction {tx_hash} is none of this API: it {error}."
                ) from None
        require_source(by, read.source)
        record = found.record
        return {
            "hash": tx_hash,
            "status": "succeeded" if record.successful else "failed",
            "expiresAt": read.max_time or None,
            "ledger": record.ledger,
            "closedAt": record.closed,
            "fee": str(found.fee),
            "events": await self._events(found),
            "error": await self._error(found.failure, read),
        }

    async def _events(self, found: SettledTransaction) -> list[Document]:
        async with answering():
            try:
                decoded = decode_transaction(found.record, self._contracts)
            except HeadraceError as error:  # the meta is missing, damaged or not proved
                raise SourceError("malformed", str(error)) from error
        ids = {each.stream_id for each in decoded.events if each.stream_id}
        streams = await self._streams.find(sorted(ids))
        return [settled_event(each) for each in plan_writes(decoded.events, streams)]

    async def _error(self, failure: Failure | None, read: ReadEnvelope) -> Document | None:
        if failure is None:
            return None
        refused = network_error(failure.reason)
        if failure.code is not None and read.call:
            by_asset = await self._network.is_by_asset(failure, read.call)
            refused = refusal_of(failure, read.call, by_asset=by_asset)
        return {"code": refused.code, "detail": str(refused)}


def waiting(tx_hash: str, record: SubmissionRecord, status: str = "pending") -> Document:
    """The status of a transaction that is in no ledger."""
    return {
        "hash": tx_hash,
        "status": status,
        "expiresAt": record.max_time,
        "ledger": None,
        "closedAt": None,
        "fee": None,
        "events": [],
        "error": None,
    }
