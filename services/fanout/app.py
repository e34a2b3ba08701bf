"""The fanout's parts, how they are connected, and the order in which they start and stop.

See docs/decisions/0086-a-fanout-imports-only-what-it-uses.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog
from aiohttp import ClientSession, web
from redis.asyncio import Redis

from services.fanout import sse
from services.fanout.admin import COMPONENTS, add_admin_routes
from services.fanout.connections.broadcaster import Broadcaster
from services.fanout.connections.connection_log import log_end
from services.fanout.connections.delivery_metrics import DeliveryMetrics
from services.fanout.connections.drain import drain
from services.fanout.connections.expiry import ConnectionExpiry
from services.fanout.connections.heartbeat import Heartbeat
from services.fanout.connections.limits import ConnectionLimits
from services.fanout.connections.lost_events import send_resets
from services.fanout.connections.registry import Reason, SubscriberRegistry
from services.fanout.connections.subscriber import Subscriber
from services.fanout.feed.feed import Feed
from services.fanout.feed.output import FeedOutput
from services.fanout.feed.recent import RecentEvents
from services.fanout.feed.server import FeedServer
from services.fanout.settings import FanoutSettings
from services.fanout.subscribe.authorization import Authorizer
from services.fanout.subscribe.handler import Components, SubscribeHandler
from shared.archive.opening import open_archive
from shared.auth.revocations import RevocationStore
from shared.auth.tickets import Tickets
from shared.domain.position import START
from shared.journal.namespace import NamespaceWatch
from shared.journal.streams import StoredStreams
from shared.redis.client import connect
from shared.redis.clock import RedisClock
from shared.runtime.tasks import cancel, supervise
from shared.web.client import session
from shared.web.cors import Cors
from shared.web.probes import Readiness, add_probes
from shared.web.problems import problem_middleware
from shared.web.readiness_watch import watch_part, watch_store
from shared.web.server import DRAIN

if TYPE_CHECKING:
    from shared.auth.verifier import Verifier

log = structlog.get_logger()

HANDLER = web.AppKey("handler", SubscribeHandler)

_SHUTTING_DOWN = "shutting down"
_START_SECONDS = 1.0
"""Seconds that the second check of the feed waits for its start. It usually takes 0.01 s."""


def build_app(settings: FanoutSettings) -> web.Application:
    """The whole service. Nothing runs until the app starts."""
    cors = Cors(settings.origins)
    app = web.Application(middlewares=[cors.middleware(), problem_middleware])
    parts = ("feed", "store", "clock", "namespace", *(("keys",) if settings.reads_keys else ()))
    readiness = Readiness(*parts, namespace=settings.keys.namespace)
    add_probes(app, readiness)

    async def run(app: web.Application) -> AsyncIterator[None]:
        redis = connect(settings.redis_url, slot_key=settings.keys.slot_key)
        revocations = RevocationStore(redis, settings.keys)
        clock = RedisClock()
        data = NamespaceWatch(redis, settings, clock, readiness, begins=False)
        await data.check_first()
        async with session() as http:
            verifier, key_tasks = _verifier(settings, http, clock, readiness)
            deliveries = DeliveryMetrics(clock)
            components, broadcaster = _assemble(
                settings, redis, revocations, cors, verifier, deliveries=deliveries, clock=clock
            )
            app[COMPONENTS] = components
            app[HANDLER] = handler = SubscribeHandler(components)
            app[DRAIN] = lambda: _drain_on_shutdown(components, handler, readiness)
            every = settings.sync_seconds
            heartbeat = Heartbeat(
                components.feed,
                components.registry,
                broadcaster,
                components.expiry,
                clock,
                seconds=every,
            )
            tasks = [
                supervise("feed", components.feed.run),
                supervise("beat", heartbeat.run),
                supervise("leases", components.limits.run, max_wait=1.0),
                supervise(
                    "revocations", lambda: _poll_revocations(components, revocations), max_wait=1.0
                ),
                supervise("namespace", data.run, max_wait=1.0),
                supervise("fitness", lambda: watch_store(readiness, redis, settings.keys)),
                supervise("readiness", lambda: _watch_feed(components.feed, readiness, handler)),
                *key_tasks,
            ]
            yield
            handler.draining = True
            await cancel(*tasks)
            components.registry.close()
            deliveries.update()
            await components.limits.flush()
            await components.feed.server.aclose()
        await redis.aclose()

    app.cleanup_ctx.append(run)
    for prefix in ("/v1", ""):
        app.router.add_get(f"{prefix}/events/subscribe", _subscribe, allow_head=False)
    add_admin_routes(app)
    return app


def _assemble(
    settings: FanoutSettings,
    redis: Redis,
    revocations: RevocationStore,
    cors: Cors,
    verifier: Verifier | None,
    *,
    deliveries: DeliveryMetrics,
    clock: RedisClock,
) -> tuple[Components, Broadcaster]:
    keys = settings.keys
    limits = ConnectionLimits(
        redis,
        keys,
        per_user=settings.connections_per_user,
        per_ip=settings.connections_per_ip,
        seconds=settings.connection_lease_seconds,
    )

    def on_disconnect(subscriber: Subscriber, topics: int, reason: Reason) -> None:
        expiry.forget(subscriber)
        if subscriber.lease:
            limits.release(subscriber.lease)
        log_end(subscriber, topics, reason)

    registry = SubscriberRegistry(
        backlog_bytes=settings.backlog_bytes,
        total_backlog_bytes=settings.total_backlog_bytes,
        write_seconds=settings.write_seconds,
        on_disconnect=on_disconnect,
    )
    expiry = ConnectionExpiry(
        registry,
        max_age=settings.max_age_seconds,
        retry_ms=settings.retry_ms,
        every=settings.sync_seconds,
        clock=clock,
    )
    broadcaster = Broadcaster(
        registry, batch_seconds=settings.batch_ms / 1000, on_sent=deliveries.sent
    )
    feed = Feed(
        FeedServer(redis, keys, settings.feed_redis_url, open_archive(settings, keys.namespace)),
        RecentEvents(START, events=settings.ring_events, size=settings.ring_bytes),
        FeedOutput(
            publish=broadcaster.queue,
            flush=broadcaster.flush,
            gap=lambda after, to, epoch: broadcaster.broadcast(sse.gap(after, to), epoch),
            loss=lambda lost: send_resets(lost, feed, broadcaster, registry),
        ),
        probe_seconds=settings.probe_seconds,
    )
    authorizer = Authorizer(
        verifier,
        revocations,
        Tickets(redis, settings.keys),
        StoredStreams(redis, keys),
        same_site=settings.cookie_same_site,
        trusted_proxies=settings.trusted_proxies,
    )
    return Components(
        settings, feed, registry, cors, authorizer, limits, expiry, clock
    ), broadcaster


def _verifier(
    settings: FanoutSettings, http: ClientSession, clock: RedisClock, readiness: Readiness
) -> tuple[Verifier | None, Sequence[asyncio.Task[None]]]:
    """The part that checks tokens, and the tasks that it needs. None in AUTH_MODE=open."""
    if settings.auth_mode == "open":
        log.warning("auth_mode_open", meaning="no login: every client may read all events")
        return None, ()
    # Imported here, because PyJWT and cryptography need 9 MB, and AUTH_MODE=open needs neither.
    from shared.auth.public_keys import PublicKeys, watch_keys  # noqa: PLC0415
    from shared.auth.verifier import Verifier  # noqa: PLC0415

    keys = PublicKeys(settings.jwks_url, http)
    watch = [supervise("keys", lambda: watch_keys(readiness, keys))] if settings.reads_keys else []
    return Verifier(settings, keys, clock), watch


async def _subscribe(request: web.Request) -> web.StreamResponse:
    return await request.app[HANDLER].subscribe(request)


async def _drain_on_shutdown(
    components: Components, handler: SubscribeHandler, readiness: Readiness
) -> None:
    handler.draining = True
    readiness.set("feed", _SHUTTING_DOWN)
    settings = components.settings
    await drain(components.registry, seconds=settings.drain_seconds, retry_ms=settings.retry_ms)


async def _poll_revocations(components: Components, revocations: RevocationStore) -> None:
    while components.settings.auth_mode == "required":
        await components.expiry.end_revoked(revocations)
        await asyncio.sleep(components.settings.revocation_seconds)


async def _watch_feed(feed: Feed, readiness: Readiness, handler: SubscribeHandler) -> None:
    """Keep the part `feed` of /readyz up to date. After Redis was emptied, also add a note."""

    async def check() -> str | None:
        if feed.failover.last_seen.lost:
            readiness.note("lost", feed.failover.last_seen.message)
        return _SHUTTING_DOWN if handler.draining else feed.lag_reason

    readiness.note("replica", lambda: feed.server.note)
    readiness.set("feed", await check())
    with suppress(TimeoutError):  # so that the next check finds a feed that has started
        await asyncio.wait_for(feed.started.wait(), _START_SECONDS)
    await watch_part(readiness, "feed", check, interval=0.5)
