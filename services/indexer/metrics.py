"""The indexer's metrics."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import Counter, Gauge

ACTIVE = Gauge("headrace_indexer_active", "1 while this indexer holds the lease")
CURSOR_LEDGER = Gauge("headrace_indexer_cursor_ledger", "Last ledger committed")
NETWORK_LEDGER = Gauge("headrace_indexer_network_ledger", "Last ledger the source knows")
LEDGER_CLOSED = Gauge("headrace_indexer_ledger_closed_seconds", "Close of the last ledger, Unix")
LAG_LEDGERS = Gauge("headrace_indexer_lag_ledgers", "Ledgers not read yet; of a backfill too")
LAG_SECONDS = Gauge("headrace_indexer_lag_seconds", "Age of the last ledger committed")
EVENTS = Counter("headrace_indexer_events_total", "Events committed, by type", ["type"])
SEEN = Counter("headrace_indexer_events_seen_total", "Events that the journal had already")
UNPROVED = Counter("headrace_indexer_unproved_total", "Transactions kept without their proof")
DECODE_FAILURES = Counter(
    "headrace_indexer_decode_failures_total", "XDR that could not be decoded, first reads too"
)
DEAD_LETTERS = Counter("headrace_indexer_dead_letters_total", "Undecodable events kept raw")
SOURCE = Gauge("headrace_indexer_source", "1 for the source that is read", ["source"])
SOURCE_ERRORS = Counter("headrace_indexer_source_errors_total", "Failures of the source", ["kind"])
SWITCHES = Counter(
    "headrace_indexer_switches_total", "Switches to a source, and why", ["to", "why"]
)
RECONCILIATIONS = Counter(
    "headrace_indexer_reconciliations_total", "Comparisons of the sources, by outcome", ["outcome"]
)
ALARM = Gauge("headrace_indexer_alarm", "1 when an operator has to look", ["kind"])
"""Kinds are few and named in docs/operations.md; an alert rule fires on any of them."""

_closed_at = 0.0


def committed(ledger: int, closed_at: float | None, latest: int) -> None:
    """Tell of a commit: up to which ledger, its close in Unix seconds, the source's last one."""
    global _closed_at  # noqa: PLW0603 - the gauge below is read whenever someone asks
    latest = max(latest, ledger)
    CURSOR_LEDGER.set(ledger)
    NETWORK_LEDGER.set(latest)
    LAG_LEDGERS.set(latest - ledger)
    if closed_at is not None:
        _closed_at = closed_at
        LEDGER_CLOSED.set(closed_at)


def measure_lag(now: Callable[[], float | None]) -> None:
    """Let the lag grow by this clock (Unix seconds, None while not known), ledgers or not."""

    def lag() -> float:
        moment = now()
        return max(0.0, moment - _closed_at) if _closed_at and moment else 0.0

    LAG_SECONDS.set_function(lag)
