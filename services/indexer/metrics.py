"""The indexer's Prometheus metrics and their label values."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import Counter, Gauge

from services.indexer.reasons import SwitchReason
from shared.domain.events import EventType
from shared.runtime.metrics import at_zero

ERRORS = (
    *("unreachable", "dropped", "content_type", "in_band", "malformed", "disorder", "behind"),
    *("no_ledger", "no_contract", "missing", "too_old"),
    *("rpc_timeout", "rpc_error", "meta_missing", "unproved", "undecodable", "gap"),
    *("status_429", "status_500", "status_502", "status_503", "status_504"),
)
"""Kinds of failures that are exported as 0 from the start. Other HTTP statuses add `status_…`."""
ALARMS = (
    *("passphrase", "start", "reset", "gap", "disorder", "meta_missing"),
    *(
        "unproved",
        "sources_differ",
        "state_differs",
        "records_unreadable",
        "namespace",
        "rpc_too_old",
    ),
    *("bad_request", "not_found", "not_acceptable", "before_history"),
)
"""Kinds of alarms. docs/operations/indexer.md has one row for each."""
_SOURCES = ("horizon", "rpc")

ACTIVE = Gauge("headrace_indexer_active", "1 while this indexer holds the lease")
CURSOR_LEDGER = Gauge("headrace_indexer_cursor_ledger", "Number of the last committed ledger")
NETWORK_LEDGER = Gauge("headrace_indexer_network_ledger", "Number of the source's last ledger")
LEDGER_CLOSED = Gauge(
    "headrace_indexer_ledger_closed_seconds",
    "Close time of the last committed ledger, in Unix seconds",
)
LAG_LEDGERS = Gauge(
    "headrace_indexer_lag_ledgers", "Ledgers of the source that are not committed yet"
)
LAG_SECONDS = Gauge(
    "headrace_indexer_lag_seconds", "Seconds since the close of the last ledger that was read"
)
EVENTS = at_zero(
    Counter("headrace_indexer_events_total", "Committed events, by type", ["type"]), EventType
)
SEEN = Counter("headrace_indexer_events_seen_total", "Events that were already in the journal")
UNPROVED = Counter(
    "headrace_indexer_unproved_total",
    "Transactions whose events are kept although their proof failed",
)
DECODE_FAILURES = Counter(
    "headrace_indexer_decode_failures_total", "Failed decodings; a second read may have succeeded"
)
DEAD_LETTERS = Counter(
    "headrace_indexer_dead_letters_total", "Events that could not be decoded and are kept raw"
)
SOURCE = Gauge("headrace_indexer_source", "1 for the active source", ["source"])
SOURCE_ERRORS = at_zero(
    Counter("headrace_indexer_source_errors_total", "Failures of the source, by kind", ["kind"]),
    ERRORS,
)
SWITCHES = at_zero(
    Counter("headrace_indexer_switches_total", "Switches to a source, by reason", ["to", "why"]),
    _SOURCES,
    SwitchReason,
)
RECONCILIATIONS = at_zero(
    Counter(
        "headrace_indexer_reconciliations_total",
        "Comparisons of the journal with the inactive source, by outcome",
        ["outcome"],
    ),
    ("same", "differs", "failed"),
)
MISSING = at_zero(
    Counter(
        "headrace_indexer_missing_ledgers_total",
        "Ledgers that a source lacked: filled by the other source, or lost",
        ["outcome"],
    ),
    ("filled", "lost"),
)
CONTRACT_STREAMS = Gauge(
    "headrace_indexer_contract_streams", "Streams that the contract has created, at the last audit"
)
EQUAL_STREAMS = Gauge(
    "headrace_indexer_equal_streams",
    "Streams whose stored state was equal to the contract's, or loaded from it, at the last audit",
)
ARCHIVED_STREAMS = Gauge(
    "headrace_indexer_archived_streams",
    "Streams whose record in the contract's storage was archived, at the last audit",
)
AUDIT_LEDGER = Gauge(
    "headrace_indexer_audit_ledger", "Ledger as of which the last audit compared the streams"
)
AUDITS = at_zero(
    Counter("headrace_indexer_audits_total", "Rounds of the audit, by outcome", ["outcome"]),
    ("same", "differs", "failed"),
)
TOKEN_READS = at_zero(
    Counter(
        "headrace_indexer_token_reads_total",
        "Tokens whose symbol, name and decimals were read, and failed calls for them",
        ["outcome"],
    ),
    ("read", "failed"),
)
UPSTREAM = Gauge(
    "headrace_indexer_upstream_info",
    "Always 1; the labels are the versions that a server last reported for itself and its core",
    ["server", "version", "core"],
)
PROTOCOL = Gauge(
    "headrace_indexer_protocol", "Protocol of the network, as a server last reported it", ["server"]
)
ALARM = at_zero(Gauge("headrace_indexer_alarm", "1 when an operator must look", ["kind"]), ALARMS)
"""The kinds are listed in docs/operations/indexer.md. One alert rule covers all kinds."""

_OLD_SECONDS = 30.0
"""Seconds. A last ledger that closed longer ago is reported. stellar-rpc has the same default."""
_closed_at = 0.0


def record_commit(ledger: int, closed_at: float | None, latest: int) -> None:
    """Record in the metrics that everything up to `ledger` is committed.

    `closed_at`: when that ledger closed, in Unix seconds. `latest`: the source's last ledger.
    """
    global _closed_at  # noqa: PLW0603 - a gauge reads it at each scrape
    latest = max(latest, ledger)
    CURSOR_LEDGER.set(ledger)
    NETWORK_LEDGER.set(latest)
    LAG_LEDGERS.set(latest - ledger)
    if closed_at is not None:
        _closed_at = closed_at
        LEDGER_CLOSED.set(closed_at)


def record_tip(latest: int, closed_at: float) -> None:
    """Record that `latest`, the last ledger, is read. `closed_at`: its close in Unix seconds."""
    global _closed_at  # noqa: PLW0603 - as above
    NETWORK_LEDGER.set(latest)
    _closed_at = max(_closed_at, closed_at)


def record_version(server: str, version: str, core: str, protocol: int) -> None:
    """Replace what `server` reported before. `protocol` 0: the server did not report it."""
    UPSTREAM.remove_by_labels({"server": server})
    UPSTREAM.labels(server, version, core).set(1)
    PROTOCOL.labels(server).set(protocol)


def old_ledger_note(now: float | None) -> str | None:
    """Return a note if the last ledger that was read closed more than 30 s ago, else None.

    `now` is in Unix seconds, None while the time is unknown.
    """
    age = 0.0 if now is None else now - _closed_at
    if not _closed_at or age <= _OLD_SECONDS:
        return None
    return (
        f"the last ledger that was read closed {age:.0f} s ago: the network has stopped, the "
        "source lags, or a backfill is running; the indexer continues"
    )


def measure_lag(now: Callable[[], float | None]) -> None:
    """Compute the lag at each scrape. `now` returns Unix seconds, or None if unknown."""

    def lag() -> float:
        now_seconds = now()
        return max(0.0, now_seconds - _closed_at) if _closed_at and now_seconds else 0.0

    LAG_SECONDS.set_function(lag)
