"""What the stream contract and the tokens refuse: in a simulation, and in a ledger."""

from __future__ import annotations

from typing import Any

import pytest
from stellar_sdk import Address, Keypair, scval, xdr

from deploy.simulator.chain import accounts
from deploy.simulator.chain.holdings import Holding
from deploy.simulator.network import Network
from tests.simulator.samples import CREATE, NOW, close
from tests.simulator.submission.conftest import WalletOf
from tests.simulator.submission.wallet import Wallet, call_code, code_of

pytestmark = pytest.mark.timeout(60)
ALICE, BOB = accounts.address("alice"), accounts.address("bob")
USDC, GOLD = accounts.TOKEN, accounts.GOLD


@pytest.fixture
def streams(network: Network) -> None:
    """Stream 1 runs, stream 2 is paused, stream 3 has ended. All are from Alice to Bob."""
    create = CREATE | {"duration": 1_000}
    pause, cancel = {"op": "pause", "streamId": "2"}, {"op": "cancel", "streamId": "3"}
    close(network, NOW, create, create, create, pause, cancel)


async def refusal(wallet: Wallet, function: str, *values: Any) -> tuple[str, list[str]]:
    """The first line of the error in a simulation, and the contracts of its `error` events."""
    built = (await wallet.builder(function, *values)).build()
    answer = await wallet.simulated(built)
    events = [xdr.DiagnosticEvent.from_xdr(each).event for each in answer["events"]]
    failed = [
        name_of(each)
        for each in events
        if each.body.v0 and each.body.v0.topics[0] == scval.to_symbol("error")
    ]
    return answer["error"].partition("\n")[0], failed


def name_of(event: xdr.ContractEvent) -> str:
    """The name of the contract of an event."""
    assert event.contract_id
    known = {"streams": accounts.STREAMS, **accounts.TOKENS}
    found = Address.from_raw_contract(event.contract_id.contract_id.hash).address
    return next(name for name, contract_id in known.items() if contract_id == found)


@pytest.mark.usefixtures("streams")
@pytest.mark.parametrize(
    ("caller", "function", "values", "code"),
    [
        ("alice", "create_stream", (ALICE, BOB, USDC, 0, 9), 1),
        ("alice", "create_stream", (ALICE, BOB, USDC, -5, 9), 1),
        ("alice", "top_up_stream", (ALICE, 1, 0), 1),
        ("alice", "top_up_stream", (ALICE, 99, 0), 1),
        ("alice", "top_up_stream", (ALICE, 99, 5), 2),
        ("bob", "withdraw", (BOB, 99), 2),
        ("bob", "pause_stream", (BOB, 1), 3),
        ("bob", "cancel_stream", (BOB, 3), 3),
        ("alice", "withdraw", (ALICE, 1), 3),
        ("alice", "top_up_stream", (ALICE, 3, 5), 4),
        ("alice", "pause_stream", (ALICE, 3), 4),
        ("alice", "cancel_stream", (ALICE, 3), 4),
        ("bob", "withdraw", (BOB, 3), 4),
        ("alice", "create_stream", (ALICE, BOB, USDC, 5, 0), 9),
        ("alice", "create_stream", (ALICE, BOB, accounts.STREAMS, 5, 9), 10),
        ("alice", "create_stream", (ALICE, BOB, USDC, 5, 9), 11),
        ("bob", "withdraw", (BOB, 2), 12),
        ("alice", "resume_stream", (ALICE, 1), 13),
        ("alice", "pause_stream", (ALICE, 2), 14),
    ],
)
async def test_the_contract_refuses_by_its_codes(
    wallet_of: WalletOf, caller: str, function: str, values: tuple[Any, ...], code: int
) -> None:
    found = await refusal(wallet_of(caller), function, *values)
    assert found == (f"HostError: Error(Contract, #{code})", ["streams"])


async def test_nothing_to_withdraw(alice: Wallet, bob: Wallet) -> None:
    """A simulation computes with the close time of the last ledger."""
    await alice.create(bob.address)
    first, _ = await refusal(bob, "withdraw", bob.address, 1)
    assert first == "HostError: Error(Contract, #1)"
    bob.close()
    assert (await bob.do("withdraw", bob.address, 1))["status"] == "SUCCESS"


@pytest.mark.parametrize(
    ("caller", "token", "amount", "expected"),
    [
        ("alice", USDC, 10**17, ("Error(Contract, #10)", "usdc")),
        ("sponsor", USDC, 10**7, ("Error(Contract, #13)", "usdc")),
        ("alice", accounts.LUMENS, 10**15, ("Error(Contract, #10)", "xlm")),
        ("alice", GOLD, 10**17, ("Error(WasmVm, InvalidAction)", "gold")),
        # The contract takes the deposit before it looks at the rate.
        ("sponsor", USDC, 5, ("Error(Contract, #13)", "usdc")),
    ],
)
async def test_the_token_refuses_the_deposit(
    wallet_of: WalletOf, caller: str, token: str, amount: int, expected: tuple[str, str]
) -> None:
    wallet = wallet_of(caller)
    values = (wallet.address, BOB, token, amount, 9)
    error, where = await refusal(wallet, "create_stream", *values)
    assert (error.removeprefix("HostError: "), where) == (expected[0], [expected[1], "streams"])


