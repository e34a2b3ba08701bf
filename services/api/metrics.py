"""The API's metrics, and the middleware that counts and times requests.

Metrics of commits are in shared.runtime.metrics.
"""

from __future__ import annotations

import time
from enum import StrEnum
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


class SubmissionOutcome(StrEnum):
    """What became of an envelope that a client submitted and that was new.

    UNKNOWN: RPC did not answer, so nobody knows whether it has the transaction.
    """

    SENT = "sent"
    REFUSED = "refused"
    TRY_AGAIN_LATER = "try_again_later"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"


PREPARED = at_zero(
    Counter(
        "headrace_api_transactions_prepared_total",
        "Transactions that were prepared, by action; restore: for archived entries",
        ["action"],
    ),
    ("create", "top_up", "withdraw", "pause", "resume", "cancel", "restore"),
)
SUBMITTED = at_zero(
    Counter(
        "headrace_api_transactions_submitted_total",
        "Transactions that were submitted, by outcome",
        ["outcome"],
    ),
    SubmissionOutcome,
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
