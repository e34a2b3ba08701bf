"""What a round of the audit found. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from services.indexer.state.comparison import FieldDifference, differences, is_learned
from shared.domain.stream import Stream
from shared.journal.plan import StreamStates

MISSING = "RPC has no record of this stream"
"""The reason for a record that is missing."""


class ContractStates(NamedTuple):
    """Streams by id as they are in the contract; the others with the reason why nobody can tell."""

    streams: Mapping[str, Stream]
    unreadable: Mapping[str, str]


@dataclass(slots=True)
class AuditRound:
    """What a round, or a part of it, has found. The lists contain the ids of streams.

    `streams`: the number of streams that the contract has created. `equal`: the number of stored
    states that are equal to the contract's. `ledger`: the last states were compared as of the end
    of this ledger. `loaded`: streams that were not stored. `learned`: streams whose schedule was
    not known, or whose record was archived or restored since the last round. `repaired`: streams
    whose stored state was uncertain. `different`: for each other stored state that differs, the
    fields. `archived`: streams whose record is archived. `unreadable`: for each record that is
    missing or cannot be read, the reason. `doubtful`: those of them whose stored state becomes
    uncertain. `unsettled`: streams that could not be compared, because at each try they had newer
    events or RPC's answer was too old.
    """

    streams: int = 0
    equal: int = 0
    ledger: int = 0
    loaded: list[str] = field(default_factory=list)
    learned: list[str] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
    different: dict[str, list[FieldDifference]] = field(default_factory=dict)
    archived: set[str] = field(default_factory=set)
    unreadable: dict[str, str] = field(default_factory=dict)
    doubtful: list[str] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)

    @property
    def to_take(self) -> list[str]:
        """The streams whose state must be taken from the contract, ordered by id."""
        return sorted({*self.loaded, *self.learned, *self.repaired, *self.different}, key=int)

    def add(self, part: AuditRound, ledger: int) -> None:
        """Add what a part of the round has found, as of the end of `ledger`."""
        self.equal += part.equal
        self.loaded += part.loaded
        self.learned += part.learned
        self.repaired += part.repaired
        self.different |= part.different
        self.unreadable |= part.unreadable
        self.doubtful += part.doubtful
        self.ledger = ledger


def compared(stored: StreamStates, contract: ContractStates) -> AuditRound:
    """Compare the stored streams with those in the contract, and sort them by the result."""
    found = AuditRound()
    for stream_id, reason in contract.unreadable.items():
        known = stored[stream_id]
        if reason == MISSING and (known is None or known.terminal):
            continue  # the contract removes the record of a stream that was closed
        found.unreadable[stream_id] = reason
        if known and not known.terminal and not known.uncertain:
            found.doubtful.append(stream_id)
    for stream_id, theirs in contract.streams.items():
        ours = stored[stream_id]
        if ours is None:
            found.loaded.append(stream_id)
        elif theirs.state_ledger < ours.state_ledger:
            found.unsettled.append(stream_id)  # an earlier answer of RPC was newer
        elif ours.uncertain:
            found.repaired.append(stream_id)
        elif wrong := differences(ours, theirs):
            found.different[stream_id] = wrong
        else:
            found.equal += 1
            if is_learned(ours, theirs):
                found.learned.append(stream_id)
    return found
