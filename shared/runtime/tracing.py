"""Traces: one for each event, from its commit to the last write of every fanout.

Nothing is carried for it. The ids of the commit's span are a hash of the event's position, which
both sides know, so a fanout names it as the parent of its own without having been told.

With the extra `otel` and OTEL_EXPORTER_OTLP_ENDPOINT, else all of this does nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import Protocol

import structlog

log = structlog.get_logger()

clock = time.time_ns
"""Unix nanoseconds, as spans have them."""


class Recorder(Protocol):
    """What takes spans (shared.runtime.otel)."""

    def commit(self, position: str, kind: str, began: int) -> None:
        """The event was committed by a call that began at `began`."""
        ...

    def delivery(self, position: str, kind: str, began: int, reached: int) -> None:
        """The event, published at `began`, has been written to so many subscribers."""
        ...


_recorder: Recorder | None = None


def start_tracing() -> None:
    """Switch tracing on where it is wanted; before the application is built."""
    global _recorder  # noqa: PLW0603 - one for the process, as OpenTelemetry has it
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return
    try:
        from shared.runtime.otel import record  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        log.warning("traces_off", meaning=f"`pip install headrace[otel]` first: {error}")
        return
    _recorder = record()


def record_commits(events: Iterable[tuple[str, str]], began: int) -> None:
    """Events were committed, each given as position and type."""
    if _recorder is not None:
        for position, kind in events:
            _recorder.commit(position, kind, began)


def record_delivery(position: str, kind: str, published_at: float, reached: int) -> None:
    """A live event has been written to everyone; `published_at` in Unix seconds."""
    if _recorder is not None:
        _recorder.delivery(position, kind, round(published_at * 1e6) * 1000, reached)
