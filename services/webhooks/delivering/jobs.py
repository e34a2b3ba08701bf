"""What an owner asks for: tests and redeliveries. They run beside the deliveries of new events.

Each has its own attempts, and none changes the progress of the endpoint. A test that was asked for
while no dispatcher had the endpoint is not sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Iterable
from contextlib import suppress
from typing import Any

import structlog

from services.webhooks.delivering.held import DeliveryTools, HeldEndpoint
from services.webhooks.delivering.messages import Content, sample_content
from services.webhooks.delivering.redelivering import RedeliveryRun
from services.webhooks.sending.sender import Message, NotBegunError
from shared.redis.client import REDIS_UNAVAILABLE
from shared.runtime.tasks import cancel
from shared.webhooks.attempts import AttemptKind, AttemptStore
from shared.webhooks.changes import Change, ChangeKind
from shared.webhooks.redeliveries import RedeliveryStore

log = structlog.get_logger()

_Name = tuple[str, str]
"""Endpoint and job."""


class OwnerJobs:
    """The jobs of the endpoints that this dispatcher has."""

    def __init__(
        self, tools: DeliveryTools, attempts: AttemptStore, redeliveries: RedeliveryStore
    ) -> None:
        self._tools = tools
        self._attempts = attempts
        self._redeliveries = redeliveries
        self._running: dict[_Name, asyncio.Task[None]] = {}

    async def begin(self, changes: Iterable[Change], endpoints: Collection[HeldEndpoint]) -> None:
        """Begin the tests and the redeliveries that owners have asked for just now."""
        held = {each.endpoint.id: each for each in endpoints}
        for change in changes:
            if (one := held.get(change.endpoint_id)) is None:
                continue
            if change.kind is ChangeKind.TEST:
                self._start((change.endpoint_id, change.job), self._test(one, change.job))
            elif change.kind is ChangeKind.REDELIVER:
                await self.resume([one])

    async def resume(self, endpoints: Iterable[HeldEndpoint]) -> None:
        """Go on with the redeliveries of these endpoints that have not ended."""
        for held in endpoints:
            for each in await self._redeliveries.of_endpoint(held.endpoint.id):
                run = RedeliveryRun(held, each, self._tools, self._attempts, self._redeliveries)
                self._start((held.endpoint.id, each.id), run.run())

    async def cancel(self, endpoints: Iterable[HeldEndpoint]) -> None:
        """End the jobs of these endpoints. Their next dispatcher goes on with redeliveries."""
        ids = {held.endpoint.id for held in endpoints}
        await cancel(*(task for (own, _), task in self._running.items() if own in ids))

    def _start(self, name: _Name, job: Coroutine[Any, Any, None]) -> None:
        if name in self._running:
            job.close()
            return
        self._running[name] = asyncio.create_task(self._guarded(name, job), name="webhook-job")

    async def _guarded(self, name: _Name, job: Coroutine[Any, Any, None]) -> None:
        try:
            await job
        except REDIS_UNAVAILABLE as error:
            log.warning("webhook_job_ended", webhook=name[0], error=str(error))
        except Exception:
            log.exception("webhook_job_failed", webhook=name[0], job=name[1])
        finally:
            del self._running[name]

    async def _test(self, held: HeldEndpoint, job: str) -> None:
        content = sample_content(held.endpoint.id, job, int(self._tools.clock()))
        message = Message(*Content(content.id, content.body, 0), AttemptKind.TEST)
        with suppress(NotBegunError):
            result = await self._tools.sender.send(
                held.endpoint, message, may_begin=lambda: held.partition.is_valid
            )
            await self._attempts.add(held.endpoint.id, result.attempt)
