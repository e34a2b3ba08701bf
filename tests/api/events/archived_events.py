"""Events of two streams in a journal with an archive, and a walk through their pages."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis
from stellar_sdk import Keypair

from shared.domain.events import Event, EventType, Provenance
from shared.domain.position import END, START, Position, toid
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.reader import Journal
from shared.journal.wire import JournalEntry
from tests.api.samples import RECIPIENT, SENDER, T0, TOKEN
from tests.support.web_client import WebClient

OTHER = Keypair.random().public_key


def event(ledger: int) -> Event:
    """An event of one of two streams; each tenth is for everyone."""
    source = Provenance(TOKEN, ledger, "2026-07-21T18:01:10Z", "ab" * 32, True)
    at = Position(toid(ledger, 1), 0)
    if ledger % 10 == 0:
        facts: dict[str, Any] = {"admin": SENDER}
        return Event(EventType.CONTRACT_INITIALIZED, None, T0 + ledger, facts, at, source)
    facts = {"sender": SENDER, "recipient": OTHER if ledger % 3 else RECIPIENT}
    facts |= {"tokenAddress": TOKEN, "ratePerSecond": "5", "depositedAmount": "1000"}
    stream_id = "7" if ledger % 3 else "8"
    kind = EventType.STREAM_CREATED
    return Event(kind, stream_id, T0 + ledger, facts | {"startTime": T0}, at, source)


async def commit(redis: Redis, keys: Keys, first: int, last: int) -> list[JournalEntry]:
    """Commit the events of these ledgers. Returns the whole journal."""
    await Committer(redis, keys).record([event(n) for n in range(first, last + 1)], progress={})
    return await Journal(redis, keys).between(START, END, 1000, newest_first=False)


async def walk(
    client: WebClient, path: str = "/v1/events", **query: Any
) -> tuple[list[str], list[tuple[str, str]]]:
    """The ids of the events of all pages, and the gaps."""
    ids, gaps = list[str](), list[tuple[str, str]]()
    place: dict[str, Any] = {}
    while True:
        response = await client.get(path, params=query | place)
        page = await response.json()
        assert response.status == 200, page
        ids += [item["id"] for item in page["items"]]
        gaps += [(page["gap"]["from"], page["gap"]["to"])] if page["gap"] else []
        if page["next"] is None:
            return ids, gaps
        place = {"after" if query.get("order") == "asc" else "before": page["next"]}


FILTERS: list[tuple[dict[str, str], set[str]]] = [
    ({"all": "true"}, {"7", "8"}),
    ({"streams": "7"}, {"7"}),
    ({"users": RECIPIENT}, {"8"}),
    ({"users": OTHER, "streams": "8"}, {"7", "8"}),
]


def of_streams(entries: list[JournalEntry], streams: set[str]) -> list[str]:
    return [e.position for e in entries if not e.topics or streams & set(e.topics)]
