"""The fanout's own frames: connected, sync, gap, reset, overload, token_expiring, goodbye.

Pure. Frames of events are made once, in `shared.journal.wire`. Rules of the wire (docs/events.md):
data is one line of JSON, `id:` comes last, `retry:` appears only in a frame with data, and a cursor
is sent only with a named event that has data.

See docs/decisions/0006-id-comes-last.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from shared.domain.instant import utc_text
from shared.domain.position import Position
from shared.journal.wire import HISTORY_URL, frame
from shared.web.problems import Goodbye

RESPONSE_HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"Content-Type: text/event-stream\r\n"
    b"Cache-Control: no-store, no-transform\r\n"
    b"X-Accel-Buffering: no\r\n"
    b"Connection: close\r\n"
)
"""The head of the answer without its blank line. The body ends when the connection ends."""


def response_head(headers: Sequence[tuple[str, str]]) -> bytes:
    """The whole head, with the CORS headers of this request."""
    return (
        RESPONSE_HEAD
        + b"".join(f"{k}: {v}\r\n".encode(errors="surrogateescape") for k, v in headers)
        + b"\r\n"
    )


def connected(
    client_id: str, subscriptions: Sequence[str], position: Position, retry: int
) -> bytes:
    """The first frame. It has no event name, because the first clients expect it so."""
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
    """Everything for this subscriber up to `position` has been sent. Also the heartbeat.

    Without a position it is only a heartbeat, and the subscriber's cursor stays the same.
    """
    event_id = None if position is None else str(position)
    data = {
        "position": event_id,
        "ledger": ledger,
        "ledgerClosedAt": None if closed_at is None else utc_text(closed_at),
        "lagSeconds": None if lag is None else round(lag, 1),
    }
    return frame("sync", orjson.dumps(data), event_id)


def gap(after: Position, to: Position) -> bytes:
    """The events after `after`, up to and including `to`, are no longer in the journal.

    `historyUrl` has the events that still exist. /v1/streams has the current state.
    """
    data = {"from": str(after), "to": str(to), "historyUrl": HISTORY_URL}
    return frame("gap", orjson.dumps(data), str(to))


def reset(position: Position, why: str) -> bytes:
    """The client's position is not valid here: reload the state, then continue from `position`."""
    return frame("reset", orjson.dumps({"position": str(position), "reason": why}), str(position))


def overload(why: str, retry: int, resume: Position | None = None) -> bytes:
    """A refusal that a native EventSource survives: it reconnects after `retry` milliseconds.

    `resume` is the position that the client asked for. It is sent back as the id, because some
    client libraries forget their last id when a connection brings none.
    """
    data = orjson.dumps({"reason": why, "retry": retry})
    event_id = None if resume is None else str(resume)
    return b"retry: %d\n" % retry + frame("overload", data, event_id)


def token_expiring(at: float | None) -> bytes:
    """The connection will end at `at` (Unix seconds) unless it is opened again with a new token."""
    return frame("token_expiring", orjson.dumps({"at": at}), None)


def goodbye(reason: Goodbye, retry: int) -> bytes:
    """The server is about to close the connection. Reconnect after `retry` milliseconds."""
    data = orjson.dumps({"reason": reason, "retry": retry})
    return b"retry: %d\n" % retry + frame("goodbye", data, None)
