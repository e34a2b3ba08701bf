"""Odd requests to the simulated RPC, and one without ledgers, as stellar-rpc answers them."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from deploy.simulator.network import Network
from tests.simulator.real_answers import ORIGIN, ask, small
from tests.simulator.samples import Sim, rpc

pytestmark = pytest.mark.timeout(15)
JSON = {"Content-Type": "application/json"}
TEXT = "text/plain; charset=utf-8"
CALL = {"jsonrpc": "2.0", "id": 1, "method": "getNetwork"}
NOTICE = {"jsonrpc": "2.0", "method": "getHealth"}


@pytest.fixture
def network() -> Network:
    return small()


async def send(
    http: aiohttp.ClientSession, body: object, headers: dict[str, str] = JSON
) -> aiohttp.ClientResponse:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = await http.post("/rpc", data=data, headers=headers)
    await response.read()
    return response


@pytest.mark.parametrize("body", [b"{", b"", b"[1,", b"nope"])
async def test_a_body_that_is_not_json(http: aiohttp.ClientSession, body: bytes) -> None:
    response = await send(http, body)
    assert (response.status, response.headers["Content-Type"]) == (500, TEXT)
    assert await response.read() == b"[-32700] invalid request value\n"
    assert response.headers["Accept-Post"] == "application/json"


@pytest.mark.parametrize("body", [[], NOTICE, NOTICE | {"id": None}, [NOTICE, NOTICE]])
async def test_nothing_to_answer(http: aiohttp.ClientSession, body: object) -> None:
    response = await send(http, body)
    assert (response.status, await response.read()) == (204, b"")
    assert "Content-Type" not in response.headers


async def test_batches(http: aiohttp.ClientSession, network: Network) -> None:
    single = await (await send(http, CALL)).json()
    assert single["result"]["passphrase"] == network.settings.network_passphrase
    assert await (await send(http, [CALL])).json() == [single]
    batch = await (await send(http, [CALL, NOTICE, CALL | {"id": "b"}, CALL | {"id": 2}])).json()
    assert batch == [single, single | {"id": "b"}, single | {"id": 2}]
    other = await (await send(http, [CALL, 7])).json()
    assert {each["id"] for each in other} == {1, None}


VERSION = (-32600, "invalid version marker")
ODD: list[tuple[Any, object, tuple[int, str]]] = [
    ({}, None, VERSION),
    (CALL | {"jsonrpc": "1.0"}, 1, VERSION),
    ({"id": "a", "method": "getNetwork"}, "a", VERSION),
    (7, None, (-32700, "request is not a JSON object")),
    (CALL | {"id": [1]}, None, (-32600, "invalid request ID")),
    (CALL | {"method": 5}, 1, (-32700, "invalid method name")),
    (CALL | {"params": "x"}, 1, (-32600, "parameters must be array or object")),
    (CALL | {"more": 1}, 1, (-32600, "extra fields in request")),
]


@pytest.mark.parametrize(("body", "number", "seen"), ODD)
async def test_odd_calls(
    http: aiohttp.ClientSession, body: object, number: object, seen: tuple[int, str]
) -> None:
    response = await send(http, body)
    assert response.status == 200
    answer = await response.json()
    data = answer["error"].pop("data", None)
    assert answer == {
        "jsonrpc": "2.0",
        "id": number,
        "error": dict(zip(("code", "message"), seen, strict=True)),
    }
    assert data == (["more"] if seen[1].startswith("extra") else None)


START = "Go struct field GetEventsRequest.startLedger of type uint32"
FIELD = "Go struct field GetEventsRequest"
MISTYPED: list[tuple[str, object, str]] = [
    ("getEvents", {"startLedger": "x"}, f"string into {START}"),
    ("getEvents", {"startLedger": -1}, f"number -1 into {START}"),
    ("getEvents", {"startLedger": 1.5}, f"number 1.5 into {START}"),
    ("getEvents", {"startLedger": True}, f"bool into {START}"),
    ("getEvents", {"startLedger": 1 << 32}, f"number 4294967296 into {START}"),
    ("getEvents", {"filters": {}}, f"object into {FIELD}.filters of type []protocol.EventFilter"),
    ("getEvents", {"filters": [5]}, f"number into {FIELD}.filters of type protocol.EventFilter"),
    (
        "getEvents",
        {"pagination": {"limit": "x"}},
        "string into Go struct field PaginationOptions.pagination.limit of type uint",
    ),
    ("getEvents", {"xdrFormat": 5}, f"number into {FIELD}.xdrFormat of type string"),
    ("getHealth", [], "array into Go value of type protocol.GetHealthRequest"),
    ("getEvents", [1], "array into Go value of type protocol.GetEventsRequest"),
]


@pytest.mark.parametrize(("method", "params", "data"), MISTYPED)
async def test_parameters_of_a_wrong_type(
    http: aiohttp.ClientSession, method: str, params: object, data: str
) -> None:
    answer = await (await send(http, CALL | {"method": method, "params": params})).json()
    assert answer["error"] == {
        "code": -32602,
        "message": "invalid parameters",
        "data": f"json: cannot unmarshal {data}",
    }


async def test_other_methods_and_types(http: aiohttp.ClientSession) -> None:
    for method in ("GET", "HEAD", "DELETE"):
        response = await ask(http, "/rpc", {}, method)
        assert (response.status, await response.read()) == (405, b"")
        assert response.headers["Accept-Post"] == "application/json"
        assert not {"Allow", "Content-Type"} & response.headers.keys()
    response = await send(http, CALL, {"Content-Type": "text/plain"})
    assert (response.status, response.headers["Content-Type"]) == (415, TEXT)
    assert await response.read() == b"content-type must be application/json\n"


async def test_pages_of_other_origins_may_read(http: aiohttp.ClientSession) -> None:
    response = await send(http, CALL, JSON | ORIGIN)
    assert response.headers["Access-Control-Allow-Origin"] == "http://a.example"
    assert "Access-Control-Expose-Headers" not in response.headers


EMPTY = [
    ("getNetwork", "DB is empty"),
    ("getEvents", "DB is empty"),
    ("getLedgers", "DB is empty"),
    ("getHealth", "[-32603] data stores are not initialized: DB is empty"),
    ("getLatestLedger", "could not get latest ledger sequence"),
    ("getTransaction", "unable to get ledger range: DB is empty"),
]


async def test_without_ledgers(http: aiohttp.ClientSession, sim: Sim) -> None:
    await sim("POST", "faults", kind="starting", surface="rpc", times=len(EMPTY))
    assert (await (await ask(http, "/", {})).json())["history_elder_ledger"] > 0
    for method, text in EMPTY:
        answer = await rpc(http, method, startLedger=3_700_000)
        assert answer["error"] == {"code": -32603, "message": text}
    assert "result" in await rpc(http, "getNetwork")
