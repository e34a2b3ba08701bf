"""The state of the network that submitted transactions read and change."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from stellar_sdk import xdr

from deploy.simulator.chain.entries import EntryChange, entry_data, entry_key
from deploy.simulator.chain.holding_entries import holding_key
from deploy.simulator.chain.holdings import Holdings
from deploy.simulator.chain.storage_history import StorageHistory, StoredEntry
from deploy.simulator.contracts.stream_contract import StreamContract
from deploy.simulator.submission.host import HostRun


class EntryDiff(NamedTuple):
    """A ledger entry before and after a call. `before` is None for a new one."""

    key: str
    before: StoredEntry | None
    after: xdr.LedgerEntryData


@dataclass(frozen=True, slots=True)
class State:
    """The stream contract, the storage, and what everybody holds."""

    contract: StreamContract
    storage: StorageHistory
    holdings: Holdings

    def entry(self, key: str, ledger: int) -> StoredEntry | None:
        """The entry with this key (base64) after a ledger; None if there was none."""
        return self.storage.at(key, ledger) or self.holdings.at(key, ledger)

    def size(self, key: str, ledger: int) -> int:
        """The bytes of an entry; 0 if there is none."""
        found = self.entry(key, ledger)
        return len(base64.b64decode(found.data)) if found else 0

    def archived(self, keys: Iterable[str], ledger: int) -> list[str]:
        """Those of the keys whose entries are archived in a ledger."""
        found = [(key, self.storage.at(key, ledger)) for key in keys]
        return [key for key, entry in found if entry and (entry.live_until or 0) < ledger]

    def differences(self, run: HostRun, ledger: int) -> Sequence[EntryDiff]:
        """The entries that a run changes."""
        diffs = []
        for change in run.changes:
            key = entry_key(change.contract_id, change.key).to_xdr()
            before = self._before(change, key, ledger)
            after = entry_data(change.contract_id, change.key, change.after)
            diffs.append(EntryDiff(key, before, after))
        for holding, amount in run.holdings.items():
            key = holding_key(*holding).to_xdr()
            held = self.holdings.data(holding, amount)
            diffs.append(EntryDiff(key, self.holdings.at(key, ledger), held))
        return diffs

    def _before(self, change: EntryChange, key: str, ledger: int) -> StoredEntry | None:
        """The entry before a change. Transactions of the same ledger are not in the storage yet."""
        if change.before is None:
            return None
        data = entry_data(change.contract_id, change.key, change.before).to_xdr()
        stored = self.storage.at(key, ledger)
        return StoredEntry(stored.modified if stored else ledger, data, None)
