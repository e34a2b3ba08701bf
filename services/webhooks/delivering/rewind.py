"""What an endpoint gets again after Redis lost events in a failover. Pure.

Events of the chain come back with the same positions. Those that the receiver has are not
delivered again. Events of the API do not come back: a receiver that has one of them gets `reset`.

See docs/decisions/0127-webhooks-are-delivered-from-a-cursor.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from shared.domain.position import Position, parse_position
from shared.journal.wire import JournalEntry
from shared.webhooks.endpoint import Endpoint
from shared.webhooks.progress import Progress


class Loss(NamedTuple):
    """The journal has what was read up to `common`. The entries after it were lost."""

    common: Position
    entries: tuple[JournalEntry, ...]


def rewound(progress: Progress, endpoint: Endpoint, loss: Loss) -> Progress:
    """The progress that continues after the loss."""
    common = loss.common
    had = {each for each in progress.acknowledged if each > common}
    had |= set(_wanted_up_to(progress.position, endpoint, loss.entries))
    lost = [each for each in had if each.by_clock]
    owed = [] if progress.lost is None else [progress.lost]
    return replace(
        progress,
        position=min(progress.position, common),
        acknowledged=tuple(sorted(each for each in had if not each.by_clock)),
        lost=max([*lost, *owed], default=None),
    )


def _wanted_up_to(
    position: Position, endpoint: Endpoint, entries: Iterable[JournalEntry]
) -> Iterable[Position]:
    for entry in entries:
        own = parse_position(entry.position)
        if own <= position and endpoint.wants(entry):
            yield own
