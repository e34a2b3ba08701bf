"""Traces: one trace for each event, from its commit to the last write of every fanout.

Events carry no trace ids. The ids of the commit's span are a hash of the event's position. A fanout
computes the same hash and uses it as the parent of its own span.

Traces need the extra `otel` and OTEL_EXPORTER_OTLP_ENDPOINT. Without them the calls do nothing.

See docs/decisions/0027-trace-id-from-the-position.md.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import Protocol

import structlog

log = structlog.get_logger()

clock = time.time_ns
"""Unix nanoseconds, the unit of span times."""


class Recorder(Protocol):
    """Records spans (implemented by shared.runtime.otel)."""

    def commit(self, position: str, kind: str, began: int) -> None:
        """Record the commit of an event by a call that began at `began` (Unix nanoseconds)."""
        ...

    def delivery(self, position: str, kind: str, began: int, ended: int, reached: int) -> None:
        """Record that an event was published at `began`, and written to `reached` subscribers.

        `ended` is the time of the last write. Both times are in Unix nanoseconds.
        """
        ...


_recorder: Recorder | None = None


def start_tracing() -> None:
    """Start tracing if it is configured. Call it before the application is built."""
    global _recorder  # noqa: PLW0603 - one recorder for the process, like in OpenTelemetry
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return
    try:
        from shared.runtime.otel import record  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        log.warning("traces_off", meaning=f"no traces: run `pip install headrace[otel]` ({error})")
        return
    _recorder = record()


def record_commits(events: Iterable[tuple[str, str]], began: int) -> None:
    """Record the commit of events, each given as position and type."""
    if _recorder is not None:
        for position, kind in events:
            _recorder.commit(position, kind, began)


def record_delivery(
    position: str, kind: str, published_at: float, written_at: float, reached: int
) -> None:
    """Record that a live event was written to all its subscribers. Both times: Unix seconds."""
    if _recorder is not None:
        began, ended = (round(at * 1e6) * 1000 for at in (published_at, written_at))
        _recorder.delivery(position, kind, began, ended, reached)
