"""The simulated RPC against what a real one answered: stellar-rpc's handlers, v28, 2026-11.

The tables are what was seen there, in our own words: members and their types, codes and texts.
Values that depend on the ledger are not compared.
"""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from deploy.simulator.chain import accounts
from deploy.simulator.network import Network
from tests.simulator.real_answers import places, small
from tests.simulator.shapes import Shape, members, shape

pytestmark = pytest.mark.timeout(15)

OURS = {"type": "contract", "contractIds": [accounts.STREAMS]}
BOUNDS = members("latestLedger oldestLedger", "int")
TIMES = "latestLedgerCloseTime oldestLedgerCloseTime"
EVENT = (
    members("type ledgerClosedAt contractId id txHash value")
    | members("ledger operationIndex transactionIndex", "int")
    | {".inSuccessfulContractCall": "bool", ".topic[]": "str"}
)
EVENTS = (
    BOUNDS
    | members(TIMES)
    | members("cursor")
    | {f".events[]{path}": kind for path, kind in EVENT.items()}
)
NO_EVENTS = BOUNDS | members(TIMES) | members("cursor") | {".events": "list"}
LEDGERS = (
    BOUNDS
    | members(TIMES, "int")
    | members("cursor")
    | members("hash ledgerCloseTime headerXdr metadataXdr", under=".ledgers[]")
    | {".ledgers[].sequence": "int"}
)
NOT_FOUND = (
    BOUNDS
    | members(TIMES)
    | members("txHash status createdAt")
    | members("applicationOrder ledger", "int")
    | {".feeBump": "bool", ".events": "dict"}
)
FOUND = (
    {path: kind for path, kind in NOT_FOUND.items() if path != ".events"}
    | members("envelopeXdr resultXdr resultMetaXdr")
    | {".events.contractEventsXdr[][]": "str", ".events.transactionEventsXdr[]": "str"}
)
LISTED = (
    BOUNDS
    | members("latestLedgerCloseTimestamp oldestLedgerCloseTimestamp", "int")
    | members("cursor")
    | members("txHash status envelopeXdr resultXdr resultMetaXdr", under=".transactions[]")
    | {f".transactions[].{name}": "int" for name in ("applicationOrder", "ledger", "createdAt")}
    | {".transactions[].feeBump": "bool", ".transactions[].events.contractEventsXdr[][]": "str"}
    | {".transactions[].events.transactionEventsXdr[]": "str"}
)
"""Not recorded: from the source code of stellar-rpc 28 (get_transactions.go)."""
HEALTH = BOUNDS | members(TIMES) | members("status") | members("ledgerRetentionWindow", "int")
NETWORK = members("passphrase") | members("protocolVersion", "int")
LATEST = members("id closeTime headerXdr metadataXdr") | members("protocolVersion sequence", "int")


@pytest.fixture
def network() -> Network:
    return small()


def filled(params: Any, network: Network) -> Any:
    """The parameters with places of this network in them."""
    here = {
        **places(network),
        "oldest": network.chain.oldest.sequence,
        "beyond": network.chain.latest.sequence + 1,
        "tip": network.chain.latest.sequence,
    }
    match params:
        case dict():
            return {name: filled(value, network) for name, value in params.items()}
        case str() if params.strip("{}") in here and params.startswith("{"):
            return here[params.strip("{}")]
        case str() if params.startswith("{"):
            number = here[params[1:].split("}")[0]]
            return f"{int(str(number)) << 32:019}{params.split('}')[1]}"
    return params


async def post(http: aiohttp.ClientSession, method: str, params: Any) -> aiohttp.ClientResponse:
    body = {"jsonrpc": "2.0", "id": 1, "method": method}
    response = await http.post("/rpc", json=body if params is None else body | {"params": params})
    await response.read()
    return response


LEDGER_BOUNDS = ["latestLedger", "oldestLedger"]
_TRANSACTION = "latestLedger latestLedgerCloseTime oldestLedger oldestLedgerCloseTime status txHash"
ORDERS = {
    ("getEvents", False): ["events", "cursor", *LEDGER_BOUNDS, *TIMES.split()],
    ("getTransaction", False): f"{_TRANSACTION} applicationOrder feeBump envelopeXdr resultXdr"
    " resultMetaXdr events ledger createdAt".split(),
    ("getTransaction", True): f"{_TRANSACTION} applicationOrder feeBump events ledger"
    " createdAt".split(),
}
"""The order of a result's members."""
RESULTS: list[tuple[str, Any, Shape]] = [
    ("getEvents", {"startLedger": "{ledger}", "filters": [OURS]}, EVENTS),
    ("getEvents", {"startLedger": "{ledger}"}, EVENTS),
    ("getEvents", {"startLedger": "{ledger}", "pagination": {"limit": 5}}, EVENTS),
    ("getEvents", {"startLedger": "{ledger}", "endLedger": "{tip}", "filters": [OURS]}, EVENTS),
    ("getEvents", {"startLedger": "{tip}", "filters": [{"contractIds": []}]}, EVENTS),
    ("getEvents", {"pagination": {"cursor": "{ledger}-0000000000", "limit": 2}}, EVENTS),
    ("getEvents", {"pagination": {"cursor": "{tip}-4294967295"}, "filters": [OURS]}, EVENTS),
    ("getEvents", {"startLedger": "{tip}", "filters": [{"type": "system"}]}, NO_EVENTS),
    ("getTransaction", {"hash": "{plain}"}, FOUND),
    ("getTransaction", {"hash": "ab" * 32}, NOT_FOUND),
    ("getTransactions", {"startLedger": "{ledger}", "pagination": {"limit": 5}}, LISTED),
    ("getLedgers", {"startLedger": "{ledger}", "pagination": {"limit": 1}}, LEDGERS),
    ("getHealth", None, HEALTH),
    ("getHealth", {}, HEALTH),
    ("getNetwork", None, NETWORK),
    ("getLatestLedger", None, LATEST),
]


