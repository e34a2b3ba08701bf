"""The indexer's metrics."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import Counter, Gauge

from services.indexer.reasons import SwitchReason
from shared.domain.events import EventType
from shared.runtime.metrics import at_zero

ERRORS = (
    *("unreachable", "dropped", "content_type", "in_band", "malformed", "disorder", "behind"),
    *("no_ledger", "missing"),
    *("rpc_timeout", "rpc_error", "meta_missing", "unproved", "undecodable", "gap"),
    *("status_429", "status_500", "status_502", "status_503", "status_504"),
)
"""Kinds of failures that pass by themselves. Other HTTP statuses become `status_…` kinds too."""
ALARMS = (
    *("passphrase", "start", "reset", "gap", "disorder", "meta_missing"),
    *("unproved", "sources_differ", "namespace"),
    *("bad_request", "not_found", "not_acceptable", "before_history"),
)
"""Kinds of alarms, each with its row in docs/operations.md."""
_SOURCES = ("horizon", "rpc")

ACTIVE = Gauge("headrace_indexer_active", "1 while this indexer holds the lease")
CURSOR_LEDGER = Gauge("headrace_indexer_cursor_ledger", "Last ledger committed")
NETWORK_LEDGER = Gauge("headrace_indexer_network_ledger", "Last ledger the source knows")
LEDGER_CLOSED = Gauge("headrace_indexer_ledger_closed_seconds", "Close of the last ledger, Unix")
LAG_LEDGERS = Gauge("headrace_indexer_lag_ledgers", "Ledgers not read yet; of a backfill too")
LAG_SECONDS = Gauge("headrace_indexer_lag_seconds", "Age of the last ledger committed")
EVENTS = at_zero(
    Counter("headrace_indexer_events_total", "Events committed, by type", ["type"]), EventType
)
SEEN = Counter("headrace_indexer_events_seen_total", "Events that the journal had already")
UNPROVED = Counter("headrace_indexer_unproved_total", "Transactions kept without their proof")
DECODE_FAILURES = Counter(
    "headrace_indexer_decode_failures_total", "XDR that could not be decoded, first reads too"
)
DEAD_LETTERS = Counter("headrace_indexer_dead_letters_total", "Undecodable events kept raw")
SOURCE = Gauge("headrace_indexer_source", "1 for the source that is read", ["source"])
SOURCE_ERRORS = at_zero(
    Counter("headrace_indexer_source_errors_total", "Failures of the source", ["kind"]), ERRORS
)
SWITCHES = at_zero(
    Counter("headrace_indexer_switches_total", "Switches to a source, and why", ["to", "why"]),
    _SOURCES,
    SwitchReason,
)
RECONCILIATIONS = at_zero(
    Counter("headrace_indexer_reconciliations_total", "Comparisons of both sources", ["outcome"]),
    ("same", "differs", "failed"),
)
MISSING = at_zero(
    Counter("headrace_indexer_missing_ledgers_total", "Ledgers that a source lacked", ["outcome"]),
    ("filled", "lost"),
)
ALARM = at_zero(Gauge("headrace_indexer_alarm", "1 when an operator has to look", ["kind"]), ALARMS)
"""Kinds are few and named in docs/operations.md; an alert rule fires on any of them."""

_OLD_SECONDS = 30.0
"""Seconds; RPC calls itself unhealthy when its last ledger is older (stellar-rpc's default)."""
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


def at_tip(latest: int, closed_at: float) -> None:
    """Everything is read up to the source's last ledger, which closed at that Unix time."""
    global _closed_at  # noqa: PLW0603 - as above
    NETWORK_LEDGER.set(latest)
    _closed_at = max(_closed_at, closed_at)


def old_tip(now: float | None) -> str | None:
    """A note for the operator while the last ledger that was read is old, else None.

    `now` in Unix seconds; None while the time is not known.
    """
    age = 0.0 if now is None else now - _closed_at
    if not _closed_at or age <= _OLD_SECONDS:
        return None
    return (
        f"the last ledger that was read closed {age:.0f} s ago: the network stands still, the "
        "source lags, or a backfill goes on; reading continues"
    )


def measure_lag(now: Callable[[], float | None]) -> None:
    """Compute the lag by this clock when it is scraped (Unix seconds; None while not known)."""

    def lag() -> float:
        now_seconds = now()
        return max(0.0, now_seconds - _closed_at) if _closed_at and now_seconds else 0.0

    LAG_SECONDS.set_function(lag)
