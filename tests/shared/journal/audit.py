"""Checks of Redis after any commits: journal, channel, streams and indexes must agree."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson
from redis.asyncio import Redis

from shared.domain.events import Event, EventType, Provenance
from shared.domain.position import START, Position, parse_position
from shared.domain.stream import Stream
from shared.domain.transitions import apply
from shared.journal.indexes import TOKENS, token_entry
from shared.journal.indexes import entries_of as places_of
from shared.journal.keys import CHANNEL, Keys
from shared.journal.reader import Journal
from shared.journal.stream_document import decode_stream
from shared.journal.tokens import ALL_TOKENS
from shared.journal.wire import JournalEntry, parse_message


async def entries_of(redis: Redis, keys: Keys) -> list[JournalEntry]:
    return await Journal(redis, keys).latest(100_000)


def event_of(entry: JournalEntry) -> Event:
    """The event in the body of an entry."""
    body = orjson.loads(entry.body)
    provenance = None
    if body["origin"] == "chain":
        names = ("contractId", "ledger", "ledgerClosedAt", "txHash", "verified")
        provenance = Provenance(*(body[name] for name in names))
    return Event(
        EventType(entry.type), body["streamId"], body["timestamp"], body,
        parse_position(entry.position), provenance,
    )  # fmt: skip


def fold(entries: Sequence[JournalEntry]) -> dict[str, Stream]:
    """The streams computed from the events of the journal; each body must contain that state."""
    streams: dict[str, Stream] = {}
    for entry in entries:
        event, body = event_of(entry), orjson.loads(entry.body)
        assert body["id"] == entry.position
        before = streams.get(event.stream_id or "")
        stream = apply(before, event)
        if stream is None:
            assert "stream" not in body
            continue
        streams[stream.id] = stream
        assert body["stream"]["position"] == entry.position
        assert replace(decode_stream(orjson.dumps(body["stream"])), position="") == stream
        assert entry.topics[0] == stream.id
        named = ("sender", "recipient", "oldRecipient", "newRecipient")
        parties = {body[name] for name in named if name in body}
        parties |= {party for s in (before, stream) if s for party in (s.sender, s.recipient)}
        hidden = before and before.acceptance == stream.acceptance == "hidden"
        if hidden and stream.origin == "api":
            parties = {stream.sender}
        assert set(entry.topics[1:]) == {f"user:{party}" for party in parties}
    return streams


async def _beginning(redis: Redis, keys: Keys, positions: list[Position]) -> Position:
    """The position before the first entry: the start of the journal, unless the API wrote first."""
    began: Any = await redis.hget(keys.progress, "began")
    place = parse_position(began.decode()) if began else START
    return place if positions and place < positions[0] else START


async def check(redis: Redis, keys: Keys) -> list[JournalEntry]:
    """Assert that all data of a namespace agrees with its journal, which must not be trimmed."""
    entries = await entries_of(redis, keys)
    positions = [parse_position(entry.position) for entry in entries]
    assert positions == sorted(set(positions)), "positions rise"
    first = await _beginning(redis, keys, positions)
    assert [e.previous for e in entries] == [str(p) for p in (first, *positions)][: len(entries)]
    streams = fold(entries)
    stored = [key async for key in redis.scan_iter(keys.stream("*"))]
    assert {key.decode() for key in stored} == {keys.stream(i) for i in streams}
    counts: Counter[str | None] = Counter()
    for entry in entries:
        body = orjson.loads(entry.body)
        counts[body["streamId"]] += "stream" in body
    for stream_id, stream in streams.items():
        raw: Any = await redis.get(keys.stream(stream_id))
        document = decode_stream(raw)
        last = max(parse_position(e.position) for e in entries if e.topics[:1] == (stream_id,))
        assert document.position == str(last)
        assert replace(document, position="") == stream
        assert document.version == counts[stream_id]
    await _check_indexes(redis, keys, streams)
    await _check_topics(redis, keys, entries)
    return entries


async def _check_indexes(redis: Redis, keys: Keys, streams: dict[str, Stream]) -> None:
    wanted: dict[str, dict[str, int]] = {}
    for stream in streams.values():
        for (name, member), score in places_of(stream).items():
            wanted.setdefault(keys.index(name), {})[member] = score
    found = await _sets(redis, keys.index("*"))
    # The indexer changes the scores of the tokens at any time.
    tokens = set(found.pop(keys.index(TOKENS), {})) - {ALL_TOKENS}
    of_streams = {token for each in streams.values() for token in token_entry(each)}
    assert tokens == of_streams, "the tokens fit the streams"
    assert found == wanted, "indexes fit the final states"


async def _check_topics(redis: Redis, keys: Keys, entries: Sequence[JournalEntry]) -> None:
    wanted: dict[str, dict[str, int]] = {}
    for entry in entries:
        for topic in entry.topics or ("",):
            wanted.setdefault(keys.topic(topic), {})[parse_position(entry.position).padded] = 0
    assert await _sets(redis, keys.topic("*")) == wanted, "topics fit the journal"


async def _sets(redis: Redis, pattern: str) -> dict[str, dict[str, int]]:
    sets: dict[str, dict[str, int]] = {}
    async for key in redis.scan_iter(pattern):
        members: Any = await redis.zrange(key, 0, -1, withscores=True)
        sets[key.decode()] = {member.decode(): int(score) for member, score in members}
    return sets


class Listener:
    """The messages of one namespace that a subscriber of the channel received."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self.entries: list[JournalEntry] = []

    def take(self, raw: bytes) -> None:
        namespace, entry = parse_message(raw)
        if namespace == self.keys.namespace:
            self.entries.append(entry)


@asynccontextmanager
async def listening(redis: Redis, keys: Keys) -> AsyncIterator[Listener]:
    """A subscriber that is subscribed before the block, and has all messages after it."""
    listener = Listener(keys)
    async with redis.pubsub() as pubsub:
        await pubsub.subscribe(CHANNEL)
        assert await pubsub.get_message(timeout=30), "Redis confirms the subscription"
        yield listener
        last = f"end of {keys.namespace}".encode()
        await redis.publish(CHANNEL, last)
        async with asyncio.timeout(30):
            async for message in pubsub.listen():
                if message["data"] == last:
                    return
                if message["type"] == "message" and not message["data"].startswith(b"end of "):
                    listener.take(message["data"])


async def dump(redis: Redis, keys: Keys) -> dict[bytes, bytes]:
    """A copy of all keys of a namespace, as a lagging replica would have them."""
    names = [key async for key in redis.scan_iter(f"headrace:{{{keys.namespace}}}:*")]
    return {name: await redis.dump(name) or b"" for name in names}


async def restore(redis: Redis, keys: Keys, copy: dict[bytes, bytes]) -> None:
    """Restore the copy, as a failover to a lagging replica does."""
    async for name in redis.scan_iter(f"headrace:{{{keys.namespace}}}:*"):
        await redis.delete(name)
    for name, value in copy.items():
        await redis.restore(name, 0, value)
