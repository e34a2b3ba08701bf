"""The frames that are the fanout's own: connected, sync, gap, reset, overload, goodbye.

Pure. Events themselves are framed once in `shared.journal.wire`. Rules of the wire
(docs/events.md): data is one line of JSON, `id:` comes last, `retry:` only inside a real event, the
cursor travels on a named event with data.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from shared.domain.instant import utc_text
from shared.domain.position import Position
from shared.journal.wire import HISTORY_URL, frame
from shared.web.problems import Goodbye

HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"Content-Type: text/event-stream\r\n"
    b"Cache-Control: no-store, no-transform\r\n"
    b"X-Accel-Buffering: no\r\n"
    b"Connection: close\r\n"
)
"""The answer's head without its blank line: the body ends where the connection does."""


def head(headers: Sequence[tuple[str, str]]) -> bytes:
    """The whole head, with CORS headers of this request."""
    return (
        HEAD
        + b"".join(f"{k}: {v}\r\n".encode(errors="surrogateescape") for k, v in headers)
        + b"\r\n"
    )


def connected(
    client_id: str, subscriptions: Sequence[str], position: Position, retry: int
) -> bytes:
    """The first frame, unnamed as the first clients of these events expect it."""
    data = {
        "type": "connected",
        "clientId": client_id,
        "subscriptions": list(subscriptions),
        "position": str(position),
    }
    return b"retry: %d\n" % retry + frame("", orjson.dumps(data), str(position))


def sync(
    position: Position | None, ledger: int | None, closed_at: float | None, lag: float | None
) -> bytes:
    """Everything up to `position` that is the subscriber's has been sent; also the heartbeat.

    Without a position it is the heartbeat only, and the subscriber's cursor stays.
    """
    place = None if position is None else str(position)
    data = {
        "position": place,
        "ledger": ledger,
        "ledgerClosedAt": None if closed_at is None else utc_text(closed_at),
        "lagSeconds": None if lag is None else round(lag, 1),
    }
    return frame("sync", orjson.dumps(data), place)


def gap(after: Position, to: Position) -> bytes:
    """The events after `after` up to and including `to` are not in the journal any more.

    What is still there is had from `historyUrl`, the state as it is now from /v1/streams.
    """
    data = {"from": str(after), "to": str(to), "historyUrl": HISTORY_URL}
    return frame("gap", orjson.dumps(data), str(to))


def reset(position: Position, why: str) -> bytes:
    """The client's position means nothing here: reload, then go on from `position`."""
    return frame("reset", orjson.dumps({"position": str(position), "reason": why}), str(position))


def overload(why: str, retry: int, resume: Position | None = None) -> bytes:
    """An answer that a native EventSource survives: it comes back after `retry` milliseconds.

    `resume` is the position that was asked for, sent back as the frame's id: some client libraries
    forget their last id when a connection brings none.
    """
    data = orjson.dumps({"reason": why, "retry": retry})
    place = None if resume is None else str(resume)
    return b"retry: %d\n" % retry + frame("overload", data, place)


def token_expiring(at: float | None) -> bytes:
    """The connection will end at `at` (Unix seconds) unless it is begun anew with another token."""
    return frame("token_expiring", orjson.dumps({"at": at}), None)


def goodbye(reason: Goodbye, retry: int) -> bytes:
    """The server is about to close; the client may come back after `retry` milliseconds."""
    data = orjson.dumps({"reason": reason, "retry": retry})
    return b"retry: %d\n" % retry + frame("goodbye", data, None)
