"""When a delivery that failed is tried again, and when an endpoint is given up. Pure.

The waits are exponential with full jitter: a random part of a bound that doubles with each failure.
Times are Unix seconds.
"""

from __future__ import annotations

from dataclasses import replace

from shared.webhooks.progress import Progress

MOST_SECONDS = 3_600.0
"""The longest wait, also for a receiver that asks for a longer one with Retry-After."""
_DAY = 86_400.0


def wait_bound(failures: int) -> float:
    """The longest wait after so many failures in a row: 1, 2, 4, … up to 3,600 seconds."""
    return min(MOST_SECONDS, 2.0 ** min(max(0, failures - 1), 12))


def wait_seconds(failures: int, chance: float, retry_after: float | None) -> float:
    """The wait after this failure. `chance` is a random number from 0 to 1.

    `retry_after` is what the receiver asked for, in seconds: a lower bound.
    """
    wait = chance * wait_bound(failures)
    return max(wait, min(retry_after or 0.0, MOST_SECONDS))


def failed(progress: Progress, now: float, chance: float, retry_after: float | None) -> Progress:
    """The progress after one more attempt that failed."""
    failures = progress.failures + 1
    return replace(
        progress,
        failures=failures,
        failing_since=now if progress.failing_since is None else progress.failing_since,
        retry_at=now + wait_seconds(failures, chance, retry_after),
    )


def succeeded(progress: Progress) -> Progress:
    """The progress after a delivery that was acknowledged."""
    if not progress.failures and progress.retry_at is None:
        return progress
    return replace(progress, failures=0, failing_since=None, retry_at=None)


def is_given_up(progress: Progress, now: float, days: float) -> bool:
    """True if the endpoint has only failed for so many days."""
    return progress.failing_since is not None and now - progress.failing_since >= days * _DAY
