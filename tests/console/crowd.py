"""Streams as the indexer writes them: many at once, old ones, and ones that are hard to show."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from deploy.simulator.chain import accounts
from shared.domain.events import Event, EventType, Origin
from shared.domain.snapshot import snapshot_event, state_fields
from shared.domain.stream import I128_MAX, Stream
from shared.journal.commit import Committer
from tests.console.samples import create
from tests.support.installation import Installation

STREAMS = 2_000
LABELS = {
    "hebrew": "תשלום שכר דירה חודשי עבור " * 7,
    "arabic": "دفعة_شهرية_" * 18,
    "long": "W" * 200,
    "marked": '<b dir="rtl">&#8238;\u200f\u061c',
    "override": "\u202e\u2067Rent \u202dof (May) 12",  # none of these directions ends
}
NAME = "\u202e" + "השכן מלמעלה " * 4
"""A name for an address, about as long as the page allows."""


def chain_stream(number: int, created: int, sender: str) -> Stream:
    return Stream(
        id=str(number),
        origin=Origin.CHAIN,
        contract_id=accounts.STREAMS,
        sender=sender,
        recipient=sender,
        token=accounts.TOKEN,
        rate=11,
        deposited=10**12,
        start_time=created,
        last_update_time=created,
        state_ledger=5,
        created_at=created,
        updated_at=created,
    )


def old(number: int, sender: str) -> Stream:
    """A stream from before all streams of the simulated chain."""
    return chain_stream(number, 1_700_000_000 - number, sender)


def created_event(stream: Stream) -> Event:
    return Event(EventType.STREAM_CREATED, stream.id, stream.created_at, state_fields(stream))


def read_event(stream: Stream) -> Event:
    return snapshot_event(stream, int(time.time()))


async def flood(
    committer: Committer, streams: Sequence[Stream], event: Callable[[Stream], Event]
) -> None:
    for first in range(0, len(streams), 100):
        some = streams[first : first + 100]
        await _commit(committer, [event(stream) for stream in some])


async def _commit(committer: Committer, events: Sequence[Event]) -> None:
    ids = [each.stream_id for each in events if each.stream_id]
    await committer.change(ids, lambda _: events, fresh=True)


async def crowd(whole: Installation, committer: Committer, account: str) -> dict[str, Any]:
    """2,000 streams of an account, the newest ones hard to show.

    Returns the values of the placeholders in the addresses of the views.
    """
    streams = [old(700_000 + n, account) for n in range(STREAMS)]
    await flood(committer, streams, read_event)
    for label in LABELS.values():
        made = await create(
            whole,
            label=label,
            recipient=account,
            deposit=str(I128_MAX),
            rate=str(I128_MAX // 10**7),
            ago=10**6,
        )
    active = streams[0].id  # on the chain, and the simulated chain does not end it
    return {"account": account, "id": made["id"], "active": active, "position": made["position"]}
