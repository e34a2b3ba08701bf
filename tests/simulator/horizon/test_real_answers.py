"""The simulated Horizon against what a real one answered: Horizon 28 on PostgreSQL, 2026-11.

The tables are what was seen there, in our own words: status, headers, members and their types.
Values that depend on the ledger are not compared.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import aiohttp
import pytest

from deploy.simulator.network import Network
from tests.simulator.real_answers import GZIP, NO_STORE, ask, places, small
from tests.simulator.shapes import Shape, links, members, of_records, shape

pytestmark = pytest.mark.timeout(15)
HAL = "application/hal+json; charset=utf-8"

ROOT = (
    links(
        "fee_stats self",
        "account account_transactions accounts assets claimable_balances effects ledger ledgers"
        " liquidity_pools offer offers operation operations order_book payments transactions"
        " strict_receive_paths strict_send_paths trade_aggregations trades transaction",
    )
    | members("horizon_version core_version history_latest_ledger_closed_at network_passphrase")
    | members("ingest_latest_ledger history_latest_ledger history_elder_ledger", "int")
    | members("core_latest_ledger current_protocol_version", "int")
    | members("supported_protocol_version core_supported_protocol_version", "int")
)
LEDGER = (
    links("self", "effects operations payments transactions")
    | members("id paging_token hash prev_hash closed_at total_coins fee_pool header_xdr")
    | members("sequence successful_transaction_count failed_transaction_count", "int")
    | members("operation_count tx_set_operation_count base_fee_in_stroops", "int")
    | members("base_reserve_in_stroops max_tx_set_size protocol_version", "int")
)
ORDER = [
    "_links",
    "id",
    "paging_token",
    "successful",
    "hash",
    "ledger",
    "created_at",
    "source_account",
    "source_account_sequence",
    "fee_account",
    "fee_charged",
    "max_fee",
    "operation_count",
    "envelope_xdr",
    "result_xdr",
    "result_meta_xdr",
    "fee_meta_xdr",
    "memo_type",
    "signatures",
    "preconditions",
]
TRANSACTION = (
    links("account ledger precedes self succeeds transaction", "effects operations")
    | members("id paging_token hash created_at source_account source_account_sequence fee_account")
    | members("fee_charged max_fee envelope_xdr result_xdr result_meta_xdr fee_meta_xdr memo_type")
    | members("ledger operation_count", "int")
    | {".successful": "bool", ".signatures[]": "str", ".preconditions.timebounds.min_time": "str"}
)
MEMO = members("memo memo_bytes")
FEE_BUMP = (
    members("hash", under=".fee_bump_transaction")
    | members("hash max_fee", under=".inner_transaction")
    | {".fee_bump_transaction.signatures[]": "str", ".inner_transaction.signatures[]": "str"}
)


@pytest.fixture
def network() -> Network:
    return small()


DOCUMENTS: list[tuple[str, Mapping[str, str], Shape]] = [
    ("/", {}, ROOT),
    ("/", {"Accept": "*/*"}, ROOT),
    ("/ledgers/{ledger}", {}, LEDGER),
    ("/ledgers?cursor={after}&limit=2&order=asc", {}, of_records(LEDGER)),
    ("/transactions/{plain}", {}, TRANSACTION),
    ("/transactions/{memo}", {}, TRANSACTION | MEMO),
    ("/transactions/{outer}", {}, TRANSACTION | FEE_BUMP),
]


@pytest.mark.parametrize(("path", "headers", "seen"), DOCUMENTS)
async def test_documents(
    http: aiohttp.ClientSession,
    network: Network,
    path: str,
    headers: Mapping[str, str],
    seen: Shape,
) -> None:
    response = await ask(http, path.format(**places(network)), headers)
    assert response.status == 200
    assert shape(await response.json()) == seen
    told = dict(response.headers)
    whole = len(await response.read()) <= 2048
    assert ("Content-Length" in told, told.get("Transfer-Encoding")) == (
        (True, None) if whole else (False, "chunked")
    )
    assert whole == path.startswith("/ledgers/")
    for name in ("Date", "Content-Length", "Transfer-Encoding"):
        told.pop(name, None)
    assert told == {
        "Cache-Control": NO_STORE,
        "Content-Disposition": "inline",
        "Content-Type": HAL,
        "Vary": "Origin",
    }


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_pages(http: aiohttp.ClientSession, network: Network, order: str) -> None:
    after = places(network)["after"]
    response = await ask(http, f"/transactions?cursor={after}&limit=2&order={order}", {})
    page = await response.json()
    found = shape(page)
    every = of_records(TRANSACTION | MEMO | FEE_BUMP)
    assert of_records(TRANSACTION).items() <= found.items() <= every.items()
    base = str(http._base_url).rstrip("/")
    first, last = (each["paging_token"] for each in page["_embedded"]["records"])
    back = {"asc": "desc", "desc": "asc"}[order]
    assert {name: link["href"] for name, link in page["_links"].items()} == {
        "self": f"{base}/transactions?cursor={after}&limit=2&order={order}",
        "next": f"{base}/transactions?cursor={last}&limit=2&order={order}",
        "prev": f"{base}/transactions?cursor={first}&limit=2&order={back}",
    }


async def test_order_of_a_records_members(http: aiohttp.ClientSession, network: Network) -> None:
    here = places(network)
    bump = ["fee_bump_transaction", "inner_transaction"]
    nothing: list[str] = []
    rows = (
        ("plain", nothing, nothing),
        ("memo", ["memo", "memo_bytes"], nothing),
        ("outer", nothing, bump),
    )
    for name, first, last in rows:
        document = await (await ask(http, f"/transactions/{here[name]}", {})).json()
        assert list(document) == first + ORDER + last
        assert document["preconditions"] == {"timebounds": {"min_time": "0"}}


async def test_documents_are_compressed(http: aiohttp.ClientSession, network: Network) -> None:
    async with aiohttp.ClientSession(http._base_url, auto_decompress=False) as raw:
        response = await ask(raw, "/", GZIP)
        body = await response.read()
    plain = await ask(http, "/", {})
    assert zlib.decompress(body, wbits=31) == await plain.read()
    told = dict(response.headers)
    del told["Date"]
    assert told == {
        "Cache-Control": NO_STORE,
        "Content-Disposition": "inline",
        "Content-Encoding": "gzip",
        "Content-Type": HAL,
        "Vary": "Accept-Encoding",
        "Content-Length": str(len(body)),
    }
