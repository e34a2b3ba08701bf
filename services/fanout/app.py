"""The fanout's composition root: what it is made of and in which order it starts and ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import structlog
from aiohttp import web

from services.fanout import metrics, sse
from services.fanout.beat import Beat, lag_seconds
from services.fanout.crowd import Crowd
from services.fanout.drain import drain
from services.fanout.feed import Feed
from services.fanout.handshake import Handshake
from services.fanout.ring import Item, Ring
from services.fanout.settings import Settings
from shared import wire
from shared.cors import Cors
from shared.positions import START, Position
from shared.probes import Readiness, add_probes
from shared.problems import problem_middleware
from shared.serve import DRAIN
from shared.store import connect
from shared.tasks import cancel, supervise

log = structlog.get_logger()

HANDSHAKE = web.AppKey("handshake", Handshake)


def build_app(settings: Settings) -> web.Application:
    """The whole service; nothing runs until the app starts."""
    cors = Cors(settings.cors_origins)
    app = web.Application(middlewares=[cors.middleware(), problem_middleware])
    readiness = Readiness("feed")
    add_probes(app, readiness)

    async def parts(app: web.Application) -> AsyncIterator[None]:
        crowd = Crowd(backlog_bytes=settings.backlog_bytes, write_seconds=settings.write_seconds)
        redis = connect(settings.redis_url)
        ring = Ring(START, events=settings.ring_events, size=settings.ring_bytes)
        feed = Feed(
            redis,
            settings.keys,
            ring,
            publish=lambda item, epoch: _publish(crowd, item, epoch),
            lost=lambda after, to: _tell_all(crowd, after, to),
            probe_seconds=settings.probe_seconds,
        )
        app[HANDSHAKE] = handshake = Handshake(settings, feed, crowd, cors)

        async def leave_slowly() -> None:
            handshake.draining = True
            readiness.set("feed", "shutting down")
            await drain(crowd, seconds=settings.drain_seconds, retry_ms=settings.retry_ms)

        app[DRAIN] = leave_slowly
        log.warning("open_to_anyone", meaning="AUTH_MODE=open: anyone may see every event")
        tasks = [
            supervise("feed", feed.run),
            supervise("beat", Beat(feed, crowd, seconds=settings.sync_seconds).run),
            supervise("readiness", lambda: _watch(feed, readiness, handshake)),
        ]
        yield
        handshake.draining = True
        await cancel(*tasks)
        crowd.close()
        await redis.aclose()

    app.cleanup_ctx.append(parts)
    for path in ("/v1/events/subscribe", "/events/subscribe"):
        app.router.add_get(path, _subscribe, allow_head=False)
    return app


async def _subscribe(request: web.Request) -> web.StreamResponse:
    return await request.app[HANDSHAKE].subscribe(request)


def _publish(crowd: Crowd, item: Item, epoch: int) -> None:
    reached = crowd.publish(item, epoch)
    metrics.DELIVERIES.inc(reached)
    metrics.BYTES.inc(reached * len(item.frame))
    now = time.time()
    metrics.PUBLISH_TO_WRITE.observe(max(0.0, now - wire.published_at(item.entry)))
    if (lag := lag_seconds(wire.closed_at(item.entry), now)) is not None:
        metrics.CLOSE_TO_WRITE.observe(lag)


def _tell_all(crowd: Crowd, after: Position, to: Position) -> None:
    frame = sse.gap(after, to)
    for subscriber in crowd.everyone():
        if subscriber in crowd.hub:
            crowd.send(subscriber, frame)


async def _watch(feed: Feed, readiness: Readiness, handshake: Handshake) -> None:
    """Keep /readyz as the feed is."""
    said: str | None = ""
    while not handshake.draining:
        trouble = feed.trouble
        readiness.set("feed", trouble)
        if trouble != said:
            (log.warning if trouble else log.info)("feed", trouble=trouble)
            said = trouble
        await asyncio.sleep(0.2)
