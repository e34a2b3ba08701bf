"""Loads endpoints from Redis: those of new partitions, and those that their owners changed.

See docs/decisions/0130-a-webhook-keeps-the-rights-of-its-creation.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set

import structlog

from services.webhooks.delivering.beginning import begun, furthest
from services.webhooks.delivering.held import HeldEndpoint
from services.webhooks.delivering.registry import EndpointRegistry
from services.webhooks.delivering.rewind import loss_of, rewound, rewound_by_all
from services.webhooks.partitions.leases import HeldPartition
from services.webhooks.partitions.sharing import partition_of
from shared.domain.position import Position
from shared.journal.wire import JournalEntry
from shared.webhooks.endpoint import Endpoint
from shared.webhooks.progress import Progress, ProgressStore
from shared.webhooks.store import EndpointStore

log = structlog.get_logger()

_OWNERLESS = "made in AUTH_MODE=open, so they get nothing in AUTH_MODE=required: delete them"


class EndpointLoader:
    """Keeps the registry like the endpoints in Redis. All methods raise redis-py's errors.

    `partitions`: those whose endpoints belong into the registry. `needs_owner`: endpoints without
    an account are left out. They were made in AUTH_MODE=open, when everybody could read everything.
    """

    def __init__(
        self,
        registry: EndpointRegistry,
        endpoints: EndpointStore,
        progress: ProgressStore,
        *,
        needs_owner: bool,
    ) -> None:
        self._needs_owner = needs_owner
        self.partitions: dict[int, HeldPartition] = {}
        self._registry = registry
        self._endpoints = endpoints
        self._progress = progress
        self._changed: set[str] = set()  # since the last load began
        self._remembered: dict[str, HeldEndpoint] = {}

    async def load(self, partitions: Collection[HeldPartition]) -> None:
        """Load the endpoints of new partitions."""
        new = {each.number: each for each in partitions}
        self.partitions |= new
        self._changed.clear()
        ownerless = 0
        async for page in self._endpoints.chosen(lambda own: partition_of(own) in new):
            known = await self._progress.load([each.id for each in page])
            self._add([each for each in page if each.id not in self._changed], known)
            ownerless += sum(not self._may_deliver(each) for each in page)
        loaded = {number for number, each in new.items() if self.partitions.get(number) is each}
        self._forget(loaded, but=self._changed)  # these are added by `reload`
        log.info("webhooks_loaded", partitions=len(new), endpoints=len(self._registry))
        if ownerless:
            log.warning("webhooks_without_owner", count=ownerless, meaning=_OWNERLESS)

    async def reload(self, endpoint_ids: Collection[str]) -> list[HeldEndpoint]:
        """Load endpoints that may have changed. Returns those that this dispatcher has now.

        If a partition was lost meanwhile, its endpoints are left out. If it was also taken again,
        `load` reads them, perhaps after another dispatcher has delivered to them.
        """
        before = dict(self.partitions)
        ids = [each for each in endpoint_ids if partition_of(each) in before]
        self._changed |= set(ids)
        found, known = await self._endpoints.load(ids), await self._progress.load(ids)
        kept = {number for number, each in before.items() if self.partitions.get(number) is each}
        ids = [each for each in ids if partition_of(each) in kept]
        for own in ids:
            held, endpoint = self._registry.get(own), found.get(own)
            if endpoint is None:
                self._remembered.pop(own, None)
                if held is not None:
                    self._registry.remove(held)
            elif held is None:
                self._add([endpoint], known)
            elif endpoint != held.endpoint:  # a failover can bring an earlier revision back
                self._registry.replace(held, endpoint)
        return [held for own in ids if (held := self._registry.get(own))]

    async def reload_all(self) -> None:
        """Load everything again: changes may have been missed."""
        ids = {held.endpoint.id for held in self._registry}
        async for page in self._endpoints.chosen(lambda own: partition_of(own) in self.partitions):
            ids.update(each.id for each in page)
        await self.reload(ids)

    def remember(self, partition: HeldPartition) -> list[HeldEndpoint]:
        """The lease was lost. Keep what is known, in case nobody else has it. Returns these."""
        if self.partitions.get(partition.number) is partition:  # it may have been taken again
            del self.partitions[partition.number]
        gone = self._registry.of([partition])
        for held in gone:
            self._registry.remove(held)
            self._remembered[held.endpoint.id] = held
        return gone

    def rewind(self, common: Position, lost: Sequence[JournalEntry]) -> None:
        """Like EndpointRegistry.rewind, for the endpoints that are only remembered."""
        for held in self._remembered.values():
            loss = loss_of(held.endpoint, common, lost)
            if held.deliveries is not None:  # they are just being cut
                held.deliveries.losses.append(loss)
            else:
                held.progress = rewound(held.progress, loss)

    def forget(self, numbers: Collection[int]) -> None:
        """Another dispatcher has these partitions, or had them: what Redis has is newer."""
        self._forget(set(numbers))

    def _forget(self, numbers: Set[int], but: Set[str] = frozenset()) -> None:
        self._remembered = {
            own: held
            for own, held in self._remembered.items()
            if partition_of(own) not in numbers or own in but
        }

    def _add(self, endpoints: Sequence[Endpoint], known: Mapping[str, Progress]) -> None:
        mine = [each for each in endpoints if partition_of(each.id) in self.partitions]
        mine = [each for each in mine if self._may_deliver(each)]
        new = [each for each in mine if self._registry.get(each.id) is None]  # HSCAN may repeat
        self._registry.add([self._held(each, known.get(each.id)) for each in new])

    def _may_deliver(self, endpoint: Endpoint) -> bool:
        return bool(endpoint.account) or not self._needs_owner

    def _held(self, endpoint: Endpoint, stored: Progress | None) -> HeldEndpoint:
        remembered = self._remembered.pop(endpoint.id, None)
        known = furthest(stored, None if remembered is None else _progress_of(remembered))
        partition = self.partitions[partition_of(endpoint.id)]
        progress = begun(endpoint, known, self._registry.recent.top)
        return HeldEndpoint(endpoint, partition, progress, is_unsaved=known != stored)


def _progress_of(held: HeldEndpoint) -> Progress:
    """Its progress, also if its deliveries are still being cut."""
    return rewound_by_all(held.progress, held.deliveries.losses if held.deliveries else ())
