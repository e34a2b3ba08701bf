r"""The wire: an event as body, journal entry, message and SSE frame; a stream as document.

Everything that Headrace writes or reads about an event goes through here, so it is one format:

* **body**: the event's JSON, one line, encoded once by the committer and never again. What only the
  commit knows (`id`, `publishedAt`, the stream's `position`) is put in by its script, at the two
  places that `encode` leaves for it.
* **head**: `<type> <topic> <topic> …`, what a fanout needs to route without reading the body.
* **entry** in the journal: fields `p` (position of the entry before), `h` (head), `b` (body).
* **message** on the channel: `<namespace> <previous> <position> <head>\n<body>`.
* **frame**: `event:`, `data:`, `id:` last, blank line, so that a frame cut off by a closed
  connection never moves the cursor of a sloppy client (WHATWG HTML 9.2.6; docs/decisions.md 6).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from shared.domain.events import Event, EventType, Origin
from shared.domain.instant import unix_seconds
from shared.domain.stream import Stream, StreamStatus, claimable, end_time


class JournalEntry(NamedTuple):
    """A committed event as the journal and the channel carry it."""

    position: str
    previous: str
    type: str
    topics: tuple[str, ...]
    body: bytes


_NAMES: Mapping[str, str] = {EventType.CHAIN_GAP: "gap", EventType.JOURNAL_RESET: "reset"}

HISTORY_URL = "/v1/events"
"""Where a client that missed something reads what is still kept; the state is at /v1/streams."""

_ENDING = (None, "48h", "24h", "depleted")
"""How near its end a stream is known to be (shared.domain.stream.NOTICE_THRESHOLDS)."""

# Of two members of one name a JSON reader takes the last, so a contract's field must never bear one
# of ours, not even of those that the commit puts in.
_OURS = frozenset(
    {
        "id",
        "type",
        "streamId",
        "timestamp",
        "origin",
        "publishedAt",
        "stream",
        "contractId",
        "ledger",
        "ledgerClosedAt",
        "txHash",
        "verified",
    }
)


def encode(
    event: Event, topics: tuple[str, ...], stream: Stream | None = None
) -> tuple[bytes, bytes]:
    """Head and unfinished body (no `id`, `publishedAt`, `stream`) of an event for the commit.

    `stream` fills in the parties and the token where the event does not name them.
    """
    body: dict[str, object] = {"type": event.type, "streamId": event.stream_id}
    body |= _parties(stream) if stream else {}
    body |= {name: fact for name, fact in event.facts.items() if name not in _OURS}
    body["timestamp"] = event.timestamp
    body["origin"] = event.origin
    if (source := event.provenance) is not None:
        body["contractId"] = source.contract_id
        body["ledger"] = source.ledger
        body["ledgerClosedAt"] = source.closed_at
        body["txHash"] = source.tx_hash
        body["verified"] = source.verified
    return " ".join((event.type, *topics)).encode(), orjson.dumps(body)


def _parties(stream: Stream) -> dict[str, object]:
    return {
        "sender": stream.sender,
        "recipient": stream.recipient,
        "tokenAddress": stream.token,
    }


def stream_document(stream: Stream, now: int) -> dict[str, object]:
    """The stream as the API returns it at `now`; `version` comes first (the commit reads it)."""
    return {
        "version": stream.version,
        "id": stream.id,
        "origin": stream.origin,
        "contractId": stream.contract_id,
        "sender": stream.sender,
        "recipient": stream.recipient,
        "tokenAddress": stream.token,
        "ratePerSecond": str(stream.rate),
        "depositedAmount": str(stream.deposited),
        "withdrawnAmount": str(stream.withdrawn),
        "refundedAmount": str(stream.refunded),
        "startTime": stream.start_time,
        "lastUpdateTime": stream.last_update_time,
        "endTime": end_time(stream),
        "pausedAt": stream.paused_at,
        "status": stream.status,
        "ending": _ENDING[stream.notices_sent],
        "claimable": claimable_document(stream, now),
        "metadata": stream.metadata,
        "createdAt": stream.created_at,
        "updatedAt": stream.updated_at,
        **({"position": stream.position} if stream.position else {}),
    }


def claimable_document(stream: Stream, now: int) -> dict[str, object]:
    """What the recipient could withdraw at `now`."""
    return {"amount": str(claimable(stream, now)), "asOf": now}


def encode_stream(stream: Stream, now: int) -> bytes:
    """The document as it is stored and as it stands in events; the commit adds `position`."""
    return orjson.dumps(stream_document(stream, now))


def with_claimable(document: bytes, stream: Stream, now: int) -> bytes:
    """The stored document of a stream with what is claimable at `now`; all else stays as it is.

    The first match is the stream's own field: no field before it holds an object, and quotes inside
    a JSON string are escaped.
    """
    stored = _CLAIMABLE.search(document)
    if stored is None:
        raise ValueError(f"the document of stream {stream.id} has no 'claimable'")
    current = orjson.dumps(claimable_document(stream, now))
    return b"%b%b%b" % (document[: stored.start(1)], current, document[stored.end(1) :])


_CLAIMABLE = re.compile(rb'"claimable":(\{"amount":"-?\d+","asOf":-?\d+\})')


def decode_stream(raw: bytes | str) -> Stream:
    """The stream of a stored document."""
    return stream_of(orjson.loads(raw))


def stream_of(doc: Mapping[str, Any]) -> Stream:
    """The stream of a document, as `stream_document` made it."""
    return Stream(
        id=doc["id"],
        origin=Origin(doc["origin"]),
        contract_id=doc["contractId"],
        sender=doc["sender"],
        recipient=doc["recipient"],
        token=doc["tokenAddress"],
        rate=int(doc["ratePerSecond"]),
        deposited=int(doc["depositedAmount"]),
        withdrawn=int(doc["withdrawnAmount"]),
        refunded=int(doc["refundedAmount"]),
        start_time=doc["startTime"],
        last_update_time=doc["lastUpdateTime"],
        paused_at=doc["pausedAt"],
        status=StreamStatus(doc["status"]),
        notices_sent=_ENDING.index(doc.get("ending")),
        metadata=doc["metadata"],
        version=doc["version"],
        position=doc["position"],
        created_at=doc["createdAt"],
        updated_at=doc["updatedAt"],
    )


def entry_of(position: bytes, fields: Mapping[bytes, bytes]) -> JournalEntry:
    """A journal entry as XRANGE gives it."""
    return _entry(position, fields[b"p"], fields[b"h"], fields[b"b"])


def parse_message(raw: bytes) -> tuple[str, JournalEntry]:
    """Namespace and entry of a message. Raises ValueError on anything that is none of ours."""
    line, newline, body = raw.partition(b"\n")
    parts = line.split(b" ", 3)
    if len(parts) != 4 or not newline:
        raise ValueError(f"not a message of the channel: {raw[:80]!r}")
    return parts[0].decode(), _entry(parts[2], parts[1], parts[3], body)


def _entry(position: bytes, previous: bytes, head: bytes, body: bytes) -> JournalEntry:
    kind, *topics = head.decode().split(" ")
    return JournalEntry(position.decode(), previous.decode(), kind, tuple(topics), body)


def frame(event: str, data: bytes, position: str | None) -> bytes:
    """One SSE event as one write. `event` "" leaves it unnamed; without position there is no id.

    `event` and `position` are ours (a type, `<toid>-<n>`), and `data` is JSON, so none holds a line
    break or NUL.
    """
    name = f"event: {event}\n".encode() if event else b""
    last = f"id: {position}\n".encode() if position else b""
    return b"%bdata: %b\n%b\n" % (name, data, last)


def event_frame(entry: JournalEntry) -> bytes:
    """The frame of a committed event, the same bytes for every subscriber.

    The two events about losses are named `gap` and `reset` on the wire, like those of a resume.
    """
    name = _NAMES.get(entry.type, entry.type)
    return frame(name, entry.body, entry.position)


class EventTimes(NamedTuple):
    """Unix seconds of the commit, and of the close of the event's ledger (None for API events)."""

    published_at: float
    closed_at: float | None


def times_of(entry: JournalEntry) -> EventTimes:
    """The two times in the body of an event. Parses the whole body, so call it once an event.

    A search for the names would also find them in nested objects, which contracts and clients fill.
    """
    body = orjson.loads(entry.body)
    closed_at = body.get("ledgerClosedAt")
    return EventTimes(
        body["publishedAt"] / 1e6, None if closed_at is None else unix_seconds(closed_at)
    )
