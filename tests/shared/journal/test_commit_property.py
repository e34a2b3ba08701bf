"""Whatever is committed concurrently: journal, channel, streams and indexes agree."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from shared.domain import commands
from shared.domain.events import Event, EventType
from shared.domain.position import Position
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.plan import StreamStates
from shared.redis.client import connect
from tests.shared.journal.audit import check, event_of, listening
from tests.shared.samples import R2, TOKEN, TYPE, R, S, at, chain, creation
from tests.support.redis_server import PATIENT
from tests.support.tier import examples

API = ("api-1", "api-2")
CHAIN = ("1", "2", "3")
CHANGES: dict[EventType, dict[str, Any]] = {
    TYPE.STREAM_TOPPED_UP: {"amount": "500", "newDepositedAmount": "1500", "sender": S},
    TYPE.STREAM_WITHDRAWN: {"amount": "10", "recipient": R},
    TYPE.STREAM_PAUSED: {"pausedAt": 130, "sender": S},
    TYPE.STREAM_RESUMED: {"newEndTime": 400, "sender": S},
    TYPE.STREAM_COMPLETED: {"recipient": R, "totalWithdrawn": "1000"},
    TYPE.STREAM_CANCELLED: {"amountWithdrawn": "100", "refundedAmount": "900"},
    TYPE.STREAM_RECIPIENT_TRANSFERRED: {"newRecipient": R2},
    TYPE.STREAM_RATE_MODIFIED: {"newRatePerSecond": "7", "newEndTime": 300},
    TYPE.STREAM_FEE_COLLECTED: {"feeAmount": "3", "treasury": TOKEN},
    TYPE.CHAIN_UNKNOWN: {"topics": ["AAAA"], "id": "9-9", "stream": "x"},
}
transaction = st.lists(
    st.tuples(st.sampled_from(CHAIN), st.sampled_from(sorted(CHANGES))), max_size=4
)
# The steps of a reader: how many new transactions it reads, and how many it reads again.
steps = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3)), min_size=1, max_size=8)
action = st.tuples(
    st.sampled_from([*API, *CHAIN]),
    st.sampled_from(["create", "top_up", "withdraw", "pause", "resume", "cancel", "update"]),
)
actions = st.lists(action, max_size=8)


def chain_of(transactions: list[list[tuple[str, str]]]) -> list[list[Event]]:
    """One transaction per ledger. The first event of a stream creates it, after its fee event."""
    known: set[str] = set()
    made = []
    for ledger, changes in enumerate(transactions, start=5):
        events: list[Event] = []

        def add(
            kind: str,
            stream_id: str,
            facts: dict[str, Any],
            place: int = ledger,
            events: list[Event] = events,
        ) -> None:
            position = Position(at(place).toid + len(events) // 3, len(events) % 3)
            now = 100 + place
            facts = facts | ({"timestamp": now} if kind == TYPE.STREAM_WITHDRAWN else {})
            events.append(chain(TYPE(kind), stream_id, position, now=now, **facts))

        for stream_id, kind in changes:
            if stream_id not in known:
                known.add(stream_id)
                add(TYPE.STREAM_FEE_COLLECTED, stream_id, {"feeAmount": "1"})
                add(TYPE.STREAM_CREATED, stream_id, creation())
            add(kind, stream_id, CHANGES[TYPE(kind)])
        made.append(events)
    return made


async def read_chain(
    committer: Committer, chain: list[list[Event]], steps: list[tuple[int, int]]
) -> None:
    """Record batches in order and some of them again; at the end the rest."""
    done = 0
    for further, again in [*steps, (len(chain), 2)]:
        start, done = max(0, done - again), min(len(chain), done + further)
        batch = [event for transaction in chain[start:done] for event in transaction]
        await committer.record(batch, progress={"cursor": str(at(done + 4).toid)})


def decide(stream_id: str, what: str) -> Callable[[StreamStates], list[Event]]:
    def decided(streams: StreamStates) -> list[Event]:
        stream = streams[stream_id]
        try:
            if what == "create" and stream is None and stream_id in API:
                return commands.create(
                    stream_id=stream_id, sender=S, recipient=R, token=TOKEN, rate=5,
                    deposited=1000, start_time=100, now=100, metadata={"label": "a\nb"},
                )  # fmt: skip
            if stream is None or what == "create":
                return []
            if what == "update" or stream_id not in API:  # both may change it
                return commands.update(stream, {"note": "\u2028"}, 140)
            if what == "top_up":
                return commands.top_up(stream, 300, 140)
            return getattr(commands, what)(stream, 500)
        except commands.CommandRefusedError:
            return []

    return decided


async def use_api(committer: Committer, actions: list[tuple[str, str]]) -> None:
    for stream_id, what in actions:
        await committer.change([stream_id], decide(stream_id, what))


# No shrinking: races are not reproducible, and each example is short.
@settings(max_examples=examples(80), deadline=None, phases=[Phase.reuse, Phase.generate])
@given(
    transactions=st.lists(transaction, max_size=12),
    readers=st.lists(steps, min_size=1, max_size=2),
    parties=st.lists(actions, min_size=1, max_size=3),
)
async def test_journal_channel_streams_and_indexes_agree_after_any_interleaving(
    empty_redis_url: str,
    transactions: list[list[tuple[str, str]]],
    readers: list[list[tuple[int, int]]],
    parties: list[list[tuple[str, str]]],
) -> None:
    keys = Keys(f"test-{uuid.uuid4().hex[:12]}")
    redis = connect(empty_redis_url, timeout=PATIENT)
    chain = chain_of(transactions)
    try:
        async with listening(redis, keys) as listener:
            await asyncio.gather(
                *(read_chain(Committer(redis, keys), chain, steps) for steps in readers),
                *(use_api(Committer(redis, keys), actions) for actions in parties),
            )
        entries = await check(redis, keys)
        assert listener.entries == entries
        from_chain = [e.position for e in entries if event_of(e).provenance]
        assert from_chain == [str(e.position) for transaction in chain for e in transaction]
    finally:
        await redis.aclose()
