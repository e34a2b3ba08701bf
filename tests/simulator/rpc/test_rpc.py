"""Stellar RPC as the simulated network speaks it, through real sockets."""

from __future__ import annotations

import pytest
from stellar_sdk import scval

from deploy.simulator.chain import accounts
from deploy.simulator.chain.operations import Operation, Proposal
from deploy.simulator.network import Network
from tests.simulator.samples import NOW, Call

START = 3_700_000
FEE = scval.to_symbol("fee").to_xdr()
WITHDRAWN = scval.to_symbol("tokens_withdrawn").to_xdr()
pytestmark = [pytest.mark.io, pytest.mark.timeout(15)]


def emitted(network: Network, contract: str = accounts.STREAMS) -> list[str]:
    return [
        f"{r.position.toid:019}-{r.position.n:010}"
        for r in network.events
        if contract in ("*", r.event.contract_id)
    ]


def ours(**more: object) -> dict[str, object]:
    return {"type": "contract", "contractIds": [accounts.STREAMS], **more}


async def test_pages_give_every_event_once(network: Network, call: Call) -> None:
    seen: list[str] = []
    answer = await call("getEvents", startLedger=START, filters=[ours()], pagination={"limit": 7})
    while answer["events"]:
        assert len(answer["events"]) <= 7
        seen += [each["id"] for each in answer["events"]]
        page = {"cursor": answer["cursor"], "limit": 7}
        answer = await call("getEvents", filters=[ours()], pagination=page)
    assert seen == emitted(network)
    assert seen == sorted(seen)


async def test_cursor_of_an_empty_answer_moves_on(network: Network, call: Call) -> None:
    stranger = accounts.contract_id("nobody")
    answer = await call("getEvents", startLedger=START, filters=[{"contractIds": [stranger]}])
    tip = network.chain.latest.sequence
    assert answer["events"] == []
    assert answer["cursor"] == f"{(tip << 32) + 0xFFFFFFFF:019}-4294967295"
    network.submit(Proposal(operations=(Operation(op="emit"),)))
    network.close(NOW + 1000)
    after = await call("getEvents", pagination={"cursor": answer["cursor"]})
    assert after["events"][0]["ledger"] == tip + 1


async def test_an_event_has_the_facts(network: Network, call: Call) -> None:
    answer = await call("getEvents", startLedger=START, pagination={"limit": 10_000})
    assert {k: answer[k] for k in answer if k not in ("events", "cursor")} == {
        "latestLedger": network.chain.latest.sequence,
        "oldestLedger": START,
        "latestLedgerCloseTime": str(network.chain.latest.closed_at),
        "oldestLedgerCloseTime": str(NOW),
    }
    events = [each for each in answer["events"] if each.get("topic", [""])[0] != FEE]
    assert [each["id"] for each in events] == emitted(network, "*")
    for shown, recorded in zip(events, network.events, strict=True):
        assert shown["txHash"] == recorded.tx_hash
        assert shown["transactionIndex"] == recorded.position.toid >> 12 & 0xFFFFF
        assert shown["operationIndex"] == 0
        assert shown["value"] == recorded.event.value
        assert shown.get("topic", []) == list(recorded.event.topics)
        assert ("topic" in shown) == bool(recorded.event.topics)
        assert shown["type"] == "contract"
        assert shown["ledgerClosedAt"].endswith("Z")
        assert "inSuccessfulContractCall" not in shown


async def test_filters(network: Network, call: Call) -> None:
    async def found(*filters: object) -> list[str]:
        answer = await call(
            "getEvents", startLedger=START, filters=list(filters), pagination={"limit": 10_000}
        )
        return [each["id"] for each in answer["events"]]

    events = {f"{r.position.toid:019}-{r.position.n:010}": r.event for r in network.events}
    withdrawn = [n for n, e in events.items() if e.name == "tokens_withdrawn"]
    mine = [n for n in withdrawn if events[n].contract_id == accounts.STREAMS]
    one = [n for n in mine if events[n].stream_id == "1"]
    assert 0 < len(one) < len(mine) < len(withdrawn)
    stream_1 = scval.to_uint64(1).to_xdr()
    assert await found(ours(topics=[[WITHDRAWN, "**"]])) == mine
    assert await found(ours(topics=[[WITHDRAWN, "*"]])) == mine
    assert await found(ours(topics=[[WITHDRAWN]])) == []
    assert await found({"topics": [[WITHDRAWN, "**"]]}) == withdrawn
    assert await found(ours(topics=[[WITHDRAWN, stream_1]])) == one
    assert await found(ours(topics=[["**"]])) == emitted(network)
    transfers = scval.to_symbol("transfer").to_xdr()
    both = await found(ours(topics=[[WITHDRAWN, "*"]]), {"topics": [[transfers, "*", "*", "*"]]})
    assert set(both) == set(mine) | {n for n, e in events.items() if e.name == "transfer"}
    assert await found({"type": "system"}) == []


