"""Decode transactions, and read a suspicious one a second time before acting on it.

A transaction is suspicious if its proof fails or its meta cannot be decoded. If the bytes were only
damaged on their way, the second read is correct. If the second read brings the same bytes, the
source really has them:

* Events that fail their proof stop the indexer. With UNPROVED=alarm, the events are kept with
  `verified` false, and an alarm is set.
* A meta that cannot be decoded becomes a dead letter.

See docs/decisions/0004-events-are-proved.md.
"""

from __future__ import annotations

from hashlib import sha256

import structlog

from services.indexer import metrics
from shared.chain.decode.contracts import WatchedContracts
from shared.chain.decode.records import HorizonTransaction
from shared.chain.decode.transactions import (
    DecodedEvents,
    RawEvents,
    UnprovedError,
    dead_letter,
    decode_events,
    decode_transaction,
)
from shared.chain.errors import FatalSourceError, SourceError
from shared.chain.xdr import XdrError

log = structlog.get_logger()


class VerifyingReader:
    """Decodes and proves transactions; remembers the last transaction that failed."""

    def __init__(self, contracts: WatchedContracts, *, alarm_only: bool = False) -> None:
        """`alarm_only`: keep events that fail their proof, with `verified` false and an alarm."""
        self._contracts = contracts
        self._alarm_only = alarm_only
        self._last_digest = b""

    def read(
        self, record: HorizonTransaction, rpc_events: RawEvents | None = None
    ) -> DecodedEvents:
        """Decode and prove a transaction.

        Raises SourceError when the transaction must be read a second time; FatalSourceError when
        its proof failed twice (except with `alarm_only`); MetaMissingError as `decode_transaction`
        does.
        """
        try:
            decoded = decode_transaction(record, self._contracts, rpc_events=rpc_events)
        except UnprovedError as error:
            return self._unproved(error, record, rpc_events)
        except XdrError as error:
            metrics.DECODE_FAILURES.inc()
            if not self._is_second_read(record, rpc_events):
                raise SourceError("undecodable", f"{record.hash}: {error}") from error
            return DecodedEvents(dead=[dead_letter(record, str(error), record.meta or b"")])
        if decoded.dead:
            metrics.DECODE_FAILURES.inc(len(decoded.dead))
        return decoded

    def read_without_meta(self, record: HorizonTransaction, rpc_events: RawEvents) -> DecodedEvents:
        """Decode the events of a transaction that the source has trimmed; `verified` is None."""
        return decode_events(record, self._contracts, rpc_events)

    def _unproved(
        self, error: UnprovedError, record: HorizonTransaction, rpc_events: RawEvents | None
    ) -> DecodedEvents:
        if not self._is_second_read(record, rpc_events):
            text = f"the events of {error} failed their proof; they are read a second time"
            raise SourceError("unproved", text) from error
        text = f"the events of {error} do not match the hash in its result"
        if not self._alarm_only:
            raise FatalSourceError("unproved", text) from error
        metrics.ALARM.labels("unproved").set(1)
        metrics.UNPROVED.inc()
        log.error("unproved", transaction=record.hash, ledger=record.ledger, error=text)
        return decode_transaction(
            record, self._contracts, rpc_events=rpc_events, accept_unproved=True
        )

    def _is_second_read(self, record: HorizonTransaction, rpc_events: RawEvents | None) -> bool:
        """True if the last transaction that failed had exactly these bytes."""
        parts = (record.hash.encode(), record.result, record.meta or b"")
        digest = sha256(b"".join((*parts, *(rpc_events or {}).values()))).digest()
        is_second, self._last_digest = digest == self._last_digest, digest
        return is_second
