"""Suspects: what cannot be believed is read a second time before anyone acts on it.

A byte altered on the way heals by another read. The same bytes twice are what the source has:
then events that do not hash to what consensus signed stop the indexer, and a meta that cannot be
decoded goes to the dead letters, whole.
"""

from __future__ import annotations

from hashlib import sha256

from services.indexer.records import Record
from services.indexer.sources import SourceError, SourceFatal
from services.indexer.transactions import (
    Reading,
    Unproved,
    Watched,
    dead_letter,
    read_transaction,
)
from services.indexer.xdr import XdrError


class Suspects:
    """Reads transactions of one contract, remembering the one that failed last."""

    def __init__(self, contract: Watched) -> None:
        self._contract = contract
        self._last = b""

    def read(self, record: Record, into: Reading) -> None:
        """Like `read_transaction`; SourceError asks to read again, SourceFatal to stop."""
        try:
            read_transaction(record, self._contract, into)
        except Unproved as error:
            if not self._again(record):
                raise SourceError("unproved", f"{error}; reading it once more") from error
            raise SourceFatal(
                "unproved", f"the events of {error} do not hash to what consensus signed"
            ) from error
        except XdrError as error:
            if not self._again(record):
                raise SourceError("undecodable", f"{record.hash}: {error}") from error
            into.dead.append(dead_letter(record, str(error), record.meta or b""))

    def _again(self, record: Record) -> bool:
        digest = sha256(record.hash.encode() + record.result + (record.meta or b"")).digest()
        again, self._last = digest == self._last, digest
        return again
