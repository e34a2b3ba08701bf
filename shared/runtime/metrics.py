"""The metrics of every service, and the /metrics endpoint. Each service adds its own metrics."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from itertools import product
from typing import TypeVar

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, generate_latest

_Metric = TypeVar("_Metric", Counter, Gauge)


def at_zero(metric: _Metric, *values: Iterable[str]) -> _Metric:
    """Create a series with the value 0 for each combination of label values. Returns the metric.

    `increase()` and `rate()` miss the first count of a series that did not exist before, so
    an alert would miss the first event (Prometheus, "Instrumentation: avoid missing metrics").
    """
    for combination in product(*values):
        metric.labels(*combination)
    return metric


class CommitOutcome(StrEnum):
    """Outcomes of a commit: the answers of commit.lua, and `contended`.

    `contended` means that other commits changed the same streams at each attempt.
    """

    COMMITTED = "committed"
    ANSWERED = "answered"
    QUOTA = "quota"
    SEEN = "seen"
    CONFLICT = "conflict"
    CONTENDED = "contended"
    FENCED = "fenced"
    MOVED = "moved"
    BEHIND = "behind"
    UNSETTLED = "unsettled"
    DISORDER = "disorder"


TASK_FAILURES = Counter(
    "headrace_task_failures_total", "Background tasks that failed and were started again", ["task"]
)
READY = Gauge("headrace_ready", "1 while this part of the service is ready", ["part"])
NAMESPACE = Gauge("headrace_namespace", "1 for the namespace of this process", ["name"])
SKEW = Gauge(
    "headrace_clock_skew_seconds", "Seconds by which this machine's clock is ahead of Redis"
)
EPOCH = Gauge("headrace_epoch_seconds", "When the data in Redis began, Unix seconds; 0 = unknown")
LOSSES = Counter(
    "headrace_losses_total", "Losses of data found in Redis, by the kind of data", ["what"]
)
COMMITS = at_zero(
    Counter("headrace_commits_total", "Commits to the journal, by outcome", ["outcome"]),
    CommitOutcome,
)

LOST_EVERYTHING, LOST_PROGRESS, LOST_ENTRY, LOST_DOCUMENT, LOST_EVENT, LOST_TOPIC = (
    LOSSES.labels(what)
    for what in ("everything", "progress", "entry", "document", "event", "topic")
)
"""Each series exists at 0 from the start, so that an alert sees the first loss."""


async def metrics(_: web.Request) -> web.Response:
    """All metrics of the process, in the text format of Prometheus."""
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
