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
    """What one endpoint lost: the journal has everything up to `common`.

    `events`: the positions of the events after it that were for this endpoint, in order.
    """

    common: Position
    events: tuple[Position, ...]


def loss_of(endpoint: Endpoint, common: Position, lost: Iterable[JournalEntry]) -> Loss:
    """What an endpoint lost of these events."""
    return Loss(common, tuple(parse_position(e.position) for e in lost if endpoint.wants(e)))


def rewound_by_all(progress: Progress, losses: Iterable[Loss]) -> Progress:
    """The progress after several losses, in their order."""
    for loss in losses:
        progress = rewound(progress, loss)
    return progress


def rewound(progress: Progress, loss: Loss) -> Progress:
    """The progress with which the endpoint continues after a loss."""
    before = set(progress.acknowledged)
    had = {each for each in loss.events if each <= progress.position or each in before}
    had |= before
    lost = [each for each in had if each.by_clock and each > loss.common]
    owed = [] if progress.lost is None else [progress.lost]
    return replace(
        progress,
        position=min(progress.position, loss.common),
        acknowledged=tuple(sorted(had.difference(lost))),
        lost=max([*lost, *owed], default=None),
        batches=(),  # other events may come between those that come back
    )
