"""At most ten log lines a second of each kind, so that nobody outside can fill the logs.

Requests and connections from outside cause most lines. Of each kind, the lines above the limit are
counted, and the next line of this kind says how many were left out. Reason and type of exception
belong to the kind, so that a flood with one of them does not hide the others.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Hashable, MutableMapping
from enum import Enum
from typing import Any

import structlog

from shared.runtime.token_bucket import TokenBucket

_LINES_PER_SECOND = 10
_UNLIMITED = frozenset({"audit"})
"""Only admins cause these lines, and none of them may be missing."""


class LineLimit:
    """The limit of each kind of line. There must be a bounded number of kinds."""

    def __init__(self) -> None:
        self._buckets: dict[Hashable, TokenBucket] = {}
        self._left_out: dict[Hashable, int] = {}

    def left_out(self, kind: Hashable) -> int | None:
        """How many lines of this kind were left out before this one. None: leave it out too."""
        if kind not in self._buckets:
            self._buckets[kind] = TokenBucket(_LINES_PER_SECOND)
        if self._buckets[kind].take(time.monotonic()):
            return self._left_out.pop(kind, 0)
        self._left_out[kind] = self._left_out.get(kind, 0) + 1
        return None


_EVENTS = LineLimit()


def limit_events(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of structlog. Raises DropEvent for a line above the limit.

    The kind of a line is its event, its reason and the type of its exception. A reason counts only
    if it is a member of an Enum, so that no client can make new kinds.
    """
    event, reason = line["event"], line.get("reason")
    if event in _UNLIMITED:
        return line
    known = reason if isinstance(reason, Enum) else None
    count = _EVENTS.left_out((event, known, _exception_type(line.get("exc_info"))))
    if count is None:
        raise structlog.DropEvent
    if count:
        line["not_logged_before"] = count
    return line


def _exception_type(exc_info: object) -> str:
    """The name of the type of the exception that is logged; empty if there is none."""
    match exc_info:
        case BaseException():
            error: object = exc_info
        case (_, error, _):
            pass
        case _:
            error = sys.exception() if exc_info else None
    return "" if error is None else f"{type(error).__module__}.{type(error).__qualname__}"


class LineLimitFilter(logging.Filter):
    """The same for Python's own logging, which libraries use.

    The kind of a line is its logger and the type of its exception.
    """

    def __init__(self) -> None:
        super().__init__()
        self._limit = LineLimit()

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a line above the limit."""
        count = self._limit.left_out((record.name, _exception_type(record.exc_info)))
        if count:
            record.msg = f"{record.getMessage()} ({count} lines of {record.name} not logged before)"
            record.args = ()
        return count is not None