@pytest.mark.parametrize(("method", "params", "seen"), RESULTS)
async def test_results(
    http: aiohttp.ClientSession, network: Network, method: str, params: Any, seen: Shape
) -> None:
    response = await post(http, method, filled(params, network))
    answer = await response.json()
    assert response.status == 200
    assert list(answer) == ["jsonrpc", "id", "result"]
    assert shape(answer["result"]) == seen
    expected = ORDERS.get((method, seen is NOT_FOUND), [])
    assert [name for name in answer["result"] if name in expected] == expected
    told = dict(response.headers)
    del told["Date"], told["Content-Length"]
    assert told == {
        "Accept-Post": "application/json",
        "Content-Type": "application/json",
        "Vary": "Origin",
    }


RANGE = (-32600, "startLedger must be within the ledger range: {oldest} - {latest}", None)
LEDGER_RANGE = "must be between the oldest ledger: {oldest} and the latest ledger: {latest}"
POSITIVE = (-32602, "startLedger must be positive", None)
FROM: dict[str, Any] = {"startLedger": "{ledger}"}
FILTER = "filter 1 invalid:"
ERRORS: list[tuple[str, Any, tuple[int, str, str | None]]] = [
    ("getEvents", {"startLedger": "{beyond}", "filters": [OURS]}, RANGE),
    ("getEvents", {"startLedger": 1, "filters": [OURS]}, RANGE),
    ("getEvents", {"pagination": {"cursor": "0000000000000000000-0000000000"}}, RANGE),
    ("getEvents", {"pagination": {"cursor": "{beyond}-0000000000"}}, RANGE),
    ("getEvents", {"startLedger": 0, "filters": [OURS]}, POSITIVE),
    ("getEvents", {"filters": [OURS]}, POSITIVE),
    ("getEvents", {}, POSITIVE),
    ("getEvents", None, POSITIVE),
    (
        "getEvents",
        FROM | {"pagination": {"cursor": "{ledger}-0000000000"}},
        (-32602, "ledger ranges and cursor cannot both be set", None),
    ),
    (
        "getEvents",
        {"pagination": {"cursor": "abc"}},
        (-32602, "invalid parameters", "invalid event id abc"),
    ),
    (
        "getEvents",
        FROM | {"pagination": {"limit": 10_001}},
        (-32602, "limit must not exceed 10000", None),
    ),
    ("getEvents", FROM | {"filters": [OURS] * 6}, (-32602, "maximum 5 filters per request", None)),
    (
        "getEvents",
        FROM | {"filters": [{"contractIds": [accounts.STREAMS] * 6}]},
        (-32602, f"{FILTER} maximum 5 contract IDs per filter", None),
    ),
    (
        "getEvents",
        FROM | {"filters": [{"contractIds": ["CABC"]}]},
        (-32602, f"{FILTER} contract ID 1 invalid", None),
    ),
    *(
        (
            "getEvents",
            FROM | {"filters": [{"type": odd}]},
            (
                -32602,
                f"{FILTER} filter type invalid: if set, type must be either 'system' or 'contract'",
                None,
            ),
        )
        for odd in ("bogus", "diagnostic")
    ),
    ("getTransaction", {"hash": "ab"}, (-32602, "unexpected hash length (2)", None)),
    ("getTransaction", {}, (-32602, "unexpected hash length (0)", None)),
    (
        "getTransaction",
        {"hash": "z" * 64},
        (-32602, "incorrect hash: encoding/hex: invalid byte: U+007A 'z'", None),
    ),
    (
        "getLedgers",
        {"startLedger": 1, "pagination": {"limit": 1}},
        (-32600, f"start ledger (1) {LEDGER_RANGE} for this rpc instance", None),
    ),
    (
        "getLedgers",
        FROM | {"pagination": {"limit": 201}},
        (-32600, "limit must not exceed 200", None),
    ),
    ("nope", None, (-32601, "method not found", "nope")),
    ("", None, (-32600, "empty method name", None)),
    *(
        (
            method,
            params | {"xdrFormat": "bogus"},
            (-32602, "got 'bogus': expected base64, json for optional 'xdrFormat'", None),
        )
        for method, params in (("getEvents", FROM), ("getTransaction", {"hash": "ab" * 32}))
    ),
]


@pytest.mark.parametrize(("method", "params", "seen"), ERRORS)
async def test_errors(
    http: aiohttp.ClientSession,
    network: Network,
    method: str,
    params: Any,
    seen: tuple[int, str, str | None],
) -> None:
    response = await post(http, method, filled(params, network))
    assert response.status == 200
    answer = await response.json()
    assert list(answer) == ["jsonrpc", "id", "error"]
    code, text, data = seen
    bounds = {"oldest": network.chain.oldest.sequence, "latest": network.chain.latest.sequence}
    error = {"code": code, "message": text.format(**bounds)}
    assert answer["error"] == error | ({"data": data} if data else {})
