r"""The wire format: an event as body, journal entry and message.

All code that encodes or decodes an event is here, so that there is one format:

* **body**: the JSON of the event, in one line. The committer encodes it once, and all clients get
  these bytes. The commit script inserts the values that only the commit knows: `id` and
  `publishedAt` at the start, `stream` with its `position` at the end.
* **header**: `<type> <topic> <topic> …`. It tells a fanout where to send the event, so that the
  fanout need not parse the body.
* **entry** of the journal: the fields `p` (position of the entry before), `h` (header), `b` (body),
  `s` (bytes of the journal up to here; only retention.lua reads it, and older entries lack it).
* **message** on the channel: `<namespace> <previous> <position> <header>\n<body>`.

A fanout makes the SSE frame from an entry (services/fanout/sse.py). See
docs/decisions/0011-events-name-both-parties.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import orjson

from shared.domain.events import Event
from shared.domain.instant import unix_seconds
from shared.domain.stream import Stream


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


def compact(body: bytes) -> bytes:
    """The body of an event without the state of its stream: `stream` has only `version`.

    A body without `stream` is returned as it is. See
    docs/decisions/0090-frames-are-compressed-once.md.
    """
    event = orjson.loads(body)
    if (stream := event.get("stream")) is None:
        return body
    event["stream"] = {"version": stream["version"]}
    return orjson.dumps(event)


def entry_of(position: bytes, fields: Mapping[bytes, bytes]) -> JournalEntry:
    """A journal entry from the reply of XRANGE."""
    kind, *topics = fields[b"h"].decode().split(" ")
    return JournalEntry(position.decode(), fields[b"p"].decode(), kind, tuple(topics), fields[b"b"])


def parse_message(raw: bytes) -> tuple[str, JournalEntry]:
    """Namespace and entry of a message. Raises ValueError if Headrace did not write the message."""
    line, newline, body = raw.partition(b"\n")
    namespace, *parts = line.decode().split(" ")
    if len(parts) < 3 or not newline:
        raise ValueError(f"not a Headrace message: {raw[:80]!r}")
    previous, position, kind, *topics = parts
    return namespace, JournalEntry(position, previous, kind, tuple(topics), body)


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
