"""The storage of the contracts over time: the value of each entry after each ledger.

A server that lags must answer with the entries of its own last ledger.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from deploy.simulator.chain.entries import EntryChange, entry_data, entry_key

LIFETIME = 518_400
"""Ledgers until an entry expires, counted from its last change: about 30 days."""


class StoredEntry(NamedTuple):
    """An entry as of some ledger. `data` is the XDR of a LedgerEntryData, in base64.

    `live_until` is the last ledger in which the entry is live; 0 if it is archived. It is None for
    accounts and trustlines, which never expire.
    """

    modified: int
    data: str
    live_until: int | None


class StorageHistory:
    """All entries, by their key: the XDR of a LedgerKey, in base64."""

    def __init__(self) -> None:
        self._versions: defaultdict[str, list[StoredEntry]] = defaultdict(list)

    def put(self, ledger: int, changes: Iterable[EntryChange]) -> None:
        """Store what the transactions of a ledger wrote."""
        for change in changes:
            data = entry_data(change.contract_id, change.key, change.after).to_xdr()
            key = entry_key(change.contract_id, change.key).to_xdr()
            self._versions[key].append(StoredEntry(ledger, data, ledger + LIFETIME))

    def archive(self, key: str, ledger: int) -> None:
        """Archive an entry: nobody has paid for its storage."""
        self._versions[key].append(self._versions[key][-1]._replace(modified=ledger, live_until=0))

    def restore(self, key: str, ledger: int) -> None:
        """Restore an archived entry. This has no event."""
        entry = self._versions[key][-1]
        self._versions[key].append(entry._replace(modified=ledger, live_until=ledger + LIFETIME))

    def at(self, key: str, ledger: int) -> StoredEntry | None:
        """The entry after a ledger; None if there was none."""
        versions = self._versions.get(key, [])
        found = bisect_right(versions, ledger, key=lambda each: each.modified)
        return versions[found - 1] if found else None
