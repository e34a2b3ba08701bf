"""What an owner asks for: tests and redeliveries. They run beside the deliveries of new events.

Each has its own attempts, and none changes the progress of the endpoint. A test is sent also to an
endpoint that is paused or disabled; a redelivery waits until the endpoint gets events again. A test
that was asked for while no dispatcher had the endpoint is not sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import structlog

from services.webhooks.delivering.held import DeliveryTools, HeldEndpoint
from services.webhooks.delivering.messages import sample_content
from services.webhooks.delivering.redelivering import RedeliveryRun
from services.webhooks.sending.delivery_body import NotBegunError
from services.webhooks.sending.sender import Message
from shared.redis.client import REDIS_UNAVAILABLE
from shared.runtime.tasks import cancel
from shared.webhooks.attempts import AttemptKind, AttemptStore
from shared.webhooks.changes import Change, ChangeKind
from shared.webhooks.redeliveries import Redelivery, RedeliveryStore

log = structlog.get_logger()


class _Name(NamedTuple):
    """Names a job."""

    endpoint_id: str
    kind: AttemptKind
    job: str


class OwnerJobs:
    """The jobs of the endpoints that this dispatcher has."""

    def __init__(
        self, tools: DeliveryTools, attempts: AttemptStore, redeliveries: RedeliveryStore
    ) -> None:
        self._tools = tools
        self._attempts = attempts
        self._redeliveries = redeliveries
        self._running: dict[_Name, asyncio.Task[None]] = {}

    async def begin(self, changes: Sequence[Change], endpoints: Collection[HeldEndpoint]) -> None:
        """Begin what owners have asked for just now, and end what they have stopped.

        `endpoints`: those of the changes that this dispatcher has now.
        """
        held = {each.endpoint.id: each for each in endpoints}
        gone = {each.endpoint_id for each in changes} - held.keys()
        await self._cancel(name for name in self._running if name.endpoint_id in gone)
        for change in changes:
            one = held.get(change.endpoint_id)
            if one is not None and change.kind is ChangeKind.TEST:
                name = _Name(change.endpoint_id, AttemptKind.TEST, change.job)
                self._start(name, self._test(one, change.job))
        await self.resume(held.values())

    async def resume(self, endpoints: Iterable[HeldEndpoint]) -> None:
        """Go on with the redeliveries of these endpoints that have not ended.

        Those that were stopped end. Those of endpoints that are paused or disabled do not begin.
        """
        held = {each.endpoint.id: each for each in endpoints}
        before = {name for name in self._running if name.kind is AttemptKind.REDELIVERY}
        stored: set[_Name] = set()
        for own, rows in (await self._redeliveries.of_endpoints(held)).items():
            for each in rows:
                stored.add(name := _Name(own, AttemptKind.REDELIVERY, each.id))
                if held[own].gets_events and name not in before:  # that one may just have ended
                    self._start(name, self._redeliver(held[own], each))
        await self._cancel(n for n in before - stored if n.endpoint_id in held)

    async def cancel(self, endpoints: Iterable[HeldEndpoint]) -> None:
        """End the jobs of these endpoints. Their next dispatcher goes on with redeliveries."""
        ids = {held.endpoint.id for held in endpoints}
        await self._cancel(name for name in self._running if name.endpoint_id in ids)

    async def _cancel(self, names: Iterable[_Name]) -> None:
        tasks = [self._running.get(name) for name in names]
        await cancel(*(task for task in tasks if task is not None))

    def _start(self, name: _Name, job: Coroutine[Any, Any, None]) -> None:
        if name in self._running:
            job.close()
            return
        task = asyncio.create_task(self._guarded(name, job), name="webhook-job")
        self._running[name] = task
        task.add_done_callback(lambda _: self._forget(name, task, job))

    def _forget(
        self, name: _Name, task: asyncio.Task[None], job: Coroutine[Any, Any, None]
    ) -> None:
        """Needed if the job was cancelled before its first step."""
        job.close()
        if self._running.get(name) is task:
            del self._running[name]

    async def _guarded(self, name: _Name, job: Coroutine[Any, Any, None]) -> None:
        try:
            await job
        except REDIS_UNAVAILABLE as error:
            log.warning("webhook_job_ended", webhook=name.endpoint_id, error=str(error))
        except Exception:
            log.exception("webhook_job_failed", webhook=name.endpoint_id, job=name.job)
        finally:
            del self._running[name]

    async def _redeliver(self, held: HeldEndpoint, redelivery: Redelivery) -> None:
        store = self._redeliveries
        await RedeliveryRun(held, redelivery, self._tools, self._attempts, store).run()

    async def _test(self, held: HeldEndpoint, job: str) -> None:
        content = sample_content(held.endpoint.id, job, int(self._tools.clock()))
        message = Message(*content, AttemptKind.TEST, lambda: held.partition.is_valid)
        with suppress(NotBegunError):
            result = await self._tools.sender.send(held.endpoint, message)
            await self._attempts.add(held.endpoint.id, result.attempt)
