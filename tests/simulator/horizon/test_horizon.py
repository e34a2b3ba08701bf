"""Horizon's answers as the simulated network gives them: records, pages, the root, problems."""

from __future__ import annotations

import json

import aiohttp
import pytest

from deploy.simulator.chain.operations import Operation, Proposal
from deploy.simulator.network import Network
from deploy.simulator.responses import HAL, negotiated
from tests.simulator.samples import NOW, SSE, aged, good, read

PROBLEM = "application/problem+json; charset=utf-8"
pytestmark = pytest.mark.timeout(15)


@pytest.fixture
def network() -> Network:
    return aged(8, history_ledgers=20)


async def test_record_has_horizons_fields(network: Network, http: aiohttp.ClientSession) -> None:
    page = await read(http, "/transactions?limit=200")
    for each in page["_embedded"]["records"]:
        assert {"id", "paging_token", "successful", "ledger", "created_at"} < each.keys()
        assert each["id"] == each["hash"]
        assert each["created_at"].endswith("Z")
        assert isinstance(each["source_account_sequence"], str)
        assert ("memo" in each) == (each["memo_type"] == "text")
        found = network.chain.transaction(each["hash"])
        assert found
        assert [each["envelope_xdr"], each["result_xdr"], each["result_meta_xdr"]] == [
            found.signed.envelope,
            found.result,
            found.meta,
        ]


async def test_fee_bump_shows_both_transactions(
    network: Network, http: aiohttp.ClientSession
) -> None:
    network.submit(Proposal(operations=(Operation(op="foreign"),), fee_bump=True))
    bump = network.close(NOW + 20).transactions[0]
    shown = await read(http, f"/transactions/{bump.hash}")
    assert shown["fee_bump_transaction"]["hash"] == bump.hash
    assert shown["inner_transaction"]["hash"] == bump.signed.inner_hash
    assert shown["fee_account"] != shown["source_account"]
    by_inner = await read(http, f"/transactions/{bump.signed.inner_hash}")
    assert by_inner == shown


async def test_pages(network: Network, http: aiohttp.ClientSession) -> None:
    seen: list[int] = []
    path = "/transactions?limit=4&order=asc"
    while True:
        page = await read(http, path)
        if not (records := page["_embedded"]["records"]):
            break
        seen += [int(each["paging_token"]) for each in records]
        path = page["_links"]["next"]["href"]
    assert seen == good(network)
    newest = await read(http, "/transactions?order=desc&limit=2")
    assert [int(e["paging_token"]) for e in newest["_embedded"]["records"]] == seen[:-3:-1]


async def test_failed_ones_only_when_asked_for(
    network: Network, http: aiohttp.ClientSession
) -> None:
    network.submit(Proposal(operations=(Operation(op="fail"),)))
    failed = network.close(NOW + 50).transactions[0]
    cursor = f"cursor={failed.toid - 1}"
    page = await read(http, f"/transactions?{cursor}")
    assert failed.hash not in [each["hash"] for each in page["_embedded"]["records"]]
    page = await read(http, f"/transactions?{cursor}&include_failed=true")
    assert page["_embedded"]["records"][0]["hash"] == failed.hash
    assert page["_embedded"]["records"][0]["successful"] is False


async def test_root_and_ledgers(network: Network, http: aiohttp.ClientSession) -> None:
    root = await read(http, "/")
    latest = network.chain.latest
    assert root["history_latest_ledger"] == root["core_latest_ledger"] == latest.sequence
    assert root["history_latest_ledger_closed_at"] == "2026-02-02T02:40:07Z"
    assert root["network_passphrase"] == network.settings.network_passphrase
    tip = await read(http, f"/ledgers/{latest.sequence}")
    before = await read(http, f"/ledgers/{latest.sequence - 1}")
    assert tip["prev_hash"] == before["hash"]
    assert tip["hash"] == latest.hash
    assert tip["closed_at"] == "2026-02-02T02:40:07Z"


PROBLEMS = [
    ("/transactions?limit=201", 400, "bad_request"),
    ("/transactions?limit=0", 400, "bad_request"),
    ("/transactions?limit=x", 400, "bad_request"),
    ("/transactions?cursor=-1", 400, "bad_request"),
    ("/transactions?cursor=abc", 400, "bad_request"),
    ("/transactions?order=up", 400, "bad_request"),
    ("/transactions?order=desc&cursor=1", 410, "before_history"),
    ("/nowhere", 404, "not_found"),
]
OF_ONE = [
    ("/ledgers/9999999", 404, "not_found"),
    ("/ledgers/17", 410, "before_history"),
    ("/ledgers/x", 400, "bad_request"),
    (f"/transactions/{'0' * 64}", 404, "not_found"),
    ("/transactions/zz", 400, "bad_request"),
]


async def test_problems(http: aiohttp.ClientSession) -> None:
    asked = [(*each, headers) for each in PROBLEMS for headers in (SSE, {})]
    asked += [(*each, {}) for each in OF_ONE]
    asked += [(path, 406, "not_acceptable", SSE) for path, *_ in OF_ONE]
    for path, status, slug, headers in asked:
        async with http.get(path, headers=headers) as response:
            assert response.status == status, path
            assert response.headers["Content-Type"] == PROBLEM
            problem = json.loads(await response.read())
        assert problem["type"] == f"https://stellar.org/horizon-errors/{slug}"
        assert problem["status"] == status


async def test_pages_of_ledgers(network: Network, http: aiohttp.ClientSession) -> None:
    oldest, latest = network.chain.oldest.sequence, network.chain.latest.sequence
    page = await read(http, f"/ledgers?cursor={oldest << 32}&limit=3&order=asc")
    records = page["_embedded"]["records"]
    assert [each["sequence"] for each in records] == [oldest + 1, oldest + 2, oldest + 3]
    assert records[0] == await read(http, f"/ledgers/{oldest + 1}")
    page = await read(http, page["_links"]["next"]["href"])
    assert page["_embedded"]["records"][0]["sequence"] == oldest + 4
    page = await read(http, page["_links"]["prev"]["href"])
    assert [each["sequence"] for each in page["_embedded"]["records"]] == [
        *range(oldest + 3, oldest, -1)
    ]
    newest = await read(http, "/ledgers?order=desc&limit=1")
    assert newest["_embedded"]["records"][0]["sequence"] == latest
    assert (await read(http, "/ledgers?cursor=now"))["_embedded"]["records"] == []


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", HAL),
        ("*/*", HAL),
        ("application/*", HAL),
        ("application/json", "application/json"),
        ("text/html, application/json;q=0.9, */*;q=0.8", "application/json"),
        ("text/event-stream", "text/event-stream"),
        ("application/json;q=0.1, text/event-stream", "text/event-stream"),
        ("text/html", ""),
    ],
)
def test_negotiation(accept: str, kind: str) -> None:
    assert negotiated(accept) == kind
