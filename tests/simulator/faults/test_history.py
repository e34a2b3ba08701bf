"""How Horizon's history goes wrong on demand: not known yet, trimmed while read, with holes."""

from __future__ import annotations

import aiohttp
import pytest
from stellar_sdk import xdr

from deploy.simulator.chain.server_view import ServerViews
from deploy.simulator.network import Network
from tests.simulator.samples import NOW, SSE, Sim, aged, read, rpc, stream

pytestmark = pytest.mark.timeout(20)


@pytest.fixture
def network() -> Network:
    return aged(12, streams=0)


async def status(http: aiohttp.ClientSession, path: str) -> int:
    async with http.get(path) as response:
        return response.status


async def ledgers_of(http: aiohttp.ClientSession, cursor: int) -> set[int]:
    """The ledgers that both ways to read bring after a cursor."""
    page = await read(http, f"/transactions?cursor={cursor}&limit=200")
    paged = {each["ledger"] for each in page["_embedded"]["records"]}
    body = await stream(http, f"cursor={cursor}&limit={len(page['_embedded']['records'])}")
    ids = [line[4:] for line in body.split(b"\n") if line.startswith(b"id: ")]
    assert {int(each) >> 32 for each in ids} == paged
    return paged


async def test_root_knows_no_ledger_at_first(http: aiohttp.ClientSession, sim: Sim) -> None:
    await sim("POST", "faults", kind="starting", times=2)
    for _ in range(2):
        root = await read(http, "/")
        for name in ("history_latest", "history_elder", "ingest_latest", "core_latest"):
            assert root[f"{name}_ledger"] == 0
        assert root["history_latest_ledger_closed_at"] == "0001-01-01T00:00:00Z"
        assert root["network_passphrase"]
    assert (await read(http, "/"))["history_elder_ledger"] > 0
    await sim("POST", "faults", kind="starting", times=100)
    await sim("DELETE", "faults")
    assert (await read(http, "/"))["history_latest_ledger"] > 0


async def test_trimmed_while_the_root_is_cached(
    http: aiohttp.ClientSession, sim: Sim, network: Network
) -> None:
    oldest, latest = network.chain.oldest.sequence, network.chain.latest.sequence
    await sim("POST", "faults", kind="trim", surface="horizon", after=3, seconds=60)
    assert (await read(http, "/"))["history_elder_ledger"] == oldest
    assert await status(http, f"/ledgers/{oldest}") == 404
    assert await ledgers_of(http, oldest << 32) == {latest - 2, latest - 1, latest}
    await sim("DELETE", "faults")  # as when the second is over
    assert (await read(http, "/"))["history_elder_ledger"] == latest - 2
    assert await status(http, f"/ledgers/{oldest}") == 410


async def test_trim_of_the_whole_chain_can_be_cached_too(
    http: aiohttp.ClientSession, sim: Sim, network: Network
) -> None:
    oldest, latest = network.chain.oldest.sequence, network.chain.latest.sequence
    await sim("POST", "faults", kind="trim", after=3, seconds=60)
    assert (await read(http, "/"))["history_elder_ledger"] == oldest
    assert (await rpc(http, "getHealth"))["result"]["oldestLedger"] == latest - 2


def test_bounds_are_looked_up_when_they_are_old(network: Network) -> None:
    now = 100.0
    views = ServerViews(cache_seconds=1.0, clock=lambda: now)
    chain, oldest = network.chain, network.chain.oldest.sequence
    assert views.status(chain).oldest == oldest
    chain.trim(2)
    now = 100.9
    assert views.status(chain).oldest == oldest
    now = 101.0
    assert views.status(chain).oldest == chain.oldest.sequence > oldest


