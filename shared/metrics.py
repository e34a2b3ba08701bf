"""Metrics that every service has, and the /metrics answer. Each service adds its own."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, generate_latest

TASK_FAILURES = Counter(
    "headrace_task_failures_total", "Background tasks that failed and were started again", ["task"]
)
READY = Gauge("headrace_ready", "1 when a part of the service's readiness holds", ["part"])
LOSSES = Counter("headrace_losses_total", "What was found missing in Redis", ["what"])
COMMITS = Counter("headrace_commits_total", "Commits to the journal, by outcome", ["outcome"])

LOST_EVERYTHING, LOST_PROGRESS, LOST_ENTRY, LOST_DOCUMENT, LOST_EVENT = (
    LOSSES.labels(what) for what in ("everything", "progress", "entry", "document", "event")
)
"""Known from the start, at 0, so that an alert sees the first one."""


async def metrics(_: web.Request) -> web.Response:
    """Prometheus text exposition."""
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
