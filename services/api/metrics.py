"""Metrics of the API, and the middleware that keeps them. Commits: shared.metrics.COMMITS."""

from __future__ import annotations

import time

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import Counter, Histogram

REQUESTS = Counter(
    "headrace_api_requests_total", "Requests answered", ["method", "route", "status"]
)
SECONDS = Histogram("headrace_api_request_seconds", "Time to answer a request", ["method", "route"])

_METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "PUT"})


@web.middleware
async def measure(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count and time by route template, so that ids in paths make no series of their own."""
    started = time.perf_counter()
    response = await handler(request)
    resource = request.match_info.route.resource
    route = resource.canonical if resource else "none"
    method = request.method if request.method in _METHODS else "other"
    REQUESTS.labels(method, route, response.status).inc()
    SECONDS.labels(method, route).observe(time.perf_counter() - started)
    return response
