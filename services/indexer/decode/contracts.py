"""The contracts that are watched, and who reads the events of each.

Pure. A transaction holds events of many contracts; which of them are ours is told by the 32 raw
bytes of their ids.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.indexer.decode.stream_contract import read_event
from services.indexer.decode.token_contract import read_token_event
from services.indexer.xdr import ContractEvent
from shared.domain.contracts import ContractKind, ContractSpec, parse_contracts
from shared.domain.events import Event, Provenance
from shared.domain.position import Position
from shared.domain.strkeys import CONTRACT, payload_of

_READ = {ContractKind.STREAM: read_event, ContractKind.TOKEN: read_token_event}


@dataclass(frozen=True, slots=True)
class WatchedContract:
    """One of them: its address (C…), its 32 bytes, and what it is."""

    address: str
    raw: bytes
    kind: ContractKind

    @classmethod
    def of(cls, spec: ContractSpec) -> WatchedContract:
        """From the settings."""
        return cls(spec.address, payload_of(CONTRACT, spec.address), spec.kind)

    @property
    def only_invocations(self) -> bool:
        """Whether its events come from calls alone, whose results prove them.

        An asset's contract speaks for payments and other classic operations too (CAP-67).
        """
        return self.kind is not ContractKind.TOKEN

    def read(
        self, event: ContractEvent, position: Position, source: Provenance, closed: int
    ) -> Event:
        """Our event for one of its own; `closed` is the ledger's close in Unix seconds.

        Raises UnreadableEventError (services.indexer.decode.stream_contract).
        """
        return _READ[self.kind](event, position, source, closed)


class WatchedContracts:
    """All of them, by what they are known by."""

    def __init__(self, specs: Iterable[ContractSpec]) -> None:
        self.all = tuple(map(WatchedContract.of, specs))
        self._by_raw = {each.raw: each for each in self.all}
        self._by_address = {each.address: each for each in self.all}
        self.addresses = tuple(self._by_address)
        self.raws = tuple(self._by_raw)
        self._token_raws = tuple(each.raw for each in self.all if not each.only_invocations)

    @classmethod
    def of(cls, *texts: str) -> WatchedContracts:
        """From their names in the settings (shared.domain.contracts). Raises ValueError."""
        return cls(parse_contracts(texts))

    def by_raw(self, raw: bytes | None) -> WatchedContract | None:
        """The watched contract of these 32 bytes, if it is one."""
        return None if raw is None else self._by_raw.get(raw)

    def by_address(self, address: str) -> WatchedContract | None:
        """The watched contract at this address (C…), if it is one."""
        return self._by_address.get(address)

    def may_emit(self, envelope: bytes, meta: bytes | None) -> bool:
        """Whether a transaction can hold events of theirs: a quick, sound filter.

        The footprint of a call names every contract that it may touch, and stands in the envelope.
        A classic operation has no footprint, but its meta names the asset's contract in each of
        its events; where the meta was left out, nothing can be ruled out. A false positive costs
        one look at the meta.
        """
        if any(raw in envelope for raw in self.raws):
            return True
        return any(meta is None or raw in meta for raw in self._token_raws)
