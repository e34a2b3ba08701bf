"""The deliveries to one endpoint that has events, is behind, or fails.

Workers take the next delivery, send it and store the progress, until there is nothing to do. With
the order `endpoint` there is one worker, so each delivery waits for the one before. A receiver that
fails gets one delivery at a time. While it waits for the next attempt, there is no worker.

See docs/decisions/0127-webhooks-are-delivered-from-a-cursor.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import structlog

from services.webhooks.delivering.catching_up import Catchup
from services.webhooks.delivering.held import DeliveryTools, HeldEndpoint
from services.webhooks.delivering.messages import Content, events_content, reset_content
from services.webhooks.delivering.outcomes import Outcomes
from services.webhooks.delivering.rewind import Loss
from services.webhooks.delivering.window import DeliveryWindow, Taken
from services.webhooks.metrics import EVENTS
from services.webhooks.sending.delivery_body import NotBegunError
from services.webhooks.sending.sender import Message, SendResult
from shared.archive.errors import ArchiveError
from shared.domain.position import Position
from shared.journal.wire import JournalEntry
from shared.redis.client import REDIS_UNAVAILABLE
from shared.runtime.tasks import cancel
from shared.webhooks.attempts import AttemptKind
from shared.webhooks.endpoint import DeliveryOrder

log = structlog.get_logger()

MOST_AT_ONCE = 8
"""Deliveries at the same time to one endpoint, with the order `stream`."""
_PAUSE_SECONDS = 1.0
"""After an error of Redis or of the archive."""
_FORGET_AFTER = 3
"""Failures in a row after which the events in memory are forgotten."""


class EndpointDeliveries:
    """`on_end` is called when the endpoint is at rest, or when it was stopped."""

    def __init__(
        self,
        held: HeldEndpoint,
        position: Position,
        tools: DeliveryTools,
        on_end: Callable[[HeldEndpoint], None],
        *,
        behind: bool,
    ) -> None:
        """`behind`: the events after `position` are read from the history first."""
        self.losses: list[Loss] = []
        self.stopping = False
        self._held = held
        self._endpoint = held.endpoint  # the one with which these deliveries began
        self._tools = tools
        self._on_end = on_end
        self._by_stream = held.endpoint.order is DeliveryOrder.STREAM
        self._window = self._new_window(position, behind=behind)
        self._catchup = Catchup(held.endpoint, tools, behind=behind)
        self._outcomes = Outcomes(held, tools)
        self._workers: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._telling = False  # of a gap or a reset: nothing else is delivered meanwhile

    @property
    def oldest(self) -> JournalEntry | None:
        """The oldest event that waits; None if there is none, or while the receiver fails."""
        return None if self._held.progress.failures else self._window.first

    @property
    def unread_since(self) -> float | None:
        """Since when the next events could not be read. None if nothing is wrong."""
        return self._catchup.unread_since

    def offer(self, entry: JournalEntry) -> None:
        """A new event for this endpoint. If too many wait, it is read from the history later."""
        if self._catchup.behind or self.stopping:
            return
        if self._window.room:
            self._window.add(entry)
            self.start()
        else:
            self._catchup.behind = True

    def start(self) -> None:
        """Begin deliveries, if any may begin now."""
        several = self._by_stream and not self._held.progress.failures and not self._telling
        if not self.stopping and len(self._workers) < (MOST_AT_ONCE if several else 1):
            self._workers.add(asyncio.create_task(self._work(), name="webhook"))

    def fall_behind(self) -> None:
        """New events were missed: read them from the history."""
        self._catchup.behind = True
        self.start()

    def stop(self) -> None:
        """Begin no delivery any more. `on_end` follows when those under way have ended."""
        self.stopping = True
        self._clear_timer()
        if not self._workers:
            self._end()

    async def finish(self, seconds: float) -> None:
        """Stop. After some seconds, deliveries under way are cut."""
        self.stop()
        if self._workers:
            await asyncio.wait(self._workers, timeout=seconds)
        await cancel(*self._workers)

    async def _work(self) -> None:
        try:
            while step := self._next_step():
                with suppress(NotBegunError):  # the next look decides, since the lease may be back
                    await step
        except (*REDIS_UNAVAILABLE, ArchiveError) as error:
            log.warning("webhook_waits", webhook=self._endpoint.id, error=str(error))
            self._wait(_PAUSE_SECONDS)
        except Exception:
            log.exception("webhook_failed", webhook=self._endpoint.id)
            self._wait(_PAUSE_SECONDS * 10)
        finally:
            self._workers.discard(asyncio.current_task())
            if not self._workers:
                self._worked()

    def _worked(self) -> None:
        """Whether the endpoint is at rest, now that the last worker has ended."""
        waits = self._timer or len(self._window) or self._catchup.is_needed
        if self.stopping or not (waits or self._held.progress.lost):
            self._end()

    def _end(self) -> None:
        self._clear_timer()
        self._outcomes.note(self._window)
        self._on_end(self._held)

    def _next_step(self) -> Coroutine[Any, Any, None] | None:
        """What a worker does next. None: nothing, or not now."""
        now, progress = self._tools.clock(), self._held.progress
        if self._telling or not self._may_begin():
            return None
        if self._held.is_unsaved:
            return self._outcomes.save()
        if progress.retry_at is not None and progress.retry_at > now:
            self._wait(progress.retry_at - now)
            return None
        if progress.lost is not None:
            return self._tell_reset(progress.lost) if self._window.is_idle else None
        can_read = self._catchup.wants(self._window)
        if can_read and len(self._window) < self._endpoint.batch:
            return self._read()
        if taken := self._window.take(self._endpoint.batch, now):
            if self._by_stream:
                self.start()
            return self._deliver(taken)
        if (told := self._catchup.gap) and not len(self._window) and self._window.is_idle:
            return self._tell_gap(told.content, told.to)
        if can_read:
            return self._read()
        if (opens := self._window.opens_at(now)) is not None:
            self._wait(opens - now)
        return None

    def _may_begin(self) -> bool:
        return not self.stopping and self._held.partition.is_valid

    def _wait(self, seconds: float) -> None:
        """Work again after some seconds."""
        self._clear_timer()
        self._timer = asyncio.get_running_loop().call_later(max(0.001, seconds), self._wake)

    def _wake(self) -> None:
        self._timer = None
        self.start()

    def _clear_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _read(self) -> None:
        if not await self._catchup.read(self._window):
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _deliver(self, taken: Taken) -> None:
        try:
            await self._outcomes.save_batches(self._window)
            content = events_content(taken.entries, batch=self._endpoint.batch > 1)
            result = await self._send(content)
            if result.attempt.was_taken:
                self._window.acknowledge(taken)
                EVENTS.inc(len(taken.entries))
                await self._outcomes.taken(self._window, result.attempt)
            else:
                await self._failed(result, taken)
        finally:
            self._window.free(taken)

    async def _failed(self, result: SendResult, taken: Taken | None = None) -> None:
        disabled = await self._outcomes.failed(self._endpoint, self._window, result, taken)
        self.stopping |= disabled  # not in one line with the await: `stop` may have been called
        self._catchup.unread_since = None  # now the receiver is why nothing is read
        if self._held.progress.failures >= _FORGET_AFTER and not self._by_stream:
            self._window = self._new_window(self._window.position, behind=True)
            self._catchup.behind = True
            self._catchup.gap = None  # it is after the events that were forgotten

    def _new_window(self, position: Position, *, behind: bool) -> DeliveryWindow:
        """Not `behind`: everything that was read is acknowledged, so no batch must come again."""
        known, most = self._held.progress, self._endpoint.batch
        batches = [each for each in known.batches if behind and len(each) <= most]
        return DeliveryWindow(
            position, known.acknowledged, by_stream=self._by_stream, batches=batches
        )

    async def _tell_gap(self, content: Content, to: Position) -> None:
        if await self._tell(content):
            self._catchup.gap = None
            self._window.passed(to)
            await self._outcomes.told(self._window)

    async def _tell_reset(self, lost: Position) -> None:
        if await self._tell(reset_content(self._window.position, lost)):
            await self._outcomes.told(self._window, reset=True)

    async def _tell(self, content: Content) -> bool:
        """Deliver a message that is no event. True if the receiver took it."""
        self._telling = True
        try:
            result = await self._send(content)
            if result.attempt.was_taken:
                self._outcomes.last = result.attempt
                return True
            await self._failed(result)
            return False
        finally:
            self._telling = False

    async def _send(self, content: Content) -> SendResult:
        message = Message(*content, AttemptKind.EVENT, self._may_begin)
        return await self._tools.sender.send(self._endpoint, message)
