"""At most ten log lines a second of each kind, so that nobody outside can fill the logs.

Requests and connections from outside cause most lines. Of each kind, the lines above the limit are
counted, and the next line of this kind says how many were left out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import MutableMapping
from typing import Any

import structlog

from shared.runtime.token_bucket import TokenBucket

_LINES_PER_SECOND = 10
_UNLIMITED = frozenset({"audit"})
"""Only admins cause these lines, and none of them may be missing."""


class LineLimit:
    """The limit of each kind of line. There must be a bounded number of kinds."""

    def __init__(self) -> None:
        self._buckets: dict[str, TokenBucket] = {}
        self._left_out: dict[str, int] = {}

    def left_out(self, kind: str) -> int | None:
        """How many lines of this kind were left out before this one. None: leave it out too."""
        if kind not in self._buckets:
            self._buckets[kind] = TokenBucket(_LINES_PER_SECOND)
        if self._buckets[kind].take(time.monotonic()):
            return self._left_out.pop(kind, 0)
        self._left_out[kind] = self._left_out.get(kind, 0) + 1
        return None


_EVENTS = LineLimit()


def limit_events(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of structlog. The kind of a line is its event, which no client can choose.

    Raises DropEvent for a line above the limit.
    """
    event = line["event"]
    if event in _UNLIMITED:
        return line
    count = _EVENTS.left_out(event)
    if count is None:
        raise structlog.DropEvent
    if count:
        line["not_logged_before"] = count
    return line


class LineLimitFilter(logging.Filter):
    """The same for Python's own logging, which libraries use. The kind of a line is its logger."""

    def __init__(self) -> None:
        super().__init__()
        self._limit = LineLimit()

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a line above the limit."""
        count = self._limit.left_out(record.name)
        if count:
            record.msg = f"{record.getMessage()} ({count} lines of {record.name} not logged before)"
            record.args = ()
        return count is not None
