"""The archiver's composition root: creates the parts of the service and connects them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from services.archiver import metrics
from services.archiver.errors import ForeignArchiveError
from services.archiver.settings import ArchiverSettings
from services.archiver.turns import Turns
from shared.archive.errors import DamagedArchiveError
from shared.journal.namespace import NamespaceWatch
from shared.redis.client import connect
from shared.redis.clock import RedisClock
from shared.runtime.tasks import cancel, supervise
from shared.web.probes import Readiness, add_probes
from shared.web.problems import problem_middleware

FATAL = (ForeignArchiveError, DamagedArchiveError)


def build_app(settings: ArchiverSettings) -> web.Application:
    """Build the whole service. No task runs until the app starts."""
    app = web.Application(middlewares=[problem_middleware])
    components = ("redis", "archive", "clock", "namespace")
    readiness = Readiness(*components, namespace=settings.keys.namespace)
    clock = RedisClock()
    add_probes(app, readiness)

    async def background(_: web.Application) -> AsyncIterator[None]:
        redis = connect(settings.redis_url, slot_key=settings.keys.slot_key)
        watch = NamespaceWatch(redis, settings, clock, readiness, begins=False)
        await watch.check_first()
        tasks = (
            supervise(
                "archiver",
                Turns(settings, redis, readiness, clock).take_turn,
                fatal=FATAL,
                on_fatal=lambda error: _report_fatal(error, readiness),
            ),
            supervise("namespace", watch.run, max_wait=1.0),
        )
        yield
        await cancel(*tasks)
        await redis.aclose()

    app.cleanup_ctx.append(background)
    return app


def _report_fatal(error: Exception, readiness: Readiness) -> None:
    """Set the alarm; the process stays, but is not ready. A restart loop would hide the error."""
    kind = "owner" if isinstance(error, ForeignArchiveError) else "damaged"
    metrics.ALARM.labels(kind).set(1)
    readiness.set("archive", f"stopped: {error}")
