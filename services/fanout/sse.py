"""The bytes that a subscriber receives: the head of the response, and each SSE frame.

Pure. A frame is `event:`, `data:`, `id:` and a blank line. The frames of events contain the body of
the journal entry. The other frames are the fanout's own: connected, sync, gap, reset, overload,
token_expiring, goodbye. Rules for all frames, from the way that browsers parse them (WHATWG HTML,
9.2.6; docs/events.md):

* `data:` is one line of JSON;
* `id:` is the last field: if the connection breaks inside a frame, no client takes over the id of
  an event that it did not get completely;
* `retry:` and `id:` are sent only in a frame with data, since some libraries ignore other frames.

See docs/decisions/0006-id-comes-last.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import orjson

from shared.domain.events import EventType
from shared.domain.instant import utc_text
from shared.domain.position import Position
from shared.journal.wire import HISTORY_URL, JournalEntry
from shared.web.problems import Goodbye

RESPONSE_HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"Content-Type: text/event-stream\r\n"
    b"Cache-Control: no-store, no-transform\r\n"
    b"X-Content-Type-Options: nosniff\r\n"
    b"X-Accel-Buffering: no\r\n"
    b"Connection: close\r\n"
)
"""The head of the response without its blank line.

It has no Content-Length and is not chunked, so the body ends when the connection ends.
"""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t -~]*")

_EVENT = b"event: %b\ndata: %b\nid: %b\n\n"
_EVENT_SIZE = len(_EVENT % (b"", b"", b""))
_LOSSES: Mapping[str, str] = {EventType.CHAIN_GAP: "gap", EventType.JOURNAL_RESET: "reset"}


def response_head(headers: Sequence[tuple[str, str]]) -> bytes:
    """The whole head of the response, with additional headers (name and value of each).

    This is the only function that writes a head by hand. Raises ValueError if a name or value has
    characters outside of RFC 9110 5.5. For example, CR or LF would begin a header or the body.
    """
    for name, value in headers:
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise ValueError(f"header {name!r}: expected visible ASCII, spaces and tabs")
    return RESPONSE_HEAD + b"".join(f"{k}: {v}\r\n".encode() for k, v in headers) + b"\r\n"


def frame(event: str, data: bytes, position: str | None) -> bytes:
    """One frame. Without `event` it has no `event:` line, without `position` no `id:` line.

    No argument can contain a line break or NUL: `event` is an event type, `position` is
    `<toid>-<n>`, and `data` is JSON.
    """
    name = f"event: {event}\n".encode() if event else b""
    last = f"id: {position}\n".encode() if position else b""
    return b"%bdata: %b\n%b\n" % (name, data, last)


def join_frames(frames: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Whole frames, joined into chunks of at most `size` bytes. A longer frame is one chunk."""
    chunk: list[bytes] = []
    length = 0
    for each in frames:
        if chunk and length + len(each) > size:
            yield b"".join(chunk)
            chunk, length = [], 0
        chunk.append(each)
        length += len(each)
    if chunk:
        yield b"".join(chunk)


def event_frame(entry: JournalEntry) -> bytes:
    """The frame of a committed event: the same bytes for every subscriber.

    The two events about losses are named `gap` and `reset`, like the fanout's own frames.
    """
    return _EVENT % (_event_name(entry).encode(), entry.body, entry.position.encode())


def event_frame_size(entry: JournalEntry) -> int:
    """The bytes of `event_frame(entry)`, without making it."""
    return _EVENT_SIZE + len(_event_name(entry)) + len(entry.body) + len(entry.position)


def _event_name(entry: JournalEntry) -> str:
    return _LOSSES.get(entry.type, entry.type)


def connected(
    client_id: str, subscriptions: Sequence[str], position: Position, retry: int
) -> bytes:
    """The first frame of each connection. `retry` is in milliseconds.

    The frame has no event name, so clients receive it as `message`. This was the same for every
    event before events had names.
    """
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
    """Says that all events for this subscriber up to `position` were sent. Also the heartbeat.

    Without a position the frame is only a heartbeat, and the client's cursor stays the same.
    `closed_at` is in Unix seconds, `lag` in seconds.
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
    """Says that the client does not get the events after `after`, up to and including `to`.

    `historyUrl` has the events that still exist. /v1/streams has the current state.
    """
    data = {"from": str(after), "to": str(to), "historyUrl": HISTORY_URL}
    return frame("gap", orjson.dumps(data), str(to))


def reset(position: Position, why: str) -> bytes:
    """Tells the client to load the state again. The next events are those after `position`."""
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
    """Says that the connection ends at `at` (Unix seconds). Reconnect with a new token before."""
    return frame("token_expiring", orjson.dumps({"at": at}), None)


def goodbye(reason: Goodbye, retry: int) -> bytes:
    """Says that the server closes the connection now. Reconnect after `retry` milliseconds."""
    data = orjson.dumps({"reason": reason, "retry": retry})
    return b"retry: %d\n" % retry + frame("goodbye", data, None)