@pytest.mark.parametrize("where", ["*", "horizon"])
async def test_hole_inside_horizons_history(
    http: aiohttp.ClientSession, sim: Sim, network: Network, where: str
) -> None:
    oldest, latest = network.chain.oldest.sequence, network.chain.latest.sequence
    first, last = oldest + 3, oldest + 5
    lost = next(iter(network.chain.after(first << 32))).hash
    await sim("POST", "faults", kind="hole", surface=where, first=first, last=last)
    assert (await read(http, "/"))["history_elder_ledger"] == oldest
    rest = {*range(oldest, first), *range(last + 1, latest + 1)}
    assert await ledgers_of(http, oldest << 32) == rest
    found = [await status(http, f"/ledgers/{n}") for n in range(oldest, latest + 1)]
    assert found == [200 if n in rest else 404 for n in range(oldest, latest + 1)]
    assert await status(http, f"/transactions/{lost}") == 404
    assert (await rpc(http, "getTransaction", hash=lost))["result"]["status"] == "SUCCESS"
    await sim("DELETE", "faults")
    assert await ledgers_of(http, oldest << 32) == set(range(oldest, latest + 1))


async def test_hole_of_rpc(http: aiohttp.ClientSession, sim: Sim, network: Network) -> None:
    oldest, latest = network.chain.oldest.sequence, network.chain.latest.sequence
    await sim("POST", "faults", kind="hole", surface="rpc", first=oldest + 1, last=latest - 1)
    events = (await rpc(http, "getEvents", startLedger=oldest))["result"]["events"]
    assert {each["ledger"] for each in events} == {oldest, latest}
    assert len(await ledgers_of(http, oldest << 32)) == latest - oldest + 1


@pytest.mark.parametrize("bounds", [{}, {"first": 5}, {"first": 5, "last": 4}])
async def test_hole_needs_its_bounds(http: aiohttp.ClientSession, bounds: dict[str, int]) -> None:
    async with http.post("/sim/faults", json={"kind": "hole"} | bounds) as response:
        assert response.status == 400
        assert "`first` and `last`" in (await response.json())["error"]


@pytest.mark.parametrize(("version", "begins"), [(3, "AAAAAwAAA"), (4, "AAAABAAA")])
async def test_empty_meta(
    http: aiohttp.ClientSession, sim: Sim, network: Network, version: int, begins: str
) -> None:
    create = {"op": "create", "sender": "alice", "recipient": "bob", "amount": 10**6}
    await sim("POST", "operations", operations=[create | {"duration": 10}], meta=version)
    made = (await sim("POST", "close", now=NOW + 100))["transactions"][0]["hash"]
    await sim("POST", "faults", kind="empty_meta")
    kept = (await rpc(http, "getTransaction", hash=made))["result"]["resultMetaXdr"]
    text = (await read(http, f"/transactions/{made}"))["result_meta_xdr"]
    assert text.startswith(begins)
    meta = xdr.TransactionMeta.from_xdr(text)
    assert meta.to_xdr() == text
    body = meta.v3 or meta.v4
    assert body and not body.operations and body.soroban_meta is None  # noqa: PT018
    assert (await read(http, f"/transactions/{made}"))["result_meta_xdr"] == kept != text


@pytest.mark.parametrize("code", [400, 404, 406, 410])
async def test_page_of_a_proxy(http: aiohttp.ClientSession, sim: Sim, code: int) -> None:
    paths = [("GET", "/", {}), ("GET", "/ledgers/5", {}), ("GET", "/transactions", SSE)]
    for method, path, headers in [*paths, ("POST", "/rpc", {})]:
        await sim("POST", "faults", kind="not_found", status=code)
        async with http.request(method, path, headers=headers) as response:
            assert response.status == code
            assert response.content_type == "text/html"
            assert str(code) in await response.text()
    await sim("POST", "faults", kind="not_found", surface="root")
    assert await status(http, "/") == 404


async def test_status_must_be_one_of_http(http: aiohttp.ClientSession) -> None:
    for code in (200, 499, "404"):
        async with http.post("/sim/faults", json={"kind": "not_found", "status": code}) as response:
            assert response.status == 400
