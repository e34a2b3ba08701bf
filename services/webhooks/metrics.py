"""The dispatcher's Prometheus metrics and their label values."""

from __future__ import annotations

from enum import StrEnum

from prometheus_client import Counter, Gauge, Histogram

from shared.runtime.metrics import at_zero
from shared.webhooks.state import EndpointState


class Outcome(StrEnum):
    """How an attempt to deliver ended.

    `taken`: 2xx. `refused`: any other status, a redirect too. `gone`: 410. `timeout`: no answer
    in time. `unreachable`: no connection, TLS failed, or what came was no HTTP answer.
    `forbidden`: the address must not be reached. `unsigned`: no secret could be read, so nothing
    was sent.
    """

    TAKEN = "taken"
    REFUSED = "refused"
    GONE = "gone"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    FORBIDDEN = "forbidden"
    UNSIGNED = "unsigned"


class Lane(StrEnum):
    """Receivers that fail or are slow use connections of their own, so they delay no others."""

    HEALTHY = "healthy"
    SLOW = "slow"


ATTEMPTS = at_zero(
    Counter("headrace_webhook_attempts_total", "Attempts to deliver, by outcome", ["outcome"]),
    Outcome,
)
EVENTS = Counter("headrace_webhook_events_total", "Events that receivers acknowledged")
DISABLED = at_zero(
    Counter("headrace_webhook_disabled_total", "Endpoints that were disabled", ["reason"]),
    ("gone", "failed"),
)
ENDPOINTS = at_zero(
    Gauge("headrace_webhook_endpoints", "Endpoints of this dispatcher, by state", ["state"]),
    EndpointState,
)
PARTITIONS = Gauge("headrace_webhook_partitions", "Partitions that this dispatcher has")
IN_FLIGHT = at_zero(
    Gauge("headrace_webhook_in_flight", "Deliveries that wait for an answer", ["lane"]), Lane
)
LAG = Gauge(
    "headrace_webhook_lag_seconds",
    "Seconds since the commit of the oldest event that a receiver which answers has not got yet, "
    "or since its history cannot be read",
)
SECONDS = Histogram(
    "headrace_webhook_attempt_seconds",
    "Seconds of one attempt, from the request to the answer",
    buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)
