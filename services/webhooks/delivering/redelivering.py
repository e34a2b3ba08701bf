"""One redelivery: the events of an endpoint between two positions, once more and in order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import structlog

from services.webhooks.delivering.held import DeliveryTools, HeldEndpoint
from services.webhooks.delivering.index import topics_of_endpoint
from services.webhooks.delivering.messages import Content, events_content, gap_content
from services.webhooks.delivering.retries import failed, is_given_up, succeeded
from services.webhooks.delivering.waiting_for_redis import until_redis_answers
from services.webhooks.delivering.window import DeliveryWindow
from services.webhooks.sending.delivery_body import NotBegunError
from services.webhooks.sending.sender import Message
from shared.archive.errors import ArchiveError
from shared.domain.position import Position, parse_position
from shared.journal.pages import next_page
from shared.journal.reader import JournalGap, JournalPage, Page
from shared.journal.wire import JournalEntry
from shared.redis.client import REDIS_UNAVAILABLE
from shared.webhooks.attempts import Attempt, AttemptKind, AttemptStore
from shared.webhooks.progress import Progress
from shared.webhooks.redeliveries import Redelivery, RedeliveryStore

log = structlog.get_logger()

_PAGE = 128


class RedeliveryRun:
    """It ends when everything was acknowledged, or after WEBHOOK_RETRY_DAYS of failures.

    It also ends, and is not deleted, when the endpoint is paused or disabled, or when another
    dispatcher has it: a new run goes on later.
    """

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
        # Its failures are counted like those of an endpoint, but apart from them.
        self._failing = Progress(held.endpoint.generation, redelivery.after)

    async def run(self) -> None:
        """Deliver until the end. Raises what a defect raises."""
        own = self._held.endpoint.id
        try:
            while not await self._step():
                pass
        except NotBegunError as error:
            log.info("redelivery_ended_early", webhook=own, reason=str(error))

    def _may_begin(self) -> bool:
        return self._held.partition.is_valid and self._held.gets_events

    def _require_begin(self) -> None:
        if not self._may_begin():
            raise NotBegunError("the webhook is paused or disabled, or not of this dispatcher")

    async def _step(self) -> bool:
        """Deliver the next page. True at the end. Raises NotBegunError if it may not go on."""
        own = self._held.endpoint.id
        self._require_begin()
        try:
            if self._redelivery.after >= self._redelivery.to:
                await self._store.delete(own, self._redelivery.id)
                return True
            await self._deliver_page(await self._read())
        except (*REDIS_UNAVAILABLE, ArchiveError) as error:
            log.warning("redelivery_waits", webhook=own, error=str(error))
            await asyncio.sleep(1.0)
        return False

    async def _deliver_page(self, page: Page) -> None:
        after, to = self._redelivery.after, self._redelivery.to
        match page:
            case JournalPage(entries, _, end):
                await self._deliver([each for each in entries if self._is_wanted(each)])
                await self._save(min(end, to))
            case JournalGap(resumes_after):  # the journal and the archive lack these events
                end = min(resumes_after, to)
                await self._until_taken(gap_content(after, end))
                await self._save(end)
            case _:  # a failover lost the end of the range: what comes back is delivered
                await asyncio.sleep(1.0)

    def _is_wanted(self, entry: JournalEntry) -> bool:
        is_before_end = parse_position(entry.position) <= self._redelivery.to
        return is_before_end and self._held.endpoint.wants(entry)

    async def _read(self) -> Page:
        after, to = self._redelivery.after, self._redelivery.to
        topics = topics_of_endpoint(self._held.endpoint)
        async with self._tools.reads:
            return await next_page(self._tools.history, topics, after, to, _PAGE)

    async def _deliver(self, entries: Sequence[JournalEntry]) -> None:
        window = DeliveryWindow(self._redelivery.after, ())
        for entry in entries:
            window.add(entry)
        batch = self._held.endpoint.batch
        while taken := window.take(batch):
            await self._until_taken(events_content(taken.entries, batch=batch > 1))
            window.acknowledge(taken)
            window.free(taken)
            await self._save(window.position)

    async def _until_taken(self, content: Content) -> None:
        """Try until the receiver takes this message."""
        while not await self._attempt(content):
            self._require_begin()

    async def _attempt(self, content: Content) -> bool:
        endpoint = self._held.endpoint
        message = Message(*content, AttemptKind.REDELIVERY, self._may_begin)
        try:
            result = await self._tools.sender.send(endpoint, message)
        except NotBegunError:
            return False  # the caller looks whether it may go on
        await self._note(result.attempt)
        if result.attempt.was_taken:
            self._failing = succeeded(self._failing)
            return True
        await self._failed(result.retry_after)
        return False

    async def _failed(self, retry_after: float | None) -> None:
        now = self._tools.clock()
        self._failing = failed(self._failing, now, self._tools.chance(), retry_after)
        if is_given_up(self._failing, now, self._tools.retry_days):
            self._require_begin()
            await self._store.delete(self._held.endpoint.id, self._redelivery.id)
            raise NotBegunError("the redelivery has only failed for too long")
        await asyncio.sleep((self._failing.retry_at or now) - now)

    async def _note(self, attempt: Attempt) -> None:
        """Store the attempt if Redis answers. It must not lead to another attempt."""
        own = self._held.endpoint.id
        try:
            await self._attempts.add(own, attempt)
        except REDIS_UNAVAILABLE as error:
            log.warning("attempt_not_stored", webhook=own, error=str(error))

    async def _save(self, position: Position) -> None:
        """Store how far it is, before the next delivery. Tries until Redis answers.

        Raises NotBegunError if it was stopped, or is not ours any more.
        """
        self._redelivery = replace(self._redelivery, after=position)
        if not await until_redis_answers(self._move):
            raise NotBegunError("it was stopped, or another dispatcher goes on with it")

    async def _move(self) -> bool:
        own, partition = self._held.endpoint.id, self._held.partition
        number, token = partition.number, partition.token
        return await self._store.move(own, self._redelivery, partition=number, token=token)
