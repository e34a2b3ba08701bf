"""The queue, and what faults do to submitted transactions."""

from __future__ import annotations

import aiohttp
import pytest
from stellar_sdk import TransactionEnvelope, xdr

from deploy.simulator.chain import accounts
from deploy.simulator.chain.holding_entries import account_key
from deploy.simulator.network import Network
from deploy.simulator.rpc.ledger_entries import read_entries
from deploy.simulator.settings import SimulatorSettings
from deploy.simulator.submission.queue import BAN_LEDGERS
from tests.simulator.samples import NOW, Sim, calls, rpc
from tests.simulator.submission.wallet import Wallet, code_of

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def envelope(alice: Wallet, bob: Wallet) -> TransactionEnvelope:
    """A new stream from Alice to Bob, signed."""
    return await creation(alice, bob)


async def creation(alice: Wallet, bob: Wallet, amount: int = 1_000_000) -> TransactionEnvelope:
    values = (alice.address, bob.address, accounts.TOKEN, amount, 100)
    return await alice.signed("create_stream", *values)


async def status(wallet: Wallet, envelope: TransactionEnvelope) -> str:
    found: str = (await wallet.send(envelope))["status"]
    return found


async def found(wallet: Wallet, envelope: TransactionEnvelope) -> str:
    answer: str = (await wallet.status(envelope))["status"]
    return answer


async def test_the_answer(alice: Wallet, envelope: TransactionEnvelope) -> None:
    latest = alice.network.chain.latest
    assert await alice.send(envelope) == {
        "status": "PENDING",
        "hash": envelope.hash_hex(),
        "latestLedger": latest.sequence,
        "latestLedgerCloseTime": str(latest.closed_at),
    }


async def test_sent_again(alice: Wallet, envelope: TransactionEnvelope) -> None:
    """A duplicate while it waits; banned for some ledgers after it was in one; then out of turn."""
    assert await status(alice, envelope) == "PENDING"
    assert await status(alice, envelope) == "DUPLICATE"
    assert await found(alice, envelope) == "NOT_FOUND"
    for _ in range(BAN_LEDGERS):
        alice.close()
        assert await status(alice, envelope) == "TRY_AGAIN_LATER"
    alice.close()
    answer = await alice.send(envelope)
    assert code_of(answer["errorResultXdr"]) == "txBAD_SEQ"
    assert await found(alice, envelope) == "SUCCESS"
    assert len(alice.network.contract.state.streams) == 1


async def test_one_transaction_of_an_account_waits(alice: Wallet, bob: Wallet) -> None:
    first, second = [await creation(alice, bob, amount) for amount in (1_000_000, 2_000_000)]
    third = await creation(alice, bob, 3_000_000)
    third.transaction.sequence -= 1
    third.signatures.clear()
    third.sign(alice.keys)
    assert await status(alice, first) == "PENDING"
    assert await status(alice, second) == "TRY_AGAIN_LATER"
    assert code_of((await alice.send(third))["errorResultXdr"]) == "txBAD_SEQ"
    alice.close()
    assert code_of((await alice.send(second))["errorResultXdr"]) == "txBAD_SEQ"


async def test_several_accounts_in_one_ledger(alice: Wallet, bob: Wallet) -> None:
    mine, his = await creation(alice, bob), await creation(bob, alice)
    assert [await status(alice, each) for each in (mine, his)] == ["PENDING"] * 2
    alice.close()
    answers = [await alice.status(each) for each in (mine, his)]
    assert [each["applicationOrder"] for each in answers] == [1, 2]
    assert len({each["ledger"] for each in answers}) == 1


async def test_try_again_later(alice: Wallet, envelope: TransactionEnvelope, sim: Sim) -> None:
    await sim("POST", "faults", kind="try_again_later")
    assert await status(alice, envelope) == "TRY_AGAIN_LATER"
    assert await status(alice, envelope) == "PENDING"


async def test_the_answer_is_lost(alice: Wallet, envelope: TransactionEnvelope, sim: Sim) -> None:
    """The transaction is executed, and the client does not hear of it."""
    await sim("POST", "faults", kind="drop", surface="sendTransaction")
    with pytest.raises(aiohttp.ClientError):
        await alice.send(envelope)
    assert await status(alice, envelope) == "DUPLICATE"
    alice.close()
    assert await found(alice, envelope) == "SUCCESS"


async def test_a_transaction_is_never_in_a_ledger(
    alice: Wallet, envelope: TransactionEnvelope, sim: Sim
) -> None:
    await sim("POST", "faults", kind="discarded")
    assert await status(alice, envelope) == "PENDING"
    for _ in range(BAN_LEDGERS + 1):
        alice.close()
        assert await found(alice, envelope) == "NOT_FOUND"
    assert await status(alice, envelope) == "PENDING"


