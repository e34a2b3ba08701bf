r"""The wire format: an event as body, journal entry and message; a stream as document.

All code that encodes or decodes an event is here, so that there is one format:

* **body**: the JSON of the event, in one line. The committer encodes it once, and all clients get
  these bytes. The commit script inserts the values that only the commit knows: `id` and
  `publishedAt` at the start, `stream` with its `position` at the end.
* **header**: `<type> <topic> <topic> …`. It tells a fanout where to send the event, so that the
  fanout need not parse the body.
* **entry** of the journal: the fields `p` (position of the entry before), `h` (header), `b` (body).
* **message** on the channel: `<namespace> <previous> <position> <header>\n<body>`.

A fanout makes the SSE frame from an entry (services/fanout/sse.py). See
docs/decisions/0011-events-name-both-parties.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from shared.domain.events import Event, Origin
from shared.domain.instant import unix_seconds
from shared.domain.stream import Stream, StreamStatus, claimable, end_time


class JournalEntry(NamedTuple):
    """A committed event, as it is in the journal and in messages.

    `previous` is the position of the entry before this entry.
    """

    position: str
    previous: str
    type: str
    topics: tuple[str, ...]
    body: bytes


HISTORY_URL = "/v1/events"
"""The path of the event history. A client that missed events can read the kept ones there."""

_ENDING = (None, "48h", "24h", "depleted")
"""The value of the field `ending` for each number in `notices_sent` (shared.domain.stream)."""

# A JSON parser uses the last of two fields with the same name. So `encode` omits fields of a
# contract's event that have one of these names. Some of these fields the commit script inserts.
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
    """The header and the body of an event, for the commit script to complete.

    `stream` adds the parties and the token that the event itself does not name.
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
    """The stream as the API returns it. `version` comes first, because the commit script reads it.

    `now` is the time in Unix seconds for which `claimable` is computed.
    """
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
    """The amount that the recipient could withdraw at `now` (Unix seconds)."""
    return {"amount": str(claimable(stream, now)), "asOf": now}


def encode_stream(stream: Stream, now: int) -> bytes:
    """The document that is stored and that events contain. The commit script adds `position`."""
    return orjson.dumps(stream_document(stream, now))


def with_claimable(document: bytes, stream: Stream, now: int) -> bytes:
    """The stored document of a stream, with the amount that is claimable at `now`.

    All other bytes stay as they are. The first match of the pattern is the field of the stream
    itself: no field before `claimable` is an object, and quotes in a JSON string are escaped.
    """
    stored = _CLAIMABLE.search(document)
    if stored is None:
        raise ValueError(f"the document of stream {stream.id} has no field 'claimable'")
    current = orjson.dumps(claimable_document(stream, now))
    return b"%b%b%b" % (document[: stored.start(1)], current, document[stored.end(1) :])


_CLAIMABLE = re.compile(rb'"claimable":(\{"amount":"-?\d+","asOf":-?\d+\})')


def decode_stream(raw: bytes | str) -> Stream:
    """The stream in a stored document."""
    return stream_of(orjson.loads(raw))


def stream_of(doc: Mapping[str, Any]) -> Stream:
    """The stream in a parsed document (see `stream_document`)."""
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
    """A journal entry from the reply of XRANGE."""
    return _entry(position, fields[b"p"], fields[b"h"], fields[b"b"])


def parse_message(raw: bytes) -> tuple[str, JournalEntry]:
    """Namespace and entry of a message. Raises ValueError if Headrace did not write the message."""
    line, newline, body = raw.partition(b"\n")
    parts = line.split(b" ", 3)
    if len(parts) != 4 or not newline:
        raise ValueError(f"not a Headrace message: {raw[:80]!r}")
    return parts[0].decode(), _entry(parts[2], parts[1], parts[3], body)


def _entry(position: bytes, previous: bytes, header: bytes, body: bytes) -> JournalEntry:
    type_, *topics = header.decode().split(" ")
    return JournalEntry(position.decode(), previous.decode(), type_, tuple(topics), body)


class EventTimes(NamedTuple):
    """Unix seconds of the commit, and of the close of the event's ledger (None for API events)."""

    published_at: float
    closed_at: float | None


def times_of(entry: JournalEntry) -> EventTimes:
    """The two times in the body of an event. Parses the whole body, so call it once per event.

    A search for the two names would be wrong: it would also find them in nested objects, whose
    fields contracts and clients name.
    """
    body = orjson.loads(entry.body)
    closed_at = body.get("ledgerClosedAt")
    return EventTimes(
        body["publishedAt"] / 1e6, None if closed_at is None else unix_seconds(closed_at)
    )
