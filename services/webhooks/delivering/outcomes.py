"""What follows from one attempt: new progress, which is stored before anything else happens."""

from __future__ import annotations

from dataclasses import replace

import structlog

from services.webhooks.delivering.held import DeliveryTools, HeldEndpoint
from services.webhooks.delivering.retries import MOST_SECONDS, failed, is_given_up, succeeded
from services.webhooks.delivering.waiting_for_redis import until_redis_answers
from services.webhooks.delivering.window import DeliveryWindow, Taken
from services.webhooks.metrics import Outcome
from services.webhooks.sending.sender import SendResult
from shared.journal.commit_errors import CommitError
from shared.redis.client import REDIS_UNAVAILABLE
from shared.webhooks.attempts import Attempt, encode_attempt
from shared.webhooks.endpoint import Endpoint

log = structlog.get_logger()

_LATER_SECONDS = 1.0
"""A stream that failed waits for so much longer than its endpoint, or less."""


class Outcomes:
    """Changes and stores the progress of one endpoint."""

    __slots__ = ("_failed_at", "_held", "_tools", "last")

    def __init__(self, held: HeldEndpoint, tools: DeliveryTools) -> None:
        self.last: Attempt | None = None
        self._held = held
        self._tools = tools
        self._failed_at = float("-inf")

    def note(self, window: DeliveryWindow) -> None:
        """Take the position over from the window."""
        self._held.progress = replace(
            self._held.progress,
            position=window.position,
            acknowledged=window.acknowledged,
            batches=window.batches,
        )

    async def save(self) -> None:
        """Store what only this process knows, before anything else is delivered."""
        await self._store()

    async def save_batches(self, window: DeliveryWindow) -> None:
        """Store which events a new batch has, before it is sent. So it comes again as it was."""
        if window.batches != self._held.progress.batches:
            self.note(window)
            await self._store()

    async def taken(self, window: DeliveryWindow, attempt: Attempt) -> None:
        """The receiver has acknowledged a delivery."""
        self._held.progress = succeeded(self._held.progress)
        self.note(window)
        await self._store(attempt)

    async def told(self, window: DeliveryWindow, *, reset: bool = False) -> None:
        """The receiver has acknowledged a gap or a reset, with the attempt `last`."""
        if reset:
            self._held.progress = replace(self._held.progress, lost=None)
        if self.last is not None:
            await self.taken(window, self.last)

    async def failed(
        self, endpoint: Endpoint, window: DeliveryWindow, result: SendResult, taken: Taken | None
    ) -> bool:
        """A delivery failed. True if the endpoint was disabled.

        `taken` is None if it was a gap or a reset.
        """
        now, attempt = self._tools.clock(), result.attempt
        if attempt.at >= self._failed_at:  # not one that was under way when another failed
            self._failed_at, chance = now, self._tools.chance()
            self._held.progress = failed(self._held.progress, now, chance, result.retry_after)
        if taken is not None:
            window.hold(taken, self._held_until(now, result))
        self.note(window)
        reason = self._reason(result, now)
        disabled = bool(reason) and await self._disable(endpoint, reason, now)
        await self._store(attempt)
        return disabled

    def _held_until(self, now: float, result: SendResult) -> float:
        """When the stream may be tried again: after the next attempt, so that others come first."""
        asked = now + min(MOST_SECONDS, result.retry_after or 0.0)
        retry_at = max(self._held.progress.retry_at or now + _LATER_SECONDS, asked)
        return retry_at + min(_LATER_SECONDS, max(0.0, retry_at - now))

    def _reason(self, result: SendResult, now: float) -> str:
        if result.outcome is Outcome.GONE:
            return "gone"
        given_up = is_given_up(self._held.progress, now, self._tools.retry_days)
        return "failed" if given_up else ""

    async def _disable(self, endpoint: Endpoint, reason: str, now: float) -> bool:
        """Tell the owner, then disable. If the journal accepts no event now, try again later."""
        held = self._held
        same = (held.endpoint.url, held.endpoint.generation) == (endpoint.url, endpoint.generation)
        if not held.partition.is_valid or not same:
            return False  # another dispatcher may have delivered meanwhile, or the owner changed it
        since = held.progress.failing_since or now
        try:
            await self._tools.announcer.announce(endpoint, reason, since, now)
        except (*REDIS_UNAVAILABLE, CommitError) as error:
            log.warning("webhook_not_disabled", webhook=endpoint.id, error=str(error))
            return False
        log.warning("webhook_disabled", webhook=endpoint.id, reason=reason)
        known = held.progress  # not from before the await: other streams went on
        held.progress = replace(known, disabled=reason, disabled_at=now, retry_at=None)
        return True

    async def _store(self, attempt: Attempt | None = None) -> None:
        """Store the progress, before the next delivery."""
        held, encoded = self._held, b"" if attempt is None else encode_attempt(attempt)
        stored, writer = False, self._tools.writer
        try:
            stored = await until_redis_answers(
                lambda: writer.write(held.partition, held.next_write(encoded))
            )
        finally:
            held.is_unsaved = not stored