async def test_the_recipient_needs_the_trustline(alice: Wallet, wallet_of: WalletOf) -> None:
    sponsor = wallet_of("sponsor")
    await alice.create(sponsor.address)
    sponsor.close()
    error, where = await refusal(sponsor, "withdraw", sponsor.address, 1)
    assert (error, where[0]) == ("HostError: Error(Contract, #13)", "usdc")


async def test_the_text_has_all_events(alice: Wallet, wallet_of: WalletOf) -> None:
    """The newest event comes first, as the host writes it."""
    sponsor = wallet_of("sponsor")
    values = (sponsor.address, alice.address, USDC, 10**7, 9)
    built = (await sponsor.builder("create_stream", *values)).build()
    lines = (await sponsor.simulated(built))["error"].split("\n")
    assert lines[:3] == ["HostError: Error(Contract, #13)", "", "Event log (newest first):"]
    assert lines[3].startswith(f"   0: [Diagnostic Event] contract:{accounts.STREAMS}, topics:[")
    assert lines[4] == (
        f"   1: [Diagnostic Event] contract:{USDC}, topics:[error, Error(Contract, #13)], "
        'data:"trustline entry is missing for account"'
    )
    call = f"[{sponsor.address}, {accounts.STREAMS}, 10000000]"
    assert lines[5] == (f"   2: [Diagnostic Event] topics:[fn_call, {USDC}, transfer], data:{call}")
    assert lines[6].startswith(f"   3: [Diagnostic Event] topics:[fn_call, {accounts.STREAMS}, ")
    assert lines[7:] == [""]


@pytest.mark.parametrize(
    ("function", "arguments", "contract", "error"),
    [
        ("nope", [], accounts.STREAMS, "Error(WasmVm, MissingValue)"),
        ("withdraw", [scval.to_uint64(1)], accounts.STREAMS, "Error(WasmVm, UnexpectedSize)"),
        (
            "withdraw",
            [scval.to_address(BOB), scval.to_uint32(1)],
            accounts.STREAMS,
            "Error(WasmVm, InvalidAction)",
        ),
        ("withdraw", [], accounts.contract_id("nobody"), "Error(Storage, MissingValue)"),
    ],
)
async def test_calls_that_no_contract_knows(
    bob: Wallet, function: str, arguments: list[xdr.SCVal], contract: str, error: str
) -> None:
    builder = await bob.builder("withdraw", bob.address, 1)
    builder.operations.clear()
    builder.append_invoke_contract_function_op(contract, function, arguments)
    answer = await bob.simulated(builder.build())
    assert answer["error"].partition("\n")[0] == f"HostError: {error}"


async def test_a_refused_call_is_in_the_ledger(
    alice: Wallet, bob: Wallet, network: Network
) -> None:
    """It takes a fee and a sequence number, and changes nothing else."""
    await alice.create(bob.address, duration=100)
    held = network.submissions.state.holdings
    late = await alice.signed("top_up_stream", alice.address, 1, 1_000)
    bob.close(NOW + 200)
    await bob.do("withdraw", bob.address, 1)  # the stream is completed
    before = held.sequence(alice.address), held.amount(accounts.LUMENS, alice.address)
    assert (await alice.send(late))["status"] == "PENDING"
    alice.close()
    answer = await alice.status(late)
    assert answer["status"] == "FAILED"
    assert (code_of(answer["resultXdr"]), call_code(answer["resultXdr"])) == (
        "txFAILED",
        "TRAPPED",
    )
    fee = xdr.TransactionResult.from_xdr(answer["resultXdr"]).fee_charged.int64
    assert held.sequence(alice.address) == before[0] + 1
    assert held.amount(accounts.LUMENS, alice.address) == (before[1] or 0) - fee
    assert answer["events"].get("contractEventsXdr") is None
    meta = xdr.TransactionMeta.from_xdr(answer["resultMetaXdr"]).v4
    assert meta
    assert not meta.operations
    shown = [each.event.body.v0 for each in meta.diagnostic_events]
    assert [scval.to_native(each.topics[0]) for each in shown if each] == ["fn_call", "error"]


async def test_amounts_are_those_of_the_accounts(
    alice: Wallet, bob: Wallet, network: Network
) -> None:
    """Too little balance at the time of the ledger is refused there."""
    envelope = await alice.signed("create_stream", alice.address, bob.address, USDC, 1_000_000, 100)
    network.submissions.state.holdings.put(
        network.chain.latest.sequence, {Holding(USDC, alice.address): 999_999}
    )
    await alice.send(envelope)
    alice.close()
    answer = await alice.status(envelope)
    assert (answer["status"], call_code(answer["resultXdr"])) == ("FAILED", "TRAPPED")
    assert network.contract.state.streams == {}


async def test_an_account_that_does_not_exist(bob: Wallet, wallet_of: WalletOf) -> None:
    """The owner of new keys has no account, until somebody funds it."""
    new = Wallet(bob.http, bob.network, Keypair.random())
    funded = {"account": new.address, "amounts": {"usdc": "5000000"}}
    async with bob.http.post("/sim/accounts", json=funded) as answer:
        assert (await answer.json())["amounts"]["usdc"] == "5000000"
    assert (await new.create(bob.address))["status"] == "SUCCESS"
