"""What accounts and contracts hold of each token, and the accounts' sequence numbers, over time.

An account exists if it has an amount of lumens. It has the trustline of an asset if it has an
amount of this asset, 0 or more.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import NamedTuple

from stellar_sdk import xdr

from deploy.simulator.chain.accounts import ASSETS, LUMENS
from deploy.simulator.chain.holding_entries import holding_data, holding_key
from deploy.simulator.chain.storage_history import LIFETIME, StoredEntry


class Holding(NamedTuple):
    """The contract of a token, and who holds it: an account (G…) or a contract (C…)."""

    token: str
    holder: str


class LedgerChange(NamedTuple):
    """A number and the ledger that set it."""

    ledger: int
    value: int


class Holdings:
    """All amounts in base units, and all sequence numbers. Only the last one of a ledger stays."""

    def __init__(self) -> None:
        self._amounts: dict[Holding, list[LedgerChange]] = {}
        self._sequences: dict[str, list[LedgerChange]] = {}
        self._by_key: dict[str, Holding] = {}

    def amount(self, token: str, holder: str) -> int | None:
        """The amount now; None if there is no account, trustline or balance."""
        found = self._amounts.get(Holding(token, holder))
        return found[-1].value if found else None

    def put(self, ledger: int, amounts: Mapping[Holding, int]) -> None:
        """Set amounts."""
        for holding, value in amounts.items():
            if holding not in self._amounts:
                self._by_key[holding_key(*holding).to_xdr()] = holding
                self._amounts[holding] = []
            _append(self._amounts[holding], LedgerChange(ledger, value))

    def sequence(self, account: str) -> int:
        """The sequence number of the last transaction of an account; 0 if it does not exist."""
        found = self._sequences.get(account)
        return found[-1].value if found else 0

    def put_sequence(self, ledger: int, account: str, sequence: int) -> None:
        """Set the sequence number of an account."""
        _append(self._sequences.setdefault(account, []), LedgerChange(ledger, sequence))

    def trustlines(self, account: str) -> int:
        """The number of trustlines of an account now."""
        return sum(self.amount(each, account) is not None for each in ASSETS)

    def data(self, holding: Holding, amount: int) -> xdr.LedgerEntryData:
        """The entry of a holding, with this amount and the rest as it is now."""
        account = holding.holder
        return holding_data(*holding, amount, self.sequence(account), self.trustlines(account))

    def at(self, key: str, ledger: int) -> StoredEntry | None:
        """The entry with this key, in base64, after a ledger; None if there was none."""
        holding = self._by_key.get(key)
        found = _at(self._amounts[holding], ledger) if holding else None
        if holding is None or found is None:
            return None
        sequence = _at(self._sequences.get(holding.holder, []), ledger) or LedgerChange(0, 0)
        lines = self.trustlines(holding.holder)
        data = holding_data(*holding, found.value, sequence.value, lines)
        of_account = holding.token == LUMENS and data.account is not None
        modified = max(found.ledger, sequence.ledger) if of_account else found.ledger
        lives = None if data.contract_data is None else found.ledger + LIFETIME
        return StoredEntry(modified, data.to_xdr(), lives)


def _append(changes: list[LedgerChange], new: LedgerChange) -> None:
    if changes and changes[-1].ledger == new.ledger:
        changes.pop()
    changes.append(new)


def _at(changes: list[LedgerChange], ledger: int) -> LedgerChange | None:
    found = bisect_right(changes, ledger, key=lambda each: each.ledger)
    return changes[found - 1] if found else None
