"""What a round of the audit found. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.indexer.state.comparison import FieldDifference, differences, is_learned
from shared.domain.stream import Stream
from shared.journal.plan import StreamStates


@dataclass(slots=True)
class AuditRound:
    """What one round found, or a part of it. Streams are named by their ids.

    `streams`: how many the contract has made. `equal`: how many stored states are the contract's.
    `loaded`: streams that were not stored. `learned`: streams with a schedule that was not known,
    or whose record was archived or restored since the last round.
    `different`: stored states that are not the contract's. `unreadable`: why a record could not be
    read. `unsettled`: streams whose events came too fast to compare. `ledger`: the last ledger as
    of which states were compared.
    """

    streams: int = 0
    equal: int = 0
    ledger: int = 0
    loaded: list[str] = field(default_factory=list)
    learned: list[str] = field(default_factory=list)
    different: dict[str, list[FieldDifference]] = field(default_factory=dict)
    archived: set[str] = field(default_factory=set)
    unreadable: dict[str, str] = field(default_factory=dict)
    unsettled: list[str] = field(default_factory=list)

    @property
    def to_take(self) -> list[str]:
        """The streams whose state is to be taken from the contract, in the order of their ids."""
        return sorted({*self.loaded, *self.learned, *self.different}, key=int)

    def add(self, part: AuditRound, ledger: int) -> None:
        """Add what a part of the round has found, as of a ledger."""
        self.equal += part.equal
        self.loaded += part.loaded
        self.learned += part.learned
        self.different |= part.different
        self.ledger = ledger


def compared(stored: StreamStates, contract: Mapping[str, Stream]) -> AuditRound:
    """Sort the contract's streams into equal, new, better known and different ones."""
    found = AuditRound()
    for stream_id, theirs in contract.items():
        ours = stored[stream_id]
        if ours is None:
            found.loaded.append(stream_id)
        elif wrong := differences(ours, theirs):
            found.different[stream_id] = wrong
        else:
            found.equal += 1
            if is_learned(ours, theirs):
                found.learned.append(stream_id)
    return found
