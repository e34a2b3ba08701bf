"""The simulated Horizon in its bad moments, and asked from other pages, as a real Horizon 28 is."""

from __future__ import annotations

import aiohttp
import pytest

from deploy.simulator.chain.operations import Operation, Proposal
from deploy.simulator.network import Network
from tests.simulator.real_answers import NO_STORE, ORIGIN, STREAM, ask, places, small
from tests.simulator.samples import NOW, Sim

pytestmark = pytest.mark.timeout(15)
SHARED = {
    "Access-Control-Allow-Origin": "http://a.example",
    "Access-Control-Expose-Headers": "Date, Latest-Ledger",
}


@pytest.fixture
def network() -> Network:
    return small()


@pytest.mark.parametrize(
    ("path", "status"), [("/", 200), ("/ledgers/{ledger}", 200), ("/ledgers/1", 410), ("/x", 404)]
)
async def test_pages_of_other_origins_may_read(
    http: aiohttp.ClientSession, network: Network, path: str, status: int
) -> None:
    path = path.format(**places(network))
    response = await ask(http, path, ORIGIN)
    assert response.status == status
    assert SHARED.items() <= response.headers.items()
    assert response.headers["Vary"] == "Origin"
    silent = await ask(http, path, {})
    assert not SHARED.keys() & silent.headers.keys()


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
async def test_other_methods(http: aiohttp.ClientSession, network: Network, method: str) -> None:
    for path in ("/", "/ledgers", "/ledgers/{ledger}", "/transactions/{plain}"):
        response = await ask(http, path.format(**places(network)), {}, method)
        assert response.status == 405
        assert await response.read() == b""
        told = dict(response.headers)
        del told["Date"]
        told.pop("Content-Length", None)
        assert told == {"Cache-Control": NO_STORE, "Vary": "Origin"}
    response = await ask(http, "/", ORIGIN, method)
    assert SHARED.items() <= response.headers.items() or method not in ("HEAD", "POST")
    assert not SHARED.keys() & response.headers.keys() or method in ("HEAD", "POST")
    assert (await ask(http, "/nothing", {}, method)).status == 404


async def test_a_cursor_before_the_history(http: aiohttp.ClientSession, network: Network) -> None:
    for cursor, quoted in (("1-2", "1-2"), ("%2B5", "%2B5"), ("5", "5")):
        page = await (await ask(http, f"/transactions?cursor={cursor}&limit=1", {})).json()
        (record,) = page["_embedded"]["records"]
        assert record["ledger"] == network.chain.oldest.sequence
        assert f"?cursor={quoted}&limit=1" in page["_links"]["self"]["href"]


async def test_include_failed(http: aiohttp.ClientSession, network: Network) -> None:
    network.submit(Proposal(operations=(Operation(op="fail"),)), Proposal())
    network.close(NOW + 200)
    path = f"/transactions?cursor={network.chain.latest.toid}&include_failed="
    for texts, number in (
        (("1", "t", "T", "true", "True", "TRUE"), 2),
        (("", "0", "f", "F", "false", "False", "FALSE"), 1),
    ):
        for text in texts:
            page = await (await ask(http, path + text, {})).json()
            assert len(page["_embedded"]["records"]) == number, text
    assert (await ask(http, "/ledgers?include_failed=x", {})).status == 200


async def test_rate_limit(http: aiohttp.ClientSession, sim: Sim) -> None:
    for path in ("/", "/ledgers/5", "/transactions", "/ledgers", "/transactions/x"):
        await sim("POST", "faults", kind="429")
        response = await ask(http, path, {})
        assert response.status == 429
        assert (await response.json())["type"].endswith("/rate_limit_exceeded")
        named = {n: v for n, v in response.headers.items() if n.startswith(("X-", "Retry"))}
        assert named == {
            "Retry-After": "1",
            "X-RateLimit-Limit": "101",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": "101",
        }
    await sim("POST", "faults", kind="429")
    stream = await ask(http, "/transactions", STREAM)
    assert stream.status == 429
    assert not [n for n in stream.headers if n.startswith(("X-", "Retry"))]


async def test_bounds_not_known_after_a_start(
    http: aiohttp.ClientSession, sim: Sim, network: Network
) -> None:
    await sim("POST", "faults", kind="starting", times=1)
    trimmed, oldest = network.chain.oldest.sequence - 1, network.chain.oldest.sequence
    for _ in range(2):  # only the root ends it
        assert (await ask(http, f"/ledgers/{trimmed}", {})).status == 404
        assert (await ask(http, f"/ledgers/{oldest}", {})).status == 200
        before = await ask(http, "/transactions?order=desc&cursor=1", {})
        assert (before.status, (await before.json())["_embedded"]) == (200, {"records": []})
        newest = await (await ask(http, "/transactions?order=desc&limit=1", {})).json()
        (record,) = newest["_embedded"]["records"]
        assert record["ledger"] == network.chain.latest.sequence
        now = await ask(http, "/transactions?cursor=now&limit=1", STREAM)
        assert f"id: {oldest << 32 | 1 << 12}" in await now.text()
    assert (await (await ask(http, "/", {})).json())["history_elder_ledger"] == 0
    assert (await ask(http, f"/ledgers/{trimmed}", {})).status == 410
    assert (await ask(http, "/transactions?order=desc&cursor=1", {})).status == 410


async def test_trimmed_within_the_second_of_the_root(
    http: aiohttp.ClientSession, sim: Sim, network: Network
) -> None:
    elder = network.chain.oldest.sequence
    await sim("POST", "faults", kind="trim", after=3, seconds=60)
    answers = f"/ledgers/{elder}", f"/transactions?order=desc&cursor={elder + 1 << 32}"
    assert [(await ask(http, path, {})).status for path in answers] == [404, 200]
    await sim("DELETE", "faults")  # as when the second is over
    assert [(await ask(http, path, {})).status for path in answers] == [410, 410]
