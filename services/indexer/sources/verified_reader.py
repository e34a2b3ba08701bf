"""Suspects: what cannot be believed is read a second time before anyone acts on it.

A byte altered on the way heals by another read. The same bytes twice are what the source has:
then events that do not hash to what consensus signed stop the indexer (or, where the operator
wants that, are kept as unproved under an alarm), and a meta that cannot be decoded goes to the
dead letters, whole.
"""

from __future__ import annotations

from hashlib import sha256

import structlog

from services.indexer import metrics
from services.indexer.decode.contracts import WatchedContracts
from services.indexer.decode.records import HorizonTransaction
from services.indexer.decode.transactions import (
    DecodedEvents,
    RawEvents,
    UnprovedError,
    dead_letter,
    decode_events,
    decode_transaction,
)
from services.indexer.sources.base import FatalSourceError, SourceError
from services.indexer.xdr import XdrError

log = structlog.get_logger()


class VerifyingReader:
    """Reads transactions, remembering the one that failed last."""

    def __init__(self, contracts: WatchedContracts, *, alarm_only: bool = False) -> None:
        """`alarm_only`: what stays unproved is kept, with `verified` false."""
        self._contracts = contracts
        self._alarm_only = alarm_only
        self._last_digest = b""

    def read(
        self, record: HorizonTransaction, into: DecodedEvents, rpc_events: RawEvents | None = None
    ) -> None:
        """Like `decode_transaction`; SourceError asks to read again, SourceFatal to stop."""
        dead_before = len(into.dead)
        try:
            decode_transaction(record, self._contracts, into, rpc_events=rpc_events)
        except UnprovedError as error:
            self._unproved(error, record, into, rpc_events)
        except XdrError as error:
            metrics.DECODE_FAILURES.inc()
            if not self._is_second_read(record, rpc_events):
                raise SourceError("undecodable", f"{record.hash}: {error}") from error
            into.dead.append(dead_letter(record, str(error), record.meta or b""))
        else:
            metrics.DECODE_FAILURES.inc(len(into.dead) - dead_before)

    def decode_events(
        self, record: HorizonTransaction, into: DecodedEvents, rpc_events: RawEvents
    ) -> None:
        """The events of a transaction that the source does not have any more."""
        decode_events(record, self._contracts, rpc_events, into)

    def _unproved(
        self,
        error: UnprovedError,
        record: HorizonTransaction,
        into: DecodedEvents,
        rpc_events: RawEvents | None,
    ) -> None:
        if not self._is_second_read(record, rpc_events):
            raise SourceError("unproved", f"{error}; reading it once more") from error
        text = f"the events of {error} do not hash to what consensus signed"
        if not self._alarm_only:
            raise FatalSourceError("unproved", text) from error
        metrics.ALARM.labels("unproved").set(1)
        metrics.UNPROVED.inc()
        log.error("unproved", transaction=record.hash, ledger=record.ledger, error=text)
        decode_transaction(
            record, self._contracts, into, rpc_events=rpc_events, accept_unproved=True
        )

    def _is_second_read(self, record: HorizonTransaction, rpc_events: RawEvents | None) -> bool:
        parts = (
            record.hash.encode(),
            record.result,
            record.meta or b"",
            *(rpc_events or {}).values(),
        )
        digest = sha256(b"".join(parts)).digest()
        is_second, self._last_digest = digest == self._last_digest, digest
        return is_second
