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
from services.indexer.decode.contracts import Contracts
from services.indexer.decode.records import HorizonTransaction
from services.indexer.decode.transactions import (
    DecodedEvents,
    Told,
    Unproved,
    dead_letter,
    read_told,
    read_transaction,
)
from services.indexer.sources.base import SourceError, SourceFatal
from services.indexer.xdr import XdrError

log = structlog.get_logger()


class VerifyingReader:
    """Reads transactions, remembering the one that failed last."""

    def __init__(self, contracts: Contracts, *, alarm_only: bool = False) -> None:
        """`alarm_only`: what stays unproved is kept, with `verified` false."""
        self._contracts = contracts
        self._alarm_only = alarm_only
        self._last = b""

    def read(
        self, record: HorizonTransaction, into: DecodedEvents, told: Told | None = None
    ) -> None:
        """Like `read_transaction`; SourceError asks to read again, SourceFatal to stop."""
        before = len(into.dead)
        try:
            read_transaction(record, self._contracts, into, told=told)
        except Unproved as error:
            self._unproved(error, record, into, told)
        except XdrError as error:
            metrics.DECODE_FAILURES.inc()
            if not self._again(record, told):
                raise SourceError("undecodable", f"{record.hash}: {error}") from error
            into.dead.append(dead_letter(record, str(error), record.meta or b""))
        else:
            metrics.DECODE_FAILURES.inc(len(into.dead) - before)

    def read_told(self, record: HorizonTransaction, into: DecodedEvents, told: Told) -> None:
        """The events of a transaction that the source does not have any more."""
        read_told(record, self._contracts, told, into)

    def _unproved(
        self, error: Unproved, record: HorizonTransaction, into: DecodedEvents, told: Told | None
    ) -> None:
        if not self._again(record, told):
            raise SourceError("unproved", f"{error}; reading it once more") from error
        text = f"the events of {error} do not hash to what consensus signed"
        if not self._alarm_only:
            raise SourceFatal("unproved", text) from error
        metrics.ALARM.labels("unproved").set(1)
        metrics.UNPROVED.inc()
        log.error("unproved", transaction=record.hash, ledger=record.ledger, error=text)
        read_transaction(record, self._contracts, into, told=told, accept_unproved=True)

    def _again(self, record: HorizonTransaction, told: Told | None) -> bool:
        parts = (record.hash.encode(), record.result, record.meta or b"", *(told or {}).values())
        digest = sha256(b"".join(parts)).digest()
        again, self._last = digest == self._last, digest
        return again
