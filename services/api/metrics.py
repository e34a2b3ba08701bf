"""The API's metrics, and the middleware that counts and times requests.

Metrics of commits are in shared.runtime.metrics.
"""

from __future__ import annotations

import time
from functools import lru_cache

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import Counter, Histogram

from shared.domain.events import EventType
from shared.runtime.metrics import at_zero

REQUESTS = Counter(
    "headrace_api_requests_total", "Requests answered", ["method", "route", "status"]
)
SECONDS = Histogram("headrace_api_request_seconds", "Time to answer a request", ["method", "route"])
NOTICES = at_zero(
    Counter("headrace_api_notices_total", "Notices that streams run out", ["type"]),
    (EventType.STREAM_RUNNING_LOW, EventType.STREAM_DEPLETED),
)

_METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "PUT"})


@web.middleware
async def measure(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count and time requests by method, route and status.

    The label `route` is the template of the path, not the path itself. Otherwise each id in a path
    would create a new time series.
    """
    started = time.perf_counter()
    response = await handler(request)
    resource = request.match_info.route.resource
    route = resource.canonical if resource else "none"
    method = request.method if request.method in _METHODS else "other"
    requests, seconds = _series(method, route, response.status)
    requests.inc()
    seconds.observe(time.perf_counter() - started)
    return response


@lru_cache(maxsize=4096)
def _series(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """The series of these labels. Cached, because the lookup by labels is slow."""
    return REQUESTS.labels(method, route, status), SECONDS.labels(method, route)
