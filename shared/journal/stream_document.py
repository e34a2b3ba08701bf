"""The JSON document of a stream: as it is stored, and as the API and the events contain it.

Pure. It is encoded and decoded here only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from shared.domain.events import Origin
from shared.domain.schedule import ClaimableUnknown, schedule_document, schedule_of
from shared.domain.snapshot import state_fields
from shared.domain.stream import Acceptance, Stream, StreamStatus, claimable, end_time

_ENDING = (None, "48h", "24h", "depleted")
"""The value of the field `ending` for each number in `notices_sent` (shared.domain.stream)."""


def stream_document(stream: Stream, now: int) -> dict[str, object]:
    """The stream as the API returns it. `version` comes first, because the commit script reads it.

    `now` is the time in Unix seconds for which `claimable` is computed.
    """
    return {
        "version": stream.version,
        "id": stream.id,
        "origin": stream.origin,
        **state_fields(stream),
        "endTime": end_time(stream),
        "pausedAt": stream.paused_at,
        "status": stream.status,
        "ending": _ENDING[stream.notices_sent],
        **_current_fields(stream, now),
        "metadata": stream.metadata,
        "stateLedger": stream.state_ledger or None,
        "createdAt": stream.created_at,
        "updatedAt": stream.updated_at,
        **({"position": stream.position} if stream.position else {}),
    }


def _current_fields(stream: Stream, now: int) -> dict[str, object]:
    """The fields that are computed for each answer.

    `claimable` changes with time. The other fields are missing in documents of earlier versions.
    """
    amount = claimable(stream, now)
    return {
        "acceptance": stream.acceptance,
        "schedule": schedule_document(stream.schedule),
        "claimable": None if amount is None else {"amount": str(amount), "asOf": now},
        "claimableUnknown": stream.claimable_unknown,
        "archived": stream.archived,
    }


def encode_stream(stream: Stream, now: int) -> bytes:
    """The document that is stored and that events contain. The commit script adds `position`."""
    return orjson.dumps(stream_document(stream, now))


def with_claimable(document: bytes, stream: Stream, now: int) -> bytes:
    """The stored document of a stream, with the amount that is claimable at `now`.

    It also gets the fields that documents of earlier versions lack. All other bytes stay as they
    are. The fields stand after `status` in documents of all versions. The first `status` is that of
    the stream: the text before it has no object, and quotes in a JSON string are escaped. A search
    for the fields with `re` alone would need 30 µs more.
    """
    stored = _CURRENT_FIELDS.match(document, document.find(_STATUS))
    if stored is None:
        raise ValueError(f"the document of stream {stream.id} has no field 'claimable'")
    current = orjson.dumps(_current_fields(stream, now))[1:-1]
    return b"%b%b%b" % (document[: stored.end(1)], current, document[stored.end() :])


_STATUS = b'"status":'
_CURRENT_FIELDS = re.compile(
    rb'("status":"\w+",(?:"ending":(?:null|"\w+"),)?)'
    rb'(?:"acceptance":"\w+",)?(?:"schedule":\{.*?\},)?'
    rb'"claimable":(?:null|\{"amount":"-?\d+","asOf":-?\d+\})(?:,"claimableUnknown":(?:null|"\w+"))?'
    rb'(?:,"archived":(?:true|false))?'
)


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
        schedule=schedule_of(doc.get("schedule")),
        status=StreamStatus(doc["status"]),
        notices_sent=_ENDING.index(doc.get("ending")),
        acceptance=Acceptance(doc.get("acceptance", Acceptance.ACCEPTED)),
        metadata=doc["metadata"],
        state_ledger=doc.get("stateLedger") or 0,
        archived=doc.get("archived") is True,
        uncertain=doc.get("claimableUnknown") == ClaimableUnknown.STATE,
        version=doc["version"],
        position=doc["position"],
        created_at=doc["createdAt"],
        updated_at=doc["updatedAt"],
    )
