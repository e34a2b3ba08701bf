"""`webhook.disabled`: an event of the API without a stream, for the owner of the webhook alone."""

from __future__ import annotations

import orjson
import pytest
from redis.asyncio import Redis

from shared.domain.position import END, START
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.reader import Journal, JournalPage
from shared.journal.topic_reader import TopicReader
from shared.journal.wire import JournalEntry
from tests.shared.samples import R, S, at, created, webhook_disabled


async def seen_by(redis: Redis, keys: Keys, *topics: str) -> list[str]:
    """The types of the events of these topics, and of those for everyone."""
    reader = TopicReader(redis, keys, Journal(redis, keys))
    page = await reader.after(topics, START, END, 100)
    return [entry.type for entry in page.entries] if isinstance(page, JournalPage) else []


async def committed(redis: Redis, keys: Keys, account: str) -> JournalEntry:
    await Committer(redis, keys).record([created("7", at(5))], progress={"cursor": "1"})
    result = await Committer(redis, keys).change([], lambda _: [webhook_disabled(account)])
    (entry,) = await Journal(redis, keys).at(result.positions)
    assert entry
    return entry


async def test_it_follows_the_newest_event_and_names_no_stream(redis: Redis, keys: Keys) -> None:
    entry = await committed(redis, keys, S)
    assert entry.position.startswith(f"{at(5).toid}-")
    assert entry.previous == str(at(5))
    body = orjson.loads(entry.body)
    assert (body["type"], body["streamId"], body["origin"]) == ("webhook.disabled", None, "api")
    assert (body["account"], body["reason"], body["since"]) == (S, "failed", 100)
    assert "stream" not in body


@pytest.mark.parametrize("account", [S, "key-5f0c", f"{S}:7", ""])
async def test_only_its_owner_finds_it(redis: Redis, keys: Keys, account: str) -> None:
    entry = await committed(redis, keys, account)
    assert entry.topics == (f"user:{account}",)
    assert await seen_by(redis, keys, f"user:{account}") == (
        ["stream.created", "webhook.disabled"] if account == S else ["webhook.disabled"]
    )
    assert await seen_by(redis, keys, f"user:{R}", "7") == ["stream.created"]
