"""A list of streams and a summary read a limited number of bytes. Then they have a `next`."""

from __future__ import annotations

from typing import Any

import pytest

from services.api.streams import listing, summary
from tests.api.samples import SENDER, TOKEN, made
from tests.support.web_client import WebClient

BOUND = 10_000
STREAMS = 50


@pytest.fixture
async def ids(client: WebClient, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """50 streams with documents of about 1 KB. The bound is a hundredth of the real one."""
    monkeypatch.setattr(summary, "READ_BYTES", BOUND)
    defaults: Any = listing.StreamListing.page.__kwdefaults__
    monkeypatch.setitem(defaults, "size", BOUND)
    note = {"metadata": {"note": "x" * 400}}
    return [(await made(client, **note))["id"] for _ in range(STREAMS)]


async def pages(client: WebClient, path: str, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    place: dict[str, str] = {}
    while not found or found[-1]["next"]:
        response = await client.get(path, params=query | place)
        assert response.status == 200, await response.text()
        found.append(await response.json())
        assert len(await response.read()) < 3 * BOUND
        place = {"cursor": found[-1]["next"]}
    return found


@pytest.mark.parametrize("query", [{}, {"sender": SENDER}, {"sender": SENDER, "token": TOKEN}])
async def test_a_list_of_large_streams_ends_early_and_misses_none(
    client: WebClient, ids: list[str], query: dict[str, str]
) -> None:
    found = await pages(client, "/v1/streams", limit="200", **query)
    assert len(found) > 2
    listed = [item["id"] for page in found for item in page["items"]]
    assert listed == sorted(ids, reverse=True)


async def test_a_summary_of_large_streams_ends_early_and_misses_none(
    client: WebClient, ids: list[str]
) -> None:
    found = await pages(client, f"/v1/users/{SENDER}/summary", limit="2000")
    assert len(found) > 2
    assert sum(page["api"]["streams"] for page in found) == STREAMS
