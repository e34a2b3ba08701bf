"""Metrics that every service has, and the /metrics answer. Each service adds its own."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, generate_latest

TASK_FAILURES = Counter(
    "headrace_task_failures_total", "Background tasks that failed and were started again", ["task"]
)
READY = Gauge("headrace_ready", "1 when a part of the service's readiness holds", ["part"])
NAMESPACE = Gauge("headrace_namespace", "1 for the namespace that this process works in", ["name"])
SKEW = Gauge("headrace_clock_skew_seconds", "This machine's clock minus that of Redis")
EPOCH = Gauge("headrace_epoch_seconds", "Unix seconds since which Redis has its data; 0 = unknown")
COMMITS = Counter("headrace_commits_total", "Commits to the journal, by outcome", ["outcome"])


async def metrics(_: web.Request) -> web.Response:
    """Prometheus text exposition."""
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
