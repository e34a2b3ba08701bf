"""Builds the API: its services, its routes and its background tasks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import aiohttp
import structlog
from aiohttp import web
from redis.asyncio import Redis

from services.api.auth.api_keys import ApiKeys
from services.api.auth.authentication import Authenticator
from services.api.auth.client_domains import FetchToml, fetch_toml
from services.api.auth.guard import AUTHENTICATOR, RATE_LIMITS, Guard
from services.api.auth.routes import (
    API_KEYS,
    CLOCK,
    LOGIN,
    PUBLIC_KEYS,
    SESSIONS,
    TICKETS,
    add_login_routes,
)
from services.api.auth.service import LoginService
from services.api.auth.signers import AccountSigners
from services.api.console.routes import add_console_routes
from services.api.events.assembly import add_history
from services.api.events.routes import SUMMARIES
from services.api.http.error_responses import error_middleware
from services.api.http.rate_limits import RateLimits
from services.api.http.readiness import part_names, redis_check, service_checks
from services.api.http.response_headers import EXPOSED, response_headers
from services.api.metrics import measure
from services.api.reference.routes import add_reference_routes
from services.api.settings import SETTINGS, ApiSettings
from services.api.streams import losses
from services.api.streams.clock import StreamClock
from services.api.streams.listing import StreamListing
from services.api.streams.memory import RedisMemory
from services.api.streams.notices import StreamNotices
from services.api.streams.routes import STREAMS, add_routes
from services.api.streams.service import StreamService
from services.api.streams.summary import AccountSummaries
from services.api.system.routes import add_system_routes
from services.api.tokens.directory import TokenDirectory
from services.api.tokens.routes import TOKENS, add_token_routes
from services.api.transactions.routes import add_transaction_routes
from services.api.webhooks.routes import add_webhooks
from shared.archive.waiting import ArchiveWait
from shared.auth.public_keys import PublicKeys, watch_keys
from shared.auth.revocations import RevocationStore
from shared.auth.tickets import Tickets
from shared.auth.verifier import Verifier
from shared.journal.commit import Committer
from shared.journal.losses import DataLossDetector
from shared.journal.namespace import NamespaceWatch
from shared.journal.reader import Journal
from shared.journal.size import watch_size
from shared.journal.stream_indexes import StreamIndexes
from shared.redis.client import connect, connect_multiplexed
from shared.redis.clock import Clock, RedisClock
from shared.redis.replication import Replicas
from shared.runtime.tasks import cancel, supervise
from shared.web import client as http
from shared.web.cors import Cors
from shared.web.probes import READINESS, Readiness, add_probes
from shared.web.problems import problem_middleware
from shared.web.readiness_watch import watch_part, watch_store

log = structlog.get_logger()

REDIS = web.AppKey("redis", Redis)
REPLICAS = web.AppKey("replicas", Replicas)
REDIS_MEMORY = web.AppKey("redis_memory", RedisMemory)
STREAM_NOTICES = web.AppKey("notices", StreamNotices)
DATA_LOSS = web.AppKey("data_loss", DataLossDetector)

REMEMBERED_TOKENS = 1000
"""Clients send the same token with each request."""

_PROBE_TIMEOUT = aiohttp.ClientTimeout(total=1.0)


def build_app(
    settings: ApiSettings,
    *,
    clock: Clock | None = None,
    fetch: FetchToml = fetch_toml,
    notices: bool = True,
) -> web.Application:
    """Build the application. Redis need not be reachable yet.

    `clock` replaces Redis' clock for streams. `fetch` reads the stellar.toml of a wallet's domain.
    If `notices` is False, this replica publishes no notice that a stream runs out.
    """
    app = web.Application(
        client_max_size=settings.max_body_bytes,
        middlewares=[
            response_headers,
            measure,
            Cors(settings.origins, EXPOSED).middleware(),
            problem_middleware,
            Guard(settings).middleware,
            error_middleware,
        ],
    )
    redis = connect_multiplexed(settings.redis_url, slot_key=settings.keys.slot_key)
    replicas = _replicas(settings, redis)
    committer = Committer(redis, settings.keys, retention=settings.retention, replicas=replicas)
    listing = StreamListing(redis, settings.keys, committer.streams.documents)
    app[SETTINGS] = settings
    app[REDIS] = redis
    app[REPLICAS] = replicas
    app[DATA_LOSS] = DataLossDetector()
    journal = Journal(redis, settings.keys)
    app[CLOCK] = redis_clock = RedisClock()
    stream_clock = StreamClock(clock or redis_clock)
    keys_part = ("keys",) if settings.reads_keys else ()
    parts = ("redis", "store", "clock", "namespace", *keys_part, *part_names(settings.ready_urls))
    readiness = Readiness(*parts, namespace=settings.keys.namespace)
    # The API writes nothing if Redis could lose writes ("store"), or if the namespace belongs to
    # another contract or network ("namespace").
    unsafe_reason = partial(readiness.first_reason, "store", "namespace")
    app[REDIS_MEMORY] = memory = RedisMemory(redis)
    app[TOKENS] = tokens = TokenDirectory(redis, settings.keys, settings.tokens)
    app[STREAMS] = StreamService(
        committer,
        journal,
        listing,
        clock or redis_clock,
        lambda: unsafe_reason() or memory.full_reason(),
        tokens=tokens,
        archive=ArchiveWait(redis, settings.keys, settings.wait_archive),
    )
    unsure_reason = partial(readiness.first_reason, "clock", "store", "namespace")
    app[STREAM_NOTICES] = StreamNotices(redis, committer, journal, stream_clock, unsure_reason)
    indexes = StreamIndexes(redis, settings.keys)
    app[SUMMARIES] = AccountSummaries(indexes, listing, journal, stream_clock, tokens)
    add_probes(app, readiness)
    add_routes(app)
    add_history(app, redis, journal)
    add_webhooks(app, redis, committer, journal, replicas)
    add_token_routes(app)
    add_transaction_routes(app, redis)
    add_login_routes(app)
    add_system_routes(app)
    add_console_routes(app)
    add_reference_routes(app)
    app.on_startup.append(_log_auth_mode)
    app.cleanup_ctx.append(_redis)
    app.cleanup_ctx.append(partial(_login, fetch=fetch))
    app.cleanup_ctx.append(_watches)
    app.cleanup_ctx.append(partial(_losses, committer=committer))
    if notices:
        app.cleanup_ctx.append(_notices)
    return app


def _replicas(settings: ApiSettings, redis: Redis) -> Replicas:
    """Waits until replicas have a write.

    If WAIT_REPLICAS is set, Replicas gets its own connection, because WAIT blocks a connection.
    """
    if settings.wait_replicas:
        redis = connect(settings.redis_url, slot_key=settings.keys.slot_key)
    return Replicas(redis, settings.wait_replicas)


async def _log_auth_mode(app: web.Application) -> None:
    settings = app[SETTINGS]
    if settings.auth_mode == "open":
        meaning = "no login: every client may read and change everything, as any account"
        log.warning("auth_mode_open", meaning=meaning)
    else:
        log.info("auth_mode_required", wallet_login=bool(settings.signing_seed))


async def _redis(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[REPLICAS].aclose()
    await app[REDIS].aclose()


async def _login(app: web.Application, *, fetch: FetchToml) -> AsyncIterator[None]:
    settings, redis, clock, replicas = app[SETTINGS], app[REDIS], app[CLOCK], app[REPLICAS]
    async with http.session() as session:
        own = [key.document for key in settings.signing_keys]
        app[PUBLIC_KEYS] = public_keys = PublicKeys(settings.jwks_url, session, own)
        verifier = Verifier(settings, public_keys, clock, remember=REMEMBERED_TOKENS)
        sessions = RevocationStore(redis, settings.keys, replicas)
        keys = ApiKeys(redis, settings.keys, replicas)
        required = settings.auth_mode == "required"
        app[AUTHENTICATOR] = Authenticator(verifier, sessions, keys, clock, required=required)
        app[RATE_LIMITS] = RateLimits(redis, settings.keys)
        app[SESSIONS], app[API_KEYS] = sessions, keys
        app[TICKETS] = Tickets(redis, settings.keys)
        app[LOGIN] = LoginService(
            settings,
            settings.network_passphrase,
            verifier=verifier,
            sessions=sessions,
            signers=AccountSigners(session, settings.horizon_url, settings.network_passphrase),
            fetch=fetch,
            clock=clock,
        )
        yield


async def _watches(app: web.Application) -> AsyncIterator[None]:
    settings = app[SETTINGS]
    namespace = NamespaceWatch(app[REDIS], settings, app[CLOCK], app[READINESS], begins=True)
    await namespace.check_first()
    async with http.session(timeout=_PROBE_TIMEOUT) as session:
        checks = {"redis": redis_check(app[REDIS])} | service_checks(settings, session)
        readiness = app[READINESS]
        tasks = [
            supervise(f"watch {part}", partial(watch_part, readiness, part, check))
            for part, check in checks.items()
        ]
        store = partial(watch_store, readiness, app[REDIS], settings.keys, settings.wait_replicas)
        # The names of the tasks are label values of a metric, so do not rename the tasks.
        tasks.append(supervise("fitness", store))
        if settings.reads_keys:
            tasks.append(supervise("keys", partial(watch_keys, readiness, app[PUBLIC_KEYS])))
        tasks.append(supervise("namespace", namespace.run, max_wait=1.0))
        tasks.append(supervise("memory", app[REDIS_MEMORY].run, max_wait=1.0))
        tasks.append(supervise("journal_size", partial(watch_size, app[REDIS], settings.keys)))
        yield
        await cancel(*tasks)


async def _losses(app: web.Application, *, committer: Committer) -> AsyncIterator[None]:
    note = partial(app[READINESS].note, "lost")
    await losses.check_reports(app[REDIS], committer)
    watch_losses = partial(losses.watch, app[REDIS], committer, app[DATA_LOSS], note)
    task = supervise("losses", watch_losses, max_wait=1.0)
    yield
    await cancel(task)


async def _notices(app: web.Application) -> AsyncIterator[None]:
    task = supervise("endings", app[STREAM_NOTICES].run)
    yield
    await cancel(task)
    await app[STREAM_NOTICES].release()
