"""A page of the history, and what is read for it, is bounded in bytes, whatever the filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from services.api.events import history
from shared.domain.events import EventType
from shared.domain.position import Position
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.reader import Journal
from shared.journal.wire import JournalEntry
from tests.api.samples import SENDER
from tests.shared.samples import TYPE, at, chain, creation
from tests.support.web_client import WebClient

BOUND = 100_000
LARGE = 10_000
EVENTS = 60


@pytest.fixture
async def large_events(redis: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """60 events of stream 7 with 10 KB each. The bound is a tenth of the real one."""
    monkeypatch.setattr(history, "READ_BYTES", BOUND)
    padded: Any = creation(padding="x" * LARGE)
    events = [chain(TYPE.STREAM_CREATED, "7", at(n), **padded) for n in range(1, EVENTS + 1)]
    await Committer(redis, keys).record(events, progress={"cursor": str(at(EVENTS))})


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the bodies that are read from the journal."""
    sizes: list[int] = []
    between, at_positions = Journal.between, Journal.at

    async def counted_between(self: Journal, *given: Any, **more: Any) -> list[JournalEntry]:
        entries = await between(self, *given, **more)
        sizes.extend(len(entry.body) for entry in entries)
        return entries

    async def counted_at(self: Journal, positions: Sequence[Position]) -> list[JournalEntry | None]:
        entries = await at_positions(self, positions)
        sizes.extend(len(entry.body) for entry in entries if entry)
        return entries

    monkeypatch.setattr(Journal, "between", counted_between)
    monkeypatch.setattr(Journal, "at", counted_at)
    return sizes


FILTERS: list[dict[str, str]] = [{"all": "true"}, {"streams": "7"}, {"users": SENDER}]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("query", FILTERS)
async def test_pages_of_large_events_end_early_and_miss_nothing(
    client: WebClient, large_events: None, reads: list[int], query: dict[str, str], order: str
) -> None:
    found: list[str] = []
    place: dict[str, str] = {}
    while True:
        reads.clear()
        response = await client.get(
            "/v1/events", params={"limit": "500", "order": order} | query | place
        )
        page = await response.json()
        assert len(await response.read()) <= BOUND + 2 * LARGE
        assert sum(reads) <= BOUND + 18 * LARGE, "the first read, of unknown sizes, has 17 entries"
        assert page["items"]
        assert page["gap"] is None
        found += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        place = {"after" if order == "asc" else "before": page["next"]}
    expected = [str(at(n)) for n in range(1, EVENTS + 1)]
    assert found == (expected if order == "asc" else expected[::-1])


@pytest.mark.parametrize("query", FILTERS)
async def test_a_filter_that_matches_nothing_reads_no_more_than_the_bound(
    client: WebClient, large_events: None, reads: list[int], query: dict[str, str]
) -> None:
    asked = {"types": EventType.STREAM_COMPLETED.value, "order": "asc"} | query
    page = await (await client.get("/v1/events", params=asked)).json()
    assert (page["items"], page["gap"]) == ([], None)
    assert page["next"]
    assert sum(reads) <= BOUND + 18 * LARGE


async def test_a_csv_of_large_events_ends_early(client: WebClient, large_events: None) -> None:
    answer = await client.get(
        "/v1/events", params={"all": "true", "limit": "500"}, headers={"Accept": "text/csv"}
    )
    assert answer.headers["Headrace-Next"]
    assert len(await answer.read()) <= BOUND + 2 * LARGE
