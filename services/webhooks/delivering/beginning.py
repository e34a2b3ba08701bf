"""With which progress the deliveries to an endpoint begin. Pure."""

from __future__ import annotations

from dataclasses import replace

from shared.domain.position import Position
from shared.webhooks.endpoint import Endpoint
from shared.webhooks.progress import Progress


def begun(endpoint: Endpoint, known: Progress | None, top: Position) -> Progress:
    """The progress of the present generation of an endpoint.

    A new generation begins where its owner said, else where the one before stopped. `top` is the
    end of the journal: there begins an endpoint that has no progress and names no position.
    """
    if known is not None and known.generation == endpoint.generation:
        return known
    if known is not None and known.generation > endpoint.generation:  # lost in a failover
        return replace(known, generation=endpoint.generation)
    new = Progress(endpoint.generation, top, writes=0 if known is None else known.writes)
    if endpoint.begins_after is not None:
        return replace(new, position=endpoint.begins_after)
    if known is None:
        return new
    return replace(
        new,
        position=known.position,
        acknowledged=known.acknowledged,
        lost=known.lost,
        batches=known.batches,
    )


def furthest(stored: Progress | None, remembered: Progress | None) -> Progress | None:
    """The later one of the progress in Redis and that in the memory of this process.

    A failover of Redis can lose the last acknowledgements. While nobody else had the endpoint, this
    process still knows them. If another dispatcher had it, the stored progress is not older. So at
    the same position, the stored one tells whether the receiver fails.
    """
    if stored is None or remembered is None:
        return stored or remembered
    writes = max(stored.writes, remembered.writes)
    if remembered.generation != stored.generation:
        later = max(stored, remembered, key=lambda each: each.generation)
        return replace(later, writes=writes)
    if remembered.position < stored.position:
        return replace(stored, lost=stored.lost or remembered.lost, writes=writes)
    later = stored if remembered.position == stored.position else remembered
    both = {*remembered.acknowledged, *stored.acknowledged}
    above = tuple(sorted(each for each in both if each > later.position))
    return replace(
        later,
        acknowledged=above,
        lost=remembered.lost or later.lost,
        writes=writes,
        batches=tuple(dict.fromkeys((*stored.batches, *remembered.batches))),
    )
