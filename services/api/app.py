"""The API put together: what it needs, what it answers, what runs beside."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from functools import partial

import aiohttp
import structlog
from aiohttp import web
from redis.asyncio import Redis

from services.api.health import ready_check, redis_check, watch
from services.api.listing import Listing
from services.api.metrics import measure
from services.api.routes import SETTINGS, STREAMS, add_routes
from services.api.settings import Settings
from services.api.streams import Clock, Streams
from shared.commit import Committer
from shared.cors import Cors
from shared.journal import Journal
from shared.probes import READINESS, Readiness, add_probes
from shared.problems import problem_middleware
from shared.store import connect
from shared.tasks import cancel, supervise

log = structlog.get_logger()

REDIS = web.AppKey("redis", Redis)

_PROBE_TIMEOUT = aiohttp.ClientTimeout(total=1.0)


def build_app(settings: Settings, *, clock: Clock = time.time) -> web.Application:
    """The application; `clock` gives Unix seconds. Redis need not be there yet."""
    app = web.Application(
        client_max_size=settings.max_body_bytes,
        middlewares=[measure, Cors(settings.cors_origins).middleware(), problem_middleware],
    )
    redis = connect(settings.redis_url)
    committer = Committer(redis, settings.keys, limits=settings.limits)
    listing = Listing(redis, settings.keys, committer.load)
    app[SETTINGS] = settings
    app[REDIS] = redis
    app[STREAMS] = Streams(committer, Journal(redis, settings.keys), listing, clock)
    add_probes(app, Readiness("redis", *settings.ready_urls))
    add_routes(app)
    app.on_startup.append(_announce)
    app.cleanup_ctx.append(_redis)
    app.cleanup_ctx.append(_watches)
    return app


async def _announce(_: web.Application) -> None:
    log.warning("auth_mode_open", meaning="no login: anyone may do and see anything, as any party")


async def _redis(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[REDIS].aclose()


async def _watches(app: web.Application) -> AsyncIterator[None]:
    async with aiohttp.ClientSession(timeout=_PROBE_TIMEOUT) as session:
        checks = {"redis": redis_check(app[REDIS])}
        checks |= {url: ready_check(session, url) for url in app[SETTINGS].ready_urls}
        tasks = [
            supervise(f"watch {part}", partial(watch, part, check, app[READINESS]))
            for part, check in checks.items()
        ]
        yield
        await cancel(*tasks)
