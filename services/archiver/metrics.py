"""The archiver's Prometheus metrics and their label values."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import Counter, Gauge

from shared.runtime.metrics import at_zero

ALARMS = ("store", "gap", "behind", "damaged", "owner")
"""Kinds of alarms.

`store`: the object store does not answer or refuses. `gap`: events are missing in the archive for
ever, because the journal did not have them any more. `behind`: the journal ends below the archive,
because Redis lost events. `damaged`: something in the archive is not what it should be. `owner`:
the archive belongs to another network or contract.
"""

ACTIVE = Gauge("headrace_archiver_active", "1 while this archiver holds the lease")
EVENTS = Counter("headrace_archiver_events_total", "Events that were written to the archive")
SEGMENTS = Counter("headrace_archiver_segments_total", "Segments that were written")
BYTES = Counter("headrace_archiver_bytes_total", "Bytes of the segments that were written")
MERGED = Counter("headrace_archiver_merged_total", "Segments that were merged into larger ones")
DELETED = Counter(
    "headrace_archiver_deleted_total", "Segments that were deleted: merged ones, and too old ones"
)
STORE_ERRORS = Counter(
    "headrace_archiver_store_errors_total", "Calls of the object store that failed"
)
WRITTEN = Gauge(
    "headrace_archiver_written_seconds", "When a segment was written last, in Unix seconds"
)
LEDGER = Gauge(
    "headrace_archiver_ledger", "Ledger of the last archived position; 0 before the first one"
)
LAG = Gauge(
    "headrace_archiver_lag_seconds",
    "Seconds since the commit of the oldest event that is not archived; 0 if all are archived",
)
ALARM = at_zero(Gauge("headrace_archiver_alarm", "1 when an operator must look", ["kind"]), ALARMS)
"""One alert rule covers all kinds."""


def measure_lag(oldest: Callable[[], float | None], now: Callable[[], float | None]) -> None:
    """Compute the lag at each scrape. Both functions return Unix seconds, or None if unknown.

    `oldest`: when the oldest event that is not archived was committed; None if all are archived.
    """

    def lag() -> float:
        committed, now_seconds = oldest(), now()
        return max(0.0, now_seconds - committed) if committed and now_seconds else 0.0

    LAG.set_function(lag)
