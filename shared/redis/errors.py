"""Errors of Redis: which of them mean that a server is not the primary, or refuses to write.

See docs/decisions/0031-connections-find-the-primary.md.
"""

from __future__ import annotations

from redis.asyncio.connection import DefaultParser
from redis.exceptions import (
    AskError,
    ClusterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

_NOT_PRIMARY_ERRORS = (AskError, ClusterDownError, ReadOnlyError, TryAgainError)
"""Errors of a server that is not the primary.

MOVED and MASTERDOWN are covered: redis-py's errors for them are subclasses of AskError and
ClusterDownError.
"""

_REFUSAL_REASONS = {
    "OOM": "its memory is full (maxmemory)",
    "MISCONF": "it cannot write to its disk",
    "NOREPLICAS": "too few replicas follow it (min-replicas-to-write)",
}


class WriteRefusedError(ResponseError):
    """Redis answers but refuses to write, because of its memory, its disk or its replicas.

    Nothing was written. The connection is closed, because the replicas may follow a new primary.
    """


CLOSING_ERRORS = (RedisConnectionError, WriteRefusedError)
"""Errors that close a connection."""


def parse_error(text: str) -> Exception:
    """Turn the text of an error reply into the error that callers handle (`translate_error`)."""
    return translate_error(DefaultParser.parse_error(text))  # type: ignore[no-untyped-call]


def translate_error(error: Exception) -> Exception:
    """Translate an error that redis-py parsed into the error that callers handle.

    RedisConnectionError: the server is not the primary. WriteRefusedError: it refuses to write.
    Other errors are returned unchanged.
    """
    text = str(error)
    if isinstance(error, _NOT_PRIMARY_ERRORS) or "non local key" in text:
        return RedisConnectionError(f"this server is not the primary: {text}")
    code = "OOM" if isinstance(error, OutOfMemoryError) else text.partition(" ")[0]
    if isinstance(error, ResponseError) and code in _REFUSAL_REASONS:
        return WriteRefusedError(f"Redis refuses to write: {_REFUSAL_REASONS[code]}")
    return error
