"""What a round of the audit found. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.indexer.state.comparison import FieldDifference, differences, is_learned
from shared.domain.stream import Stream
from shared.journal.plan import StreamStates


@dataclass(slots=True)
class AuditRound:
    """What one round found. `unsettled`: streams whose events came too fast to compare."""

    streams: int = 0
    equal: int = 0
    ledger: int = 0
    loaded: list[str] = field(default_factory=list)
    different: dict[str, list[FieldDifference]] = field(default_factory=dict)
    archived: set[str] = field(default_factory=set)
    unreadable: dict[str, str] = field(default_factory=dict)
    unsettled: list[str] = field(default_factory=list)


def to_take(outcome: AuditRound, stored: StreamStates, contract: Mapping[str, Stream]) -> list[str]:
    """The streams whose state is taken from the contract, in the order of their ids."""
    learned = [
        stream_id
        for stream_id, theirs in contract.items()
        if (ours := stored[stream_id]) and is_learned(ours, theirs)
    ]
    return sorted({*outcome.loaded, *outcome.different, *learned}, key=int)


def compared(stored: StreamStates, contract: Mapping[str, Stream]) -> AuditRound:
    """Sort the streams into equal, new and different ones."""
    found = AuditRound()
    for stream_id, theirs in contract.items():
        ours = stored[stream_id]
        if ours is None:
            found.loaded.append(stream_id)
        elif wrong := differences(ours, theirs):
            found.different[stream_id] = wrong
        else:
            found.equal += 1
    return found