async def test_a_transaction_waits(alice: Wallet, envelope: TransactionEnvelope, sim: Sim) -> None:
    await sim("POST", "faults", kind="delayed", after=2)
    assert await status(alice, envelope) == "PENDING"
    shown = []
    for _ in range(3):
        alice.close()
        shown.append(await found(alice, envelope))
    assert shown == ["NOT_FOUND", "NOT_FOUND", "SUCCESS"]


async def test_a_transaction_expires_in_the_queue(alice: Wallet, bob: Wallet, sim: Sim) -> None:
    builder = await alice.builder(
        "create_stream", alice.address, bob.address, accounts.TOKEN, 1_000_000, 100
    )
    builder.time_bounds = None
    builder.add_time_bounds(0, NOW + 8)
    envelope = await alice.server.prepare_transaction(builder.build())
    envelope.sign(alice.keys)
    await sim("POST", "faults", kind="delayed", after=1)
    assert await status(alice, envelope) == "PENDING"
    alice.close(NOW + 5)
    alice.close(NOW + 10)
    assert await found(alice, envelope) == "NOT_FOUND"
    assert alice.network.contract.state.streams == {}


async def test_another_transaction_takes_the_number(
    alice: Wallet, envelope: TransactionEnvelope, sim: Sim
) -> None:
    await sim("POST", "faults", kind="overtaken")
    assert await status(alice, envelope) == "PENDING"
    alice.close()
    assert await found(alice, envelope) == "NOT_FOUND"
    [other] = alice.network.chain.latest.transactions
    assert other.signed.source == alice.address
    assert other.signed.sequence == envelope.transaction.sequence


async def test_the_script_has_the_same_sequence_numbers(
    alice: Wallet, envelope: TransactionEnvelope, network: Network
) -> None:
    network.submit(calls({"op": "create", "sender": "alice", "amount": 10**6, "duration": 9}))
    alice.close()
    answer = await alice.send(envelope)
    assert code_of(answer["errorResultXdr"]) == "txBAD_SEQ"


async def test_rpc_is_away_in_the_middle(
    alice: Wallet, envelope: TransactionEnvelope, sim: Sim
) -> None:
    assert await status(alice, envelope) == "PENDING"
    await sim("POST", "faults", kind="503", surface="rpc", times=2)
    body = {"jsonrpc": "2.0", "id": 1, "method": "getTransaction", "params": {}}
    for _ in range(2):
        async with alice.http.post("/rpc", json=body) as answer:
            assert answer.status == 503
    alice.close()
    assert await found(alice, envelope) == "SUCCESS"


async def test_fee_surge(alice: Wallet, bob: Wallet, sim: Sim) -> None:
    await sim("POST", "faults", kind="fee_surge", fee=5_000)
    stats = (await rpc(alice.http, "getFeeStats"))["result"]
    assert stats["sorobanInclusionFee"]["min"] == "5000"
    answer = await alice.send(await creation(alice, bob))
    result = xdr.TransactionResult.from_xdr(answer["errorResultXdr"])
    assert result.result.code.name == "txINSUFFICIENT_FEE"
    assert result.fee_charged.int64 == 5_000  # the fee that would be enough
    values = (alice.address, bob.address, accounts.TOKEN, 1_000_000, 100)
    paying = await alice.signed("create_stream", *values, fee=6_000)
    assert await status(alice, paying) == "PENDING"
    alice.close()
    [done] = alice.network.chain.latest.transactions
    assert done.inclusion_fee == 5_000
    soroban = (await rpc(alice.http, "getFeeStats"))["result"]["sorobanInclusionFee"]
    assert (soroban["max"], soroban["transactionCount"]) == ("5000", "2")
    await sim("DELETE", "faults")
    assert await status(alice, await creation(alice, bob)) == "PENDING"


async def test_the_script_leaves_an_account_alone_while_a_client_prepares(
    http: aiohttp.ClientSession,
) -> None:
    """After a simulation, all transactions of a busy script come from other accounts."""
    busy = Network(SimulatorSettings(close_seconds=0), NOW)
    assert accounts.address("alice") in _sources(busy, NOW, 20)
    busy.submissions.reserve(accounts.address("alice"), busy.chain.latest.closed_at)
    quiet = _sources(busy, busy.chain.latest.closed_at, 20)
    assert accounts.address("alice") not in quiet


async def test_the_script_leaves_an_account_alone_that_a_client_has_read() -> None:
    """A client reads the sequence number before it simulates, and a ledger can close in between."""
    busy = Network(SimulatorSettings(close_seconds=0), NOW)
    key = account_key(accounts.address("alice")).to_xdr()
    read_entries({"keys": [key]}, busy.submissions, busy.chain.latest)
    assert accounts.address("alice") not in _sources(busy, busy.chain.latest.closed_at, 20)


def _sources(network: Network, start: int, seconds: int) -> set[str]:
    return {
        each.signed.source for n in range(seconds) for each in network.close(start + n).transactions
    }
