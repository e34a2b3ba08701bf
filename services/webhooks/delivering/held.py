"""An endpoint that this dispatcher has, and what all of them use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from services.webhooks.delivering.announcing import DisabledAnnouncer
from services.webhooks.delivering.progress_writer import ProgressWriter
from services.webhooks.partitions.leases import HeldPartition
from services.webhooks.sending.sender import Sender
from shared.domain.position import Position
from shared.journal.pages import PageReader
from shared.webhooks.endpoint import Endpoint
from shared.webhooks.progress import Progress, ProgressWrite
from shared.webhooks.state import current_progress

if TYPE_CHECKING:
    from services.webhooks.delivering.deliveries import EndpointDeliveries


class HeldEndpoint:
    """One endpoint. There are thousands, so one at rest has no `deliveries`.

    An endpoint at rest was told everything up to the end of the journal. Its `progress` has an
    older position then.

    `is_unsaved`: Redis may have an older progress. It must be stored before the next delivery.
    `is_removed`: this dispatcher does not have the endpoint any more, or it was deleted.
    """

    __slots__ = ("deliveries", "endpoint", "is_removed", "is_unsaved", "partition", "progress")

    def __init__(
        self,
        endpoint: Endpoint,
        partition: HeldPartition,
        progress: Progress,
        *,
        is_unsaved: bool = False,
    ) -> None:
        self.endpoint = endpoint
        self.partition = partition
        self.progress = progress
        self.is_unsaved = is_unsaved
        self.is_removed = False
        self.deliveries: EndpointDeliveries | None = None

    def next_write(self, attempt: bytes = b"") -> ProgressWrite:
        """What is written next. Each write has a higher number than all before."""
        self.progress = replace(self.progress, writes=self.progress.writes + 1)
        return ProgressWrite(self.endpoint.id, self.progress, attempt)

    @property
    def gets_events(self) -> bool:
        """False while it is paused or disabled, and after it was removed.

        An endpoint that was enabled again gets events, also if the deliveries that ended with the
        disabling have not ended yet.
        """
        current = current_progress(self.endpoint, self.progress)
        runs = self.endpoint.enabled and not (current and current.disabled)
        return runs and not self.is_removed


@dataclass(frozen=True, slots=True)
class DeliveryTools:
    """What the deliveries of all endpoints use.

    `history` reads the events of one endpoint, `reads` limits how many do so at the same time.
    `top` returns the position up to which new events were read. `clock` returns Unix seconds,
    `chance` a random number from 0 to 1.
    """

    sender: Sender
    writer: ProgressWriter
    announcer: DisabledAnnouncer
    history: PageReader
    reads: asyncio.Semaphore
    top: Callable[[], Position]
    clock: Callable[[], float]
    chance: Callable[[], float]
    retry_days: float
