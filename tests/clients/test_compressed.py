"""Each client library reads compressed events one by one, and resumes, as without compression.

By night only. By day, tests/clients/test_libraries.py does the same without compression.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.clients.libraries import LIBRARIES, missing_requirement, require_library
from tests.clients.scenario import Results, connected_and_live, cut
from tests.clients.setup import Setup, scenario_setup
from tests.support.waiting import free_port

pytestmark = [pytest.mark.io, pytest.mark.nightly, pytest.mark.timeout(150)]

ASKS_FOR_GZIP = {
    "aiohttp_sse",
    "chromium",
    "eventsource",
    "eventsource_client",
    "fetch_event_source",
    "httpx_sse",
    "sseclient",
    "undici",
}
"""The other libraries do not send Accept-Encoding, so they get plain events."""

Compressed = tuple[Results, dict[str, list[bool]]]
"""The results by library, and whether the first response of its connections was compressed."""


async def one_by_one(setup: Setup) -> None:
    """Each event is committed when all clients have the one before."""
    for n in range(10):
        await setup.run_step(f"event {n}", setup.chain.commit)


async def run_compressed(redis_url: str, libraries: list[str]) -> Compressed:
    async with scenario_setup(redis_url) as setup:
        port = free_port()
        await setup.replica(port=port, gzip=True)
        await setup.chain.commit()
        await connected_and_live(setup, libraries, port)
        await one_by_one(setup)
        await cut(setup)
        compressed = {client.library: client.proxy.compressed for client in setup.clients}
        return {client.library: client.results for client in setup.clients}, compressed


@pytest.fixture(scope="module")
def compressed(redis_url: str) -> Compressed:
    libraries = [each for each in LIBRARIES if not missing_requirement(each)]
    return asyncio.run(run_compressed(redis_url, libraries))


@pytest.mark.parametrize("library", LIBRARIES)
def test_compressed_events_arrive_one_by_one_and_once(compressed: Compressed, library: str) -> None:
    require_library(library)
    results, responses = compressed
    steps = results[library]
    assert responses[library][0] is (library in ASKS_FOR_GZIP)
    for step in steps.values():
        assert step.error == ""
    for name, step in steps.items():
        assert step.ids == (step.committed if name != "connected" else [])
        assert all(event.is_json_object for event in step.received)
    assert len(steps["cut"].resumed_at) == 1
