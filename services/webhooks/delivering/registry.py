"""All endpoints that this dispatcher has, and which of them gets a new event.

Plain functions that never await. An endpoint at rest has no task and no memory of its own but its
document and its progress.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from services.webhooks.delivering.beginning import begun
from services.webhooks.delivering.deliveries import EndpointDeliveries
from services.webhooks.delivering.held import DeliveryTools, HeldEndpoint
from services.webhooks.delivering.index import EndpointIndex, topics_of_endpoint
from services.webhooks.delivering.rewind import Loss, loss_of, rewound, rewound_by_all
from services.webhooks.partitions.leases import HeldPartition
from services.webhooks.reading.recent import RecentEntries
from shared.domain.position import Position, parse_position
from shared.journal.wire import JournalEntry
from shared.webhooks.endpoint import Endpoint


class EndpointRegistry:
    """The endpoints by id. `recent` has the events that were published last."""

    def __init__(self, tools: DeliveryTools, recent: RecentEntries) -> None:
        self.recent = recent
        self._tools = tools
        self._held: dict[str, HeldEndpoint] = {}
        self._index: EndpointIndex[HeldEndpoint] = EndpointIndex()

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[HeldEndpoint]:
        return iter(self._held.values())

    def get(self, endpoint_id: str) -> HeldEndpoint | None:
        """An endpoint; None if this dispatcher does not have it."""
        return self._held.get(endpoint_id)

    def of(self, partitions: Collection[HeldPartition]) -> list[HeldEndpoint]:
        """The endpoints of these partitions."""
        wanted = set(partitions)
        return [held for held in self if held.partition in wanted]

    def publish(self, entry: JournalEntry) -> None:
        """Give the next event of the journal to the endpoints that want it."""
        position = parse_position(entry.position)
        for held in self._index.audience(entry.topics):
            if held.endpoint.wants(entry) and position > held.progress.position:
                deliveries = held.deliveries
                if deliveries is None:
                    before = max(held.progress.position, parse_position(entry.previous))
                    deliveries = self._begin(held, before, behind=False)
                deliveries.offer(entry)
        self.recent.append(entry)

    def add(self, endpoints: Sequence[HeldEndpoint]) -> None:
        """Add endpoints. Those that are not at the end of the journal begin to catch up."""
        for held in endpoints:
            self._held[held.endpoint.id] = held
        self._place(endpoints)

    def replace(self, held: HeldEndpoint, endpoint: Endpoint) -> None:
        """The owner has changed an endpoint. Deliveries under way end with the former one."""
        if held.deliveries is None:
            self._reach_top(held)
        held.endpoint = endpoint
        self._restart(held)

    def remove(self, held: HeldEndpoint) -> None:
        """Forget an endpoint. Deliveries under way end."""
        if held.deliveries is None:
            self._reach_top(held)
        held.is_removed = True
        if self._held.get(held.endpoint.id) is held:
            del self._held[held.endpoint.id]
        self._index.remove(held)
        if held.deliveries is not None:
            held.deliveries.stop()

    def resume(self, partition: HeldPartition) -> None:
        """The lease is valid again: go on."""
        for held in self.of([partition]):
            if held.deliveries is not None:
                held.deliveries.start()

    def rewind(self, common: Position, lost: Sequence[JournalEntry]) -> None:
        """Redis lost these events, which are all after `common`. They have been published.

        Those of the chain will be published again.
        """
        self.mark_unsaved()
        events = self._audiences(lost)
        top = parse_position(lost[-1].position) if lost else common
        for held in list(self):
            if held in self._index:
                loss = Loss(common, tuple(events.get(held, ())))
            else:
                loss = loss_of(held.endpoint, common, lost)
            if held.deliveries is not None:
                held.deliveries.losses.append(loss)
                held.deliveries.stop()
            elif held in self._index:
                self._reach(held, top)
                held.progress = rewound(held.progress, loss)
                self._place([held] if held.progress.lost else [])
            else:
                held.progress = rewound(held.progress, loss)

    def mark_unsaved(self) -> None:
        """Redis may have lost progress: each endpoint stores its own before its next delivery."""
        for held in self:
            held.is_unsaved = True

    def _audiences(self, entries: Sequence[JournalEntry]) -> dict[HeldEndpoint, list[Position]]:
        found: defaultdict[HeldEndpoint, list[Position]] = defaultdict(list)
        for entry in entries:
            for held in self._index.audience(entry.topics):
                if held.endpoint.wants(entry):
                    found[held].append(parse_position(entry.position))
        return found

    def skip(self, after: Position) -> None:
        """The journal was trimmed after this position before it was read: use the history."""
        for held in list(self):
            if held.deliveries is not None:
                held.deliveries.fall_behind()
            elif held in self._index:
                self._reach(held, after)
                self._begin(held, held.progress.position, behind=True).start()

    def at_rest(self) -> Iterable[HeldEndpoint]:
        """The endpoints at rest whose progress is older than what they were told, or unsaved."""
        for held in self:
            if held.deliveries is None:
                before = held.progress
                self._reach_top(held)
                if held.progress is not before or held.is_unsaved:
                    yield held

    def _restart(self, held: HeldEndpoint) -> None:
        self._index.remove(held)
        if held.deliveries is not None:
            held.deliveries.stop()
        else:
            self._place([held])

    def _begin(self, held: HeldEndpoint, after: Position, *, behind: bool) -> EndpointDeliveries:
        held.deliveries = EndpointDeliveries(held, after, self._tools, self._ended, behind=behind)
        return held.deliveries

    def _ended(self, held: HeldEndpoint) -> None:
        """An endpoint is at rest, or its deliveries were stopped."""
        deliveries, held.deliveries = held.deliveries, None
        if deliveries is None or not deliveries.stopping:
            return
        if deliveries.losses:
            held.progress = rewound_by_all(held.progress, deliveries.losses)
            held.is_unsaved = True
        if self._held.get(held.endpoint.id) is held:
            self._place([held])

    def _place(self, endpoints: Sequence[HeldEndpoint]) -> None:
        """Put endpoints into the index. Those that may have events to get begin to catch up."""
        found = []
        for held in endpoints:
            held.progress = begun(held.endpoint, held.progress, self.recent.top)
            if held.gets_events:
                self._index.add(held, topics_of_endpoint(held.endpoint))
                found.append(held)
            else:
                self._index.remove(held)
        for held in self._behind(found):
            self._begin(held, held.progress.position, behind=True).start()

    def _behind(self, endpoints: Sequence[HeldEndpoint]) -> set[HeldEndpoint]:
        """Those that must get something. The recent events tell it without a read."""
        recent = self.recent
        behind = {
            held
            for held in endpoints
            if held.progress.position < recent.floor
            or held.progress.retry_at is not None
            or held.progress.lost is not None
            or any(batch[-1] > held.progress.position for batch in held.progress.batches)
        }
        rest = {held for held in endpoints if held.progress.position < recent.top} - behind
        lowest = min((held.progress.position for held in rest), default=recent.top)
        for entry in recent.after(lowest):
            if not rest:
                break
            position = parse_position(entry.position)
            found = rest.intersection(self._index.audience(entry.topics))
            new = {h for h in found if position > h.progress.position and h.endpoint.wants(entry)}
            behind |= new
            rest -= new
        return behind

    def _reach_top(self, held: HeldEndpoint) -> None:
        if held in self._index:
            self._reach(held, self.recent.top)

    def _reach(self, held: HeldEndpoint, position: Position) -> None:
        """An endpoint at rest was told everything up to this position."""
        if position > held.progress.position:
            above = tuple(p for p in held.progress.acknowledged if p > position)
            held.progress = replace(held.progress, position=position, acknowledged=above)
