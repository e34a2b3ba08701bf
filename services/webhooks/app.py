"""The dispatcher's composition root: creates the parts of the service and connects them."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import AsyncIterator

import structlog
from aiohttp import web
from redis.asyncio import Redis

from services.webhooks.delivering.announcing import DisabledAnnouncer
from services.webhooks.delivering.held import DeliveryTools
from services.webhooks.delivering.jobs import OwnerJobs
from services.webhooks.delivering.loading import EndpointLoader
from services.webhooks.delivering.progress_writer import ProgressWriter
from services.webhooks.delivering.registry import EndpointRegistry
from services.webhooks.dispatcher import Dispatcher
from services.webhooks.measuring import measure_endpoints
from services.webhooks.partitions.leases import PartitionLeases
from services.webhooks.partitions.membership import Membership
from services.webhooks.reading.following import JournalFollower
from services.webhooks.reading.history import open_history
from services.webhooks.reading.recent import RecentEntries
from services.webhooks.sending.sender import Sender
from services.webhooks.settings import DispatcherSettings
from shared.journal.commit import Committer
from shared.journal.losses import DataLossDetector
from shared.journal.namespace import NamespaceWatch
from shared.journal.reader import Journal
from shared.redis.client import connect, connect_multiplexed
from shared.redis.clock import RedisClock
from shared.runtime.tasks import cancel, run_until_first, supervise
from shared.web.probes import Readiness, add_probes
from shared.web.problems import problem_middleware
from shared.web.readiness_watch import watch_part, watch_store
from shared.webhooks.attempts import AttemptStore
from shared.webhooks.progress import ProgressStore
from shared.webhooks.redeliveries import RedeliveryStore
from shared.webhooks.store import EndpointStore

log = structlog.get_logger()

_READS = 16
"""Endpoints that read their history at the same time."""
_SILENT_SECONDS = 5.0


class DispatcherParts:
    """What lives as long as the process. A dispatcher is made anew after Redis was emptied."""

    def __init__(self, settings: DispatcherSettings) -> None:
        url, slot_key = settings.redis_url, settings.keys.slot_key
        self.settings = settings
        self.keys = settings.keys
        self.redis: Redis = connect_multiplexed(url, slot_key=slot_key)
        self.blocking = connect(url, slot_key=slot_key)
        self.clock = RedisClock()
        self.detector = DataLossDetector()
        self.name = secrets.token_hex(8)
        self.sender = Sender(settings, self.clock)
        self.follower: JournalFollower | None = None
        self._dispatcher: Dispatcher | None = None

    @property
    def reason(self) -> str | None:
        """Why nothing is delivered now. None if nothing is wrong."""
        if self.follower is None or not self.follower.started.is_set():
            return "the journal has not been read yet: Redis does not answer"
        if self.follower.checked_seconds > _SILENT_SECONDS:
            return "Redis does not answer"
        return None

    async def run(self) -> None:
        """Run one dispatcher until cancelled, or until Redis is emptied."""
        recent = RecentEntries()
        self.follower = JournalFollower(
            self.redis, self.blocking, self.keys, recent, self.detector, name=self.name
        )
        tools = self._tools(recent)
        registry = EndpointRegistry(tools, recent)
        self._dispatcher = dispatcher = self._make(self.follower, tools, registry)
        try:
            await run_until_first(dispatcher.run(), measure_endpoints(registry, self.clock))
        finally:
            await dispatcher.close()

    async def hand_over(self) -> None:
        """End all deliveries, so that other dispatchers go on at once. Call it before the end."""
        if self._dispatcher is not None:
            await self._dispatcher.close()

    def _tools(self, recent: RecentEntries) -> DeliveryTools:
        settings, keys, redis = self.settings, self.keys, self.redis
        committer = Committer(redis, keys, retention=settings.retention)
        return DeliveryTools(
            sender=self.sender,
            writer=ProgressWriter(ProgressStore(redis, keys)),
            announcer=DisabledAnnouncer(committer),
            history=open_history(settings, redis, Journal(redis, keys)),
            reads=asyncio.Semaphore(_READS),
            top=lambda: recent.top,
            clock=self.clock,
            chance=random.random,
            retry_days=settings.webhook_retry_days,
        )

    def _make(
        self, follower: JournalFollower, tools: DeliveryTools, registry: EndpointRegistry
    ) -> Dispatcher:
        keys, redis, seconds = self.keys, self.redis, self.settings.webhook_lease_seconds
        endpoints, progress = EndpointStore(redis, keys), ProgressStore(redis, keys)
        needs_owner = self.settings.auth_mode == "required"
        return Dispatcher(
            follower=follower,
            leases=PartitionLeases(redis, keys, seconds=seconds),
            membership=Membership(redis, keys, self.clock, seconds=seconds),
            registry=registry,
            loader=EndpointLoader(registry, endpoints, progress, needs_owner=needs_owner),
            jobs=OwnerJobs(tools, AttemptStore(redis, keys), RedeliveryStore(redis, keys)),
            writer=tools.writer,
            pause=seconds / 4,
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self.sender.aclose()
        await self.blocking.aclose()
        await self.redis.aclose()


def build_app(settings: DispatcherSettings) -> web.Application:
    """Build the whole service. No task runs until the app starts."""
    app = web.Application(middlewares=[problem_middleware])
    components = ("redis", "store", "clock", "namespace")
    readiness = Readiness(*components, namespace=settings.keys.namespace)
    add_probes(app, readiness)

    async def background(_: web.Application) -> AsyncIterator[None]:
        parts = DispatcherParts(settings)
        redis = parts.redis
        watch = NamespaceWatch(redis, settings, parts.clock, readiness, begins=False)

        async def reason() -> str | None:
            return parts.reason

        await watch.check_first()
        tasks = (
            supervise("dispatcher", parts.run, max_wait=1.0),
            supervise("namespace", watch.run, max_wait=1.0),
            supervise("readiness", lambda: watch_part(readiness, "redis", reason)),
            supervise("store", lambda: watch_store(readiness, redis, settings.keys)),
        )
        yield
        try:
            await parts.hand_over()  # first, because it needs the tasks
        finally:
            await cancel(*tasks)
            await parts.aclose()

    app.cleanup_ctx.append(background)
    return app
