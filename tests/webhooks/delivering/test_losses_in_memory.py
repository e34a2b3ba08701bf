"""Losses of Redis reach every endpoint in memory: paused, remembered, and just being cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, cast

from services.webhooks.delivering.held import DeliveryTools, HeldEndpoint
from services.webhooks.delivering.loading import EndpointLoader
from services.webhooks.delivering.registry import EndpointRegistry
from services.webhooks.partitions.leases import HeldPartition
from services.webhooks.partitions.sharing import partition_of
from services.webhooks.reading.recent import RecentEntries
from shared.domain.position import Position, parse_position
from shared.journal.wire import JournalEntry
from shared.redis.lease import Lease
from shared.webhooks.endpoint import DeliveryOrder, Endpoint
from shared.webhooks.progress import Progress, ProgressStore
from shared.webhooks.store import EndpointStore
from tests.support.pace import last
from tests.webhooks.delivering.samples import ENDPOINT as SAMPLE

PAUSED = replace(SAMPLE, enabled=False)
BY_CLOCK = f"4-{1 << 40}"
API = parse_position(BY_CLOCK)


def partition() -> HeldPartition:
    """The partition of the endpoint, taken anew."""
    return HeldPartition(partition_of(PAUSED.id), cast(Lease, None))


def registry_after(*ids: str) -> EndpointRegistry:
    """One that has read these events after 1-0, all of stream 1."""
    recent = RecentEntries()
    recent.clear(Position(1, 0))
    for before, own in zip(("1-0", *ids), ids, strict=False):
        recent.append(JournalEntry(own, before, "stream.withdrawn", ("1",), b""))
    return EndpointRegistry(cast(DeliveryTools, None), recent)


class Stored:
    """The endpoint, and its progress after a failover. Reads wait for `gate`."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()

    async def chosen(self, is_wanted: Callable[[str], bool]) -> AsyncIterator[list[Endpoint]]:
        yield [PAUSED]

    async def load(self, ids: Collection[str]) -> Mapping[str, Endpoint]:
        await self.gate.wait()
        return {PAUSED.id: PAUSED}


class StoredProgress:
    async def load(self, ids: Collection[str]) -> Mapping[str, Progress]:
        await last(0)  # another task may run
        return {PAUSED.id: Progress(1, Position(1, 0))}


def loader_of(registry: EndpointRegistry, stored: Stored) -> EndpointLoader:
    progress = cast(ProgressStore, StoredProgress())
    return EndpointLoader(registry, cast(EndpointStore, stored), progress, needs_owner=False)


def held_by(registry: EndpointRegistry) -> HeldEndpoint:
    held = registry.get(PAUSED.id)
    assert held is not None
    return held


def test_a_paused_endpoint_is_told_of_a_loss_above_its_position() -> None:
    """Another stream was acknowledged above the one that failed."""
    registry = registry_after("2-0", "3-0", BY_CLOCK)
    by_stream = replace(PAUSED, order=DeliveryOrder.STREAM)
    known = Progress(1, Position(1, 0), (Position(3, 0), API))
    registry.add([HeldEndpoint(by_stream, partition(), known)])
    registry.rewind(Position(3, 0), registry.recent.truncate(Position(3, 0)))
    assert held_by(registry).progress.lost == API
    assert list(registry.at_rest()) == [held_by(registry)], "so it is stored"


async def test_what_is_owed_outlives_a_load_beside_a_reload() -> None:
    registry, stored = registry_after(), Stored()
    loader, first = loader_of(registry, stored), partition()
    await loader.load([first])
    held = held_by(registry)
    held.progress = replace(held.progress, position=Position(3, 0), lost=API)
    loader.remember(first)
    stored.gate.clear()
    loading = asyncio.create_task(loader.load([partition()]))
    reloading = asyncio.create_task(loader.reload([PAUSED.id]))
    await loading
    stored.gate.set()
    await reloading
    assert held_by(registry).progress.lost == API


async def test_a_partition_that_is_taken_while_it_is_cut_knows_the_losses() -> None:
    registry, stored = registry_after("2-0", "3-0"), Stored()
    loader, first = loader_of(registry, stored), partition()
    await loader.load([first])
    held = held_by(registry)
    held.progress = replace(held.progress, position=Position(3, 0))
    held.deliveries = cast(Any, Cut())
    lost = registry.recent.truncate(Position(2, 0))
    registry.rewind(Position(2, 0), lost)
    loader.remember(first)
    await loader.load([partition()])
    assert held_by(registry).progress.position == Position(2, 0)


class Cut:
    """Deliveries that are being cut."""

    def __init__(self) -> None:
        self.losses: list[object] = []

    def stop(self) -> None:
        """Its workers have not ended yet."""
