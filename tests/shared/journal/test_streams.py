"""A stream's document that was deleted: its next event goes on from where the stream was."""

from __future__ import annotations

import orjson
import pytest
from redis.asyncio import Redis

from shared.domain import commands
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.wire import decode_stream
from shared.runtime.metrics import LOST_DOCUMENT
from tests.shared.journal.audit import check, entries_of
from tests.shared.samples import TYPE, at, chain, created


async def test_the_next_event_of_the_chain_goes_on_from_the_last_one(
    redis: Redis, keys: Keys
) -> None:
    committer, counted = Committer(redis, keys), LOST_DOCUMENT._value.get()
    await committer.record([created("1", at(5))], progress={"cursor": "5"})
    await committer.record(
        [chain(TYPE.STREAM_PAUSED, "1", at(6), pausedAt=110)], progress={"cursor": "6"}
    )
    await redis.delete(keys.stream("1"))
    resumed = chain(TYPE.STREAM_RESUMED, "1", at(7), newEndTime=400)
    await committer.record([resumed], progress={"cursor": "7"})
    assert decode_stream(await redis.get(keys.stream("1"))).version == 3
    assert LOST_DOCUMENT._value.get() == counted + 1
    assert len(await check(redis, keys)) == 3, "as if nothing had been deleted"


async def test_an_order_to_the_api_goes_on_from_it_too(redis: Redis, keys: Keys) -> None:
    await Committer(redis, keys).record([created("1", at(5))], progress={"cursor": "5"})
    await redis.delete(keys.stream("1"))
    api = Committer(redis, keys)
    await api.change(["1"], lambda s: commands.update(s["1"], {"label": "x"}, 110))
    assert decode_stream(await redis.get(keys.stream("1"))).version == 2
    await check(redis, keys)


async def test_a_stream_that_was_never_known_has_no_state_and_is_no_loss(
    redis: Redis, keys: Keys
) -> None:
    committer, counted = Committer(redis, keys), LOST_DOCUMENT._value.get()
    for ledger in (5, 6):
        event = chain(TYPE.STREAM_PAUSED, "9", at(ledger), pausedAt=110)
        await committer.record([event], progress={"cursor": str(ledger)})
    assert not await redis.exists(keys.stream("9"))
    assert all("stream" not in orjson.loads(e.body) for e in await entries_of(redis, keys))
    assert LOST_DOCUMENT._value.get() == counted


@pytest.mark.parametrize("known", [True, False])
async def test_a_new_stream_costs_no_look_for_what_is_gone(
    redis: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """Of a stream that is there, or that begins with this commit, the journal is not asked."""
    committer = Committer(redis, keys)
    asked = []
    monkeypatch.setattr(committer.streams, "rebuild", lambda ids: _noted(asked, ids))
    if known:
        await committer.record([created("1", at(4))], progress={"cursor": "4"})
        event = chain(TYPE.STREAM_PAUSED, "1", at(5), pausedAt=110)
    else:
        event = created("1", at(5))
    await committer.record([event], progress={"cursor": "5"})
    assert not any(asked)


async def _noted(asked: list, stream_ids) -> dict:
    asked.append(list(stream_ids))
    return {}