async def test_end_ledger_is_exclusive(network: Network, call: Call) -> None:
    answer = await call("getEvents", startLedger=START, endLedger=START + 3)
    assert {each["ledger"] for each in answer["events"]} <= {START, START + 1, START + 2}
    assert int(answer["cursor"].split("-")[0]) >> 32 == START + 2


REFUSED: list[tuple[dict[str, object], int, str]] = [
    ({"startLedger": 5}, -32600, "startLedger must be within the ledger range: {} - {}"),
    ({"startLedger": 9**9}, -32600, "startLedger must be within the ledger range: {} - {}"),
    ({}, -32602, "startLedger must be positive"),
    (
        {"startLedger": START, "pagination": {"cursor": "1-1"}},
        -32602,
        "ledger ranges and cursor cannot both be set",
    ),
    (
        {"startLedger": START, "pagination": {"limit": 10_001}},
        -32602,
        "limit must not exceed 10000",
    ),
    ({"startLedger": START, "filters": [{}] * 6}, -32602, "maximum 5 filters per request"),
    (
        {"startLedger": START, "filters": [{"contractIds": [accounts.TOKEN] * 6}]},
        -32602,
        "filter 1 invalid: maximum 5 contract IDs per filter",
    ),
    (
        {"startLedger": START, "filters": [{}, {"contractIds": ["C"]}]},
        -32602,
        "filter 2 invalid: contract ID 1 invalid",
    ),
    (
        {"startLedger": START, "filters": [{"topics": [["*"]] * 6}]},
        -32602,
        "filter 1 invalid: maximum 5 topics per filter",
    ),
    (
        {"startLedger": START, "filters": [{"topics": [["**", "*"]]}]},
        -32602,
        "filter 1 invalid: topic 1 invalid: segment 1 invalid: "
        "wildcard '**' is only allowed as the last segment",
    ),
    (
        {"startLedger": START, "filters": [{"topics": [["*"] * 5]}]},
        -32602,
        "filter 1 invalid: topic 1 invalid: topic cannot have more than 4 segments",
    ),
    ({"startLedger": START, "filters": [{"topics": [["x"]]}]}, -32602, "invalid parameters"),
]


async def test_invalid_parameters_are_refused(network: Network, call: Call) -> None:
    bounds = network.chain.oldest.sequence, network.chain.latest.sequence
    for params, code, text in REFUSED:
        answer = await call("getEvents", **params)
        assert answer == {"code": code, "message": text.format(*bounds)}, params


async def test_an_invalid_cursor_is_refused(call: Call) -> None:
    answer = await call("getEvents", pagination={"cursor": "x"})
    data = "invalid event id x"
    assert answer == {"code": -32602, "message": "invalid parameters", "data": data}


async def test_a_cursor_can_fall_out_of_history(network: Network, call: Call) -> None:
    answer = await call("getEvents", startLedger=START, pagination={"limit": 1})
    network.chain.trim(3)
    refused = await call("getEvents", pagination={"cursor": answer["cursor"]})
    assert refused["code"] == -32600
    assert str(network.chain.oldest.sequence) in refused["message"]


async def test_transaction(network: Network, call: Call) -> None:
    for transaction in network.chain.after(0):
        shown = await call("getTransaction", hash=transaction.hash)
        assert shown["status"] == ("SUCCESS" if transaction.successful else "FAILED")
        assert shown["envelopeXdr"] == transaction.signed.envelope
        assert shown["resultXdr"] == transaction.result
        assert shown["resultMetaXdr"] == transaction.meta
        assert shown["ledger"] == transaction.ledger
        assert shown["createdAt"] == str(transaction.closed_at)
        assert shown["applicationOrder"] == transaction.order
        assert shown["feeBump"] == (transaction.signed.inner_hash is not None)
        told = shown["events"].get("contractEventsXdr", [])
        assert told == [[e.xdr for e in events] for events in transaction.operations]


async def test_unknown_transaction(call: Call) -> None:
    shown = await call("getTransaction", hash="0" * 64)
    assert shown["status"] == "NOT_FOUND"
    assert "envelopeXdr" not in shown
    refused = await call("getTransaction", hash="00")
    assert refused == {"code": -32602, "message": "unexpected hash length (2)"}


async def test_small_methods(network: Network, call: Call) -> None:
    health = await call("getHealth")
    latest = network.chain.latest
    assert (health["status"], health["oldestLedger"]) == ("healthy", START)
    assert (await call("getNetwork"))["passphrase"] == network.settings.network_passphrase
    tip = await call("getLatestLedger")
    assert (tip["id"], tip["sequence"]) == (latest.hash, latest.sequence)


async def test_errors_of_json_rpc(raw: Call) -> None:
    async def code(body: object) -> int:
        return int((await raw(body))["error"]["code"])

    assert await code({"jsonrpc": "2.0", "id": 1, "method": "getMoney"}) == -32601
    assert await code({"id": 1, "method": "getHealth"}) == -32600
    assert await code({"jsonrpc": "2.0", "id": 1, "method": "getHealth", "params": [1]}) == -32602
