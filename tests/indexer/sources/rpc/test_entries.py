"""The contract's storage, read through RPC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, web

from deploy.simulator.chain import accounts
from deploy.simulator.chain.entries import entry_key
from deploy.simulator.chain.operations import Operation, Proposal
from deploy.simulator.chain.values import to_scval
from deploy.simulator.contracts.storage import stream_key
from shared.chain.decode.stream_record import read_record, stream_count
from shared.chain.errors import SourceError
from shared.chain.rpc import MOST_KEYS, RpcClient, RpcError
from shared.chain.xdr.entries import contract_data
from shared.chain.xdr.ledger_keys import instance_key, record_key
from shared.domain.strkeys import CONTRACT, payload_of
from tests.indexer.simulated import Sim, simulated
from tests.support.web import serving

pytestmark = [pytest.mark.timeout(20), pytest.mark.io]
OURS = payload_of(CONTRACT, accounts.STREAMS)


@pytest.fixture
async def chain() -> AsyncIterator[Sim]:
    async with simulated(0, streams=0, fee_bps=0) as sim:
        create = Operation(op="create", amount=1000, duration=100)
        sim.network.submit(Proposal(operations=(create, create)))
        sim.close()
        yield sim


def client(sim: Sim) -> RpcClient:
    return RpcClient(sim.session, f"{sim.url}/rpc")


async def test_records_and_the_counter_are_read(chain: Sim) -> None:
    keys = [instance_key(OURS), *(record_key(OURS, "Stream", n) for n in (1, 2, 3))]
    answer = await client(chain).entries(keys)
    assert answer.latest == chain.network.chain.latest.sequence
    assert list(answer.found) == keys[:3], "stream 3 does not exist"
    assert stream_count(contract_data(answer.found[keys[0]].data).value) == 2
    entry = answer.found[keys[2]]
    record = read_record(contract_data(entry.data).value)
    assert (record.rate, record.deposited, record.status) == (10, 1000, "Active")
    assert (entry.modified, entry.archived) == (answer.latest, False)


async def test_an_archived_entry_is_told(chain: Sim) -> None:
    key = record_key(OURS, "Stream", 1)
    text = entry_key(accounts.STREAMS, to_scval(stream_key("1"))).to_xdr()
    chain.network.storage.archive(text, chain.network.chain.latest.sequence)
    assert (await client(chain).entries([key])).found[key].archived


async def test_too_many_keys_are_an_error_of_rpc(chain: Sim) -> None:
    keys = [record_key(OURS, "Stream", n) for n in range(1, MOST_KEYS + 2)]
    assert len((await client(chain).entries(keys[:-1])).found) == 2
    with pytest.raises(RpcError, match=r"key count \(201\) exceeds"):
        await client(chain).entries(keys)


GOOD = {"key": "AAAA", "xdr": "AAAA", "lastModifiedLedgerSeq": 5, "liveUntilLedgerSeq": 9}


@pytest.mark.parametrize(
    "result",
    [
        {"entries": []},
        {"entries": [], "latestLedger": 0},
        {"entries": 5, "latestLedger": 7},
        {"entries": [5], "latestLedger": 7},
        {"entries": [GOOD | {"key": "?"}], "latestLedger": 7},
        {"entries": [GOOD | {"xdr": None}], "latestLedger": 7},
        {"entries": [{k: v for k, v in GOOD.items() if k[0] != "l"}], "latestLedger": 7},
    ],
)
async def test_a_malformed_answer_is_an_error_of_the_source(result: Any) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"jsonrpc": "2.0", "id": 1, "result": result})

    async with serving(web.post("/", answer)) as port, ClientSession() as session:
        with pytest.raises(SourceError, match=r"malformed|no_ledger"):
            await RpcClient(session, f"http://127.0.0.1:{port}/").entries([b"key"])
