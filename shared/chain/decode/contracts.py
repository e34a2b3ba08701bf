"""The watched contracts, and the decoder for the events of each. Pure.

A transaction may contain events of many contracts. The events of watched contracts are found by the
contract's raw 32-byte id.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.chain.decode.stream_contract import read_event
from shared.chain.decode.token_contract import read_token_event
from shared.chain.xdr import ContractEvent
from shared.domain.contracts import ContractKind, ContractSpec, parse_contracts
from shared.domain.events import Event, Provenance
from shared.domain.position import Position
from shared.domain.strkeys import CONTRACT, payload_of

_READ = {ContractKind.STREAM: read_event, ContractKind.TOKEN: read_token_event}


@dataclass(frozen=True, slots=True)
class WatchedContract:
    """A watched contract: its address (C…), the 32 bytes of its id, and its kind."""

    address: str
    raw: bytes
    kind: ContractKind

    @classmethod
    def of(cls, spec: ContractSpec) -> WatchedContract:
        """Create a watched contract from an entry of the setting CONTRACTS."""
        return cls(spec.address, payload_of(CONTRACT, spec.address), spec.kind)

    @property
    def only_invocations(self) -> bool:
        """True if all events of the contract come from invocations, whose results prove the events.

        False for a token: the contract of an asset also emits events for payments and other classic
        operations (CAP-67).
        """
        return self.kind is not ContractKind.TOKEN

    def read(
        self, event: ContractEvent, position: Position, source: Provenance, closed: int
    ) -> Event:
        """Convert an event of this contract. `closed`: when the ledger closed, in Unix seconds.

        Raises UnreadableEventError (shared.chain.decode.stream_contract).
        """
        return _READ[self.kind](event, position, source, closed)


class WatchedContracts:
    """All watched contracts. Each one is found by its raw id or its address."""

    def __init__(self, specs: Iterable[ContractSpec]) -> None:
        self.all = tuple(map(WatchedContract.of, specs))
        self.stream = self.all[0]  # parse_contracts puts it first
        self._by_raw = {each.raw: each for each in self.all}
        self._by_address = {each.address: each for each in self.all}
        self.addresses = tuple(self._by_address)
        self.raws = tuple(self._by_raw)
        self._token_raws = tuple(each.raw for each in self.all if not each.only_invocations)

    @classmethod
    def of(cls, *texts: str) -> WatchedContracts:
        """Create watched contracts from entries of CONTRACTS. Raises ValueError."""
        return cls(parse_contracts(texts))

    def by_raw(self, raw: bytes | None) -> WatchedContract | None:
        """The watched contract with this raw id, else None."""
        return None if raw is None else self._by_raw.get(raw)

    def by_address(self, address: str) -> WatchedContract | None:
        """The watched contract with this address (C…), else None."""
        return self._by_address.get(address)

    def may_emit(self, envelope: bytes, meta: bytes | None) -> bool:
        """False if the transaction has no event of a watched contract, True if it may have one.

        The check is fast: it only searches the bytes for the raw ids of contracts. The envelope of
        a call has a footprint, which names every contract that the call can touch. A classic
        operation has no footprint, but its meta names the asset's contract in each event. If the
        meta is missing and a token is watched, the answer is True. A wrong True only costs the
        decoding of the meta.
        """
        if any(raw in envelope for raw in self.raws):
            return True
        return any(meta is None or raw in meta for raw in self._token_raws)
