"""The fanout's metrics.

Metrics of deliveries are updated for many events at once, with one observation for each event
(connections/delivery_metrics.py). An update for each delivery would cost more than the write to the
subscriber.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from services.fanout.reasons import EndReason, RefusalReason
from shared.runtime.metrics import at_zero
from shared.web.problems import Goodbye

CONNECTIONS = Gauge("headrace_fanout_connections", "Open SSE connections")
SUBSCRIPTIONS = Gauge(
    "headrace_fanout_subscriptions", "Subscribed topics, summed over all connections"
)
BACKLOG = Gauge("headrace_fanout_backlog_bytes", "Unsent bytes buffered for slow subscribers")
SLOW = Gauge(
    "headrace_fanout_slow_bytes",
    "Bytes held for slow subscribers: their backlogs and 96 KB each in the kernel",
)
EVENTS = at_zero(
    Counter("headrace_fanout_events_total", "Events published by the feed", ["via"]),
    ("channel", "journal"),
)
DELIVERIES = Counter("headrace_fanout_deliveries_total", "Events written to subscribers")
BYTES = Counter(
    "headrace_fanout_bytes_total", "Bytes of events sent, as if in full and not compressed"
)
DISCONNECTS = at_zero(
    Counter("headrace_fanout_disconnects_total", "Connections ended", ["reason"]),
    (*Goodbye, *EndReason),
)
REFUSALS = at_zero(
    Counter("headrace_fanout_turned_away_total", "Subscriptions refused", ["reason"]), RefusalReason
)
REPLAY_OUTCOMES = ("ring", "journal", "gap", "reset", "limit")
REPLAYS = at_zero(
    Counter(
        "headrace_fanout_replays_total",
        "Resumes, by where the events were read (ring, journal), what was sent (gap, reset), or "
        "whether the rest follows on the next connection (limit)",
        ["outcome"],
    ),
    REPLAY_OUTCOMES,
)
REPLAY_LENGTH = Histogram(
    "headrace_fanout_replay_events",
    "Events sent by one resume",
    buckets=(0, 1, 10, 100, 1_000, 10_000, 100_000),
)
REPLAYED = Counter("headrace_fanout_replayed_events_total", "Events sent by resumes")
FILL_INS = Counter(
    "headrace_fanout_fill_ins_total",
    "Messages that arrived while an earlier event was missing; then the journal was read",
)
LAG = Gauge("headrace_fanout_lag_seconds", "Seconds since the close of the last indexed ledger")
REPLICA_LAG = Gauge(
    "headrace_fanout_replica_lag_seconds",
    "Seconds for which the replica of Redis lacked events of the primary; 0 without FEED_REDIS_URL",
)
LOOP_LAG = Gauge("headrace_fanout_loop_lag_seconds", "Seconds by which the last heartbeat was late")

_LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
PUBLISH_TO_WRITE = Histogram(
    "headrace_fanout_publish_to_write_seconds",
    "Seconds from the commit of an event to its write to the last subscriber; "
    "one observation for each event",
    buckets=_LATENCY,
)
CLOSE_TO_WRITE = Histogram(
    "headrace_fanout_close_to_write_seconds",
    "Seconds from the close of an event's ledger to the write of the event to the last subscriber; "
    "one observation for each event",
    buckets=_LATENCY,
)


def count_events(published: dict[str, int]) -> None:
    """Add the events in `published` to EVENTS, by source, and remove them from `published`.

    The feed calls this once a second. A call for each event would cost more.
    """
    for via, count in published.items():
        EVENTS.labels(via).inc(count)
    published.clear()
