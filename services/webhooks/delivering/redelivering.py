"""One redelivery: the events of an endpoint between two positions, once more and in order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import structlog

from services.webhooks.delivering.held import DeliveryTools, HeldEndpoint
from services.webhooks.delivering.index import topics_of_endpoint
from services.webhooks.delivering.messages import events_content
from services.webhooks.delivering.retries import wait_seconds
from services.webhooks.delivering.window import DeliveryWindow
from services.webhooks.sending.sender import Message, NotBegunError
from shared.archive.errors import ArchiveError
from shared.domain.position import Position, parse_position
from shared.domain.topics import ALL
from shared.journal.reader import JournalGap, JournalPage, Page
from shared.journal.wire import JournalEntry
from shared.redis.client import REDIS_UNAVAILABLE
from shared.webhooks.attempts import AttemptKind, AttemptStore
from shared.webhooks.redeliveries import Redelivery, RedeliveryStore

log = structlog.get_logger()

_PAGE = 128
_DAY = 86_400.0


class RedeliveryRun:
    """It ends when everything was acknowledged, or after WEBHOOK_RETRY_DAYS of failures."""

    def __init__(
        self,
        held: HeldEndpoint,
        redelivery: Redelivery,
        tools: DeliveryTools,
        attempts: AttemptStore,
        store: RedeliveryStore,
    ) -> None:
        self._held = held
        self._redelivery = redelivery
        self._tools = tools
        self._attempts = attempts
        self._store = store
        self._failures = 0
        self._failing_since: float | None = None

    async def run(self) -> None:
        """Deliver until the end. Raises what a defect raises."""
        own = self._held.endpoint.id
        while self._redelivery.after < self._redelivery.to and self._is_ours:
            try:
                await self._next_page()
            except NotBegunError:
                return
            except (*REDIS_UNAVAILABLE, ArchiveError) as error:
                log.warning("redelivery_waits", webhook=own, error=str(error))
                await asyncio.sleep(1.0)
        if self._is_ours:
            await self._store.delete(own, self._redelivery.id)

    @property
    def _is_ours(self) -> bool:
        return self._held.partition.is_valid

    async def _next_page(self) -> None:
        redelivery = self._redelivery
        match await self._read():
            case JournalPage(entries, _, end):
                await self._deliver([each for each in entries if self._is_wanted(each)])
                self._redelivery = replace(redelivery, after=end)
            case JournalGap(resumes_after):  # the journal and the archive lack these events
                self._redelivery = replace(redelivery, after=resumes_after)
            case _:
                self._redelivery = replace(redelivery, after=redelivery.to)

    def _is_wanted(self, entry: JournalEntry) -> bool:
        is_before_end = parse_position(entry.position) <= self._redelivery.to
        return is_before_end and self._held.endpoint.wants(entry)

    async def _read(self) -> Page:
        history, after, to = self._tools.history, self._redelivery.after, self._redelivery.to
        topics = topics_of_endpoint(self._held.endpoint)
        async with self._tools.reads:
            if ALL in topics:
                return await history.after(after, _PAGE)
            return await history.of_topics(topics, after, to, _PAGE)

    async def _deliver(self, entries: Sequence[JournalEntry]) -> None:
        window = DeliveryWindow(self._redelivery.after, ())
        for entry in entries:
            window.add(entry)
        while taken := window.take(self._held.endpoint.batch):
            await self._until_taken(taken.entries)
            window.acknowledge(taken)
            window.free(taken)
            await self._save(window.position)

    async def _until_taken(self, entries: Sequence[JournalEntry]) -> None:
        """Try until the receiver takes these events."""
        while not await self._attempt(entries):
            if not self._is_ours:
                raise NotBegunError("another dispatcher goes on with the redelivery")

    async def _attempt(self, entries: Sequence[JournalEntry]) -> bool:
        endpoint = self._held.endpoint
        content = events_content(entries, batch=endpoint.batch > 1)
        message = Message(*content, AttemptKind.REDELIVERY)
        result = await self._tools.sender.send(endpoint, message, may_begin=lambda: self._is_ours)
        await self._attempts.add(endpoint.id, result.attempt)
        if result.attempt.was_taken:
            self._failures, self._failing_since = 0, None
            return True
        await self._failed(result.retry_after)
        return False

    async def _failed(self, retry_after: float | None) -> None:
        now = self._tools.clock()
        self._failures += 1
        self._failing_since = since = self._failing_since or now
        if now - since >= self._tools.retry_days * _DAY:
            await self._store.delete(self._held.endpoint.id, self._redelivery.id)
            raise NotBegunError("the redelivery has only failed for too long")
        await asyncio.sleep(wait_seconds(self._failures, self._tools.chance(), retry_after))

    async def _save(self, position: Position) -> None:
        self._redelivery = replace(self._redelivery, after=position)
        if self._is_ours:
            await self._store.save(self._held.endpoint.id, self._redelivery)
