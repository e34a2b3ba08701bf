"""Samples for the tests of `shared`: real addresses, and events of the chain and of the API."""

from __future__ import annotations

from typing import Any

from shared.domain.events import Event, EventType, Provenance
from shared.domain.position import Position, toid
from shared.domain.stream import Stream, claimable
from shared.domain.transitions import apply

S = "GCS2BKDSKSWQT6SMSLBAFLFURPY3ZL74CGURQ5QNE2S2KQOX6XKNNRJG"
R = "GB6QM3Z43JKXJD4MPY7P3VWTHPCPA7ESCAJB5W3KUY6SGHRLXQCE32XD"
R2 = "GCFIRY65OQE7DFP5KLNS2PF2LVZMUZYJX4OZIEQ36N2IQANUB5XVYOJR"
TOKEN = "CA6ENHU5NRMHLU32IPZVHVHYRZQ7Z6ASYZXO4NCXIZNEBMG2IFJ6AUB2"
PROVENANCE = Provenance(TOKEN, 7, "2026-07-21T18:01:10Z", "ab" * 32, True)

TYPE = EventType


def at(ledger: int, n: int = 0) -> Position:
    """The position of event `n` of the first transaction of a ledger."""
    return Position(toid(ledger, 1), n)


def chain(
    kind: EventType,
    stream_id: str | None,
    position: Position,
    *,
    now: int = 100,
    provenance: Provenance = PROVENANCE,
    **facts: object,
) -> Event:
    """A chain event with these facts."""
    return Event(kind, stream_id, now, facts, position, provenance)


def creation(**more: object) -> dict[str, Any]:
    """The facts of a stream.created: 1000 at 5 a second from second 100."""
    facts: dict[str, Any] = {
        "sender": S,
        "recipient": R,
        "tokenAddress": TOKEN,
        "ratePerSecond": "5",
        "depositedAmount": "1000",
        "startTime": 100,
    }
    return facts | more


def created(stream_id: str, position: Position, **more: object) -> Event:
    """A stream.created of the chain."""
    return chain(TYPE.STREAM_CREATED, stream_id, position, **creation(**more))


def fact(kind: EventType, now: int = 100, stream_id: str | None = "7", **facts: object) -> Event:
    """An event without a place on the chain."""
    return Event(kind, stream_id, now, facts)


def webhook_disabled(account: str) -> Event:
    """The event that a dispatcher commits when it disables a webhook of this account."""
    facts = {
        "account": account,
        "webhookId": "wh_5f0c1d2e3a4b5f0c1d2e3a4b",
        "url": "https://shop.example/headrace",
        "reason": "failed",
        "since": 100,
    }
    return Event(EventType.WEBHOOK_DISABLED, None, 200, facts)


def stored(stream: Stream | None) -> Stream:
    """A stream that a test knows to be there."""
    assert stream is not None
    return stream


def due(stream: Stream, now: int) -> int:
    """What is claimable of a stream whose schedule is known."""
    amount = claimable(stream, now)
    assert amount is not None
    return amount


def a_stream(now: int = 100, **more: object) -> Stream:
    """Stream 7 just after its creation."""
    return stored(apply(None, fact(TYPE.STREAM_CREATED, now, **creation(**more))))


def after(stream: Stream, *events: Event) -> Stream:
    """The stream after these events."""
    for event in events:
        changed = apply(stream, event)
        assert changed is not None
        stream = changed
    return stream
