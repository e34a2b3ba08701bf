"""Entries that are missing in the journal: every history that should have them has a gap."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

from shared.domain.events import Event, EventType, Provenance
from shared.domain.position import Position, journal_start, toid
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from tests.api.samples import RECIPIENT, SENDER, T0, TOKEN
from tests.support.web_client import WebClient

HOLE = (4, 5)
EVENTS = 9


def place(ledger: int) -> str:
    return str(Position(toid(ledger, 1), 0))


@pytest.fixture
async def journal(redis: Redis, keys: Keys) -> None:
    """Events of ledgers 1 to 9 for SENDER and stream 7. Those of ledgers 4 and 5 are deleted."""
    committer = Committer(redis, keys)
    for ledger in range(1, EVENTS + 1):
        source = Provenance(TOKEN, ledger, "2026-07-21T18:01:10Z", "ab" * 32, True)
        facts: dict[str, Any] = {"sender": SENDER, "recipient": RECIPIENT, "tokenAddress": TOKEN}
        facts |= {"ratePerSecond": "5", "depositedAmount": "1000", "startTime": T0}
        at = Position(toid(ledger, 1), 0)
        event = Event(EventType.STREAM_CREATED, "7", T0, facts, at, source)
        await committer.record([event], progress={"cursor": str(at.toid)})
    await redis.xdel(keys.journal, *map(place, HOLE))


async def walk(
    client: WebClient, limit: int, path: str = "/v1/events", **query: Any
) -> tuple[list[int], list[Any]]:
    """The ledgers of the events of all pages, and the gaps."""
    ledgers: list[int] = []
    gaps: list[Any] = []
    where: dict[str, Any] = {}
    while True:
        response = await client.get(path, params={"limit": str(limit)} | query | where)
        page = await response.json()
        assert response.status == 200, page
        ledgers += [item["ledger"] for item in page["items"]]
        gaps += [page["gap"]] if page["gap"] else []
        if page["next"] is None:
            return ledgers, gaps
        where = {"after" if query.get("order") == "asc" else "before": page["next"]}


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("query", [{"all": "true"}, {"users": SENDER}, {"streams": "7"}])
async def test_a_missing_entry_is_a_gap_in_both_directions(
    client: WebClient, journal: None, limit: int, order: str, query: dict[str, Any]
) -> None:
    ledgers, gaps = await walk(client, limit, order=order, **query)
    there = [n for n in range(1, EVENTS + 1) if n not in HOLE]
    assert ledgers == (there if order == "asc" else there[::-1])
    assert gaps, "one of the pages must have the gap"
    assert max(gap["to"] for gap in gaps) == place(5)
    assert place(3) <= min(gap["from"] for gap in gaps) < place(4)


async def test_a_missing_entry_of_other_topics_is_no_gap(client: WebClient, journal: None) -> None:
    for query in ({"users": TOKEN}, {"streams": "8"}):
        assert await walk(client, 100, **query) == ([], [])
    assert await walk(client, 100, all="true", after=place(5), order="asc") == ([6, 7, 8, 9], [])


async def test_the_csv_has_the_gap_in_a_header(client: WebClient, journal: None) -> None:
    answer = await client.get("/v1/events?all=true", headers={"Accept": "text/csv"})
    assert answer.headers["Headrace-Gap"] == f"{place(3)} {place(5)}"


async def test_a_position_before_the_journal_began_gives_a_gap(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    began = journal_start(toid(5), 1 << 50)
    progress = {"cursor": str(toid(5)), "began": str(began)}
    await Committer(redis, keys).record([], progress=progress)
    for _ in range(2):
        for order in ("asc", "desc"):
            assert (await walk(client, 100, all="true", order=order))[1] == []
            gap = {"from": place(2), "to": str(began)}
            asked = {"all": "true", "order": order, "after": place(2)}
            assert (await walk(client, 100, **asked))[1] == [gap]
        source = Provenance(TOKEN, 5, "2026-07-21T18:01:10Z", "ab" * 32, True)
        at, facts = Position(toid(5, 1), 0), {"admin": SENDER}
        event = Event(EventType.CONTRACT_INITIALIZED, None, T0, facts, at, source)
        await Committer(redis, keys).record([event], progress={})
