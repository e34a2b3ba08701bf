"""getTransactions of the simulated RPC: pages in the order of the chain."""

from __future__ import annotations

import pytest

from deploy.simulator.network import Network
from tests.simulator.samples import Call

START = 3_700_000
pytestmark = [pytest.mark.io, pytest.mark.timeout(15)]


async def test_transactions_come_in_pages(network: Network, call: Call) -> None:
    chain = network.chain
    expected = list(chain.after(0))
    page = await call("getTransactions", startLedger=chain.oldest.sequence, pagination={"limit": 3})
    shown = page["transactions"]
    while len(page["transactions"]) == 3:
        page = await call("getTransactions", pagination={"cursor": page["cursor"], "limit": 3})
        shown += page["transactions"]
    assert [each["txHash"] for each in shown] == [each.hash for each in expected]
    for each in shown:
        single = await call("getTransaction", hash=each["txHash"])
        assert each == {name: single[name] for name in each} | {"createdAt": each["createdAt"]}
        assert str(each["createdAt"]) == single["createdAt"]
    assert int(page["cursor"]) == expected[-1].toid + 1


async def test_transactions_outside_of_the_history(network: Network, call: Call) -> None:
    beyond = network.chain.latest.sequence + 1
    for params, code in (
        ({"startLedger": 1}, -32600),
        ({"startLedger": beyond}, -32600),
        ({}, -32600),
        ({"startLedger": START, "pagination": {"cursor": "5"}}, -32600),
        ({"startLedger": START, "pagination": {"limit": 201}}, -32600),
        ({"pagination": {"cursor": str(1 << 32)}}, -32602),
    ):
        assert (await call("getTransactions", **params))["code"] == code
    nothing = await call("getTransactions", pagination={"cursor": str(beyond << 32)})
    assert nothing["transactions"] == []
