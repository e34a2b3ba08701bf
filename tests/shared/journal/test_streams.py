"""A stream whose document was deleted is rebuilt from its last event in the journal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from shared.domain import commands
from shared.domain.stream import Stream
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.stream_document import decode_stream
from shared.runtime.metrics import LOST_DOCUMENT
from tests.shared.journal.audit import check, entries_of
from tests.shared.samples import TYPE, at, chain, created, stored


async def document_of(redis: Redis, keys: Keys) -> Stream:
    """The stored document of stream 1."""
    raw: Any = await redis.get(keys.stream("1"))
    return decode_stream(raw)


async def test_a_deleted_document_is_rebuilt_for_the_next_chain_event(
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
    assert (await document_of(redis, keys)).version == 3
    assert LOST_DOCUMENT._value.get() == counted + 1
    assert len(await check(redis, keys)) == 3, "nothing is missing"


async def test_a_deleted_document_is_rebuilt_for_a_request_to_the_api(
    redis: Redis, keys: Keys
) -> None:
    await Committer(redis, keys).record([created("1", at(5))], progress={"cursor": "5"})
    await redis.delete(keys.stream("1"))
    api = Committer(redis, keys)
    await api.change(["1"], lambda s: commands.update(stored(s["1"]), {"label": "x"}, 110))
    assert (await document_of(redis, keys)).version == 2
    await check(redis, keys)


async def test_an_unknown_stream_has_no_state_and_is_not_counted_as_lost(
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
async def test_the_journal_is_not_searched_for_new_or_stored_streams(
    redis: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """The journal is read only for streams that are not stored and not created by this commit."""
    committer = Committer(redis, keys)
    asked: list[Any] = []
    monkeypatch.setattr(committer.streams, "rebuild", lambda ids: _noted(asked, ids))
    if known:
        await committer.record([created("1", at(4))], progress={"cursor": "4"})
        event = chain(TYPE.STREAM_PAUSED, "1", at(5), pausedAt=110)
    else:
        event = created("1", at(5))
    await committer.record([event], progress={"cursor": "5"})
    assert not any(asked)


async def _noted(asked: list[Any], stream_ids: Iterable[str]) -> dict[str, Any]:
    asked.append(list(stream_ids))
    return {}
