"""The page compares what a wallet would sign with what was asked, in envelopes of stellar-sdk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stellar_sdk import (
    Account,
    Asset,
    Keypair,
    MuxedAccount,
    SorobanDataBuilder,
    TransactionBuilder,
    TransactionEnvelope,
    scval,
    xdr,
)

from tests.console.envelopes import (
    ALICE,
    BOB,
    CONTRACT,
    FUNCTIONS,
    OTHER,
    PASSPHRASE,
    TOKEN,
    Call,
    answer,
    call_of,
    envelope,
    request,
)
from tests.console.test_units import Ask, answering, node
from tests.support.tier import examples

__all__ = ["node"]

Find = Callable[..., list[str]]
KNOWN = {"contract": CONTRACT, "token": TOKEN, "network": PASSPHRASE}


@pytest.fixture(scope="module")
def ask(node: None) -> Iterator[Ask]:
    with answering("agreement.mjs") as ask:
        yield ask


@pytest.fixture
def find(ask: Ask) -> Find:
    """The differences that the page finds."""

    def find(asked: dict[str, Any], prepared: dict[str, Any]) -> list[str]:
        found: list[str] = ask({"request": asked, "prepared": prepared, "known": KNOWN})
        return found

    return find


@pytest.mark.io
@pytest.mark.parametrize("action", FUNCTIONS)
def test_what_was_asked_has_no_difference(find: Find, action: str) -> None:
    asked = request(action)
    call = call_of(asked)
    assert find(asked, answer(envelope(call, (call,)), action)) == []


@pytest.mark.io
@pytest.mark.parametrize("action", FUNCTIONS)
def test_each_other_argument_is_a_difference(find: Find, action: str) -> None:
    asked = request(action)
    call = call_of(asked)
    others = {
        xdr.SCValType.SCV_ADDRESS: scval.to_address(OTHER),
        xdr.SCValType.SCV_U64: scval.to_uint64(8),
        xdr.SCValType.SCV_I128: scval.to_int128(1001),
    }
    for n, value in enumerate(call.arguments):
        arguments = (*call.arguments[:n], others[value.type], *call.arguments[n + 1 :])
        wrong = replace(call, arguments=arguments)
        found = find(asked, answer(envelope(wrong, (wrong,)), action))
        assert [each for each in found if each.startswith("It has other arguments")], n
    for arguments in (call.arguments[:-1], (*call.arguments, scval.to_uint64(1))):
        wrong = replace(call, arguments=arguments)
        assert find(asked, answer(envelope(wrong, (wrong,)), action))


@pytest.mark.io
def test_each_other_part_is_a_difference(find: Find) -> None:
    asked = request("top_up")
    call = call_of(asked)
    good = envelope(call, (call,))

    def found(built: TransactionEnvelope = good, **more: Any) -> str:
        return " ".join(find(asked, answer(built, more.pop("action", "top_up"), **more)))

    assert found(networkPassphrase="Another network").startswith("It is for another network")
    assert found(hash="00" * 32) == "Its hash is another one than the server says."
    assert found(fee={"total": "5"}) == "Its fee can be 5100 stroops."
    assert found(timeBounds={"maxTime": 5}) == "It is valid for another time."
    assert found(action="pause") == "It is for another action: pause."
    assert found(envelope(call, (call,), BOB)).startswith(f"Its account is {BOB}")
    for wrong in (replace(call, contract=OTHER), replace(call, function="withdraw")):
        assert "It calls another" in found(envelope(wrong, (wrong,)))


@pytest.mark.io
def test_the_account_agrees_to_nothing_else(find: Find) -> None:
    asked = request("top_up")
    call = call_of(asked)
    (paid,) = call.below
    source, contract, _ = paid.arguments
    transfers: list[Call] = [
        replace(paid, contract=OTHER),
        replace(paid, function="approve"),
        replace(paid, arguments=(source, scval.to_address(BOB), scval.to_int128(1000))),
        replace(paid, arguments=(source, contract, scval.to_int128(1001))),
        replace(paid, below=(paid,)),
    ]
    wrong: list[tuple[Call, ...]] = [(replace(call, below=(each,)),) for each in transfers]
    wrong += [(replace(call, below=(paid, paid)),), (call, call), (paid,)]
    for agreed in wrong:
        found = find(asked, answer(envelope(call, agreed), "top_up"))
        assert found == ["It would let the contract do more with your account."], agreed
    pause = call_of(request("pause"))
    found = find(
        request("pause"), answer(envelope(pause, (replace(pause, below=(paid,)),)), "pause")
    )
    assert found == ["It would let the contract do more with your account."]


@pytest.mark.io
def test_what_the_page_cannot_read_is_a_difference(find: Find) -> None:
    asked = request("pause")
    call = call_of(asked)

    def built(**more: Any) -> dict[str, Any]:
        made = TransactionBuilder(more.get("source", Account(ALICE, 41)), PASSPHRASE)
        made.append_invoke_contract_function_op(call.contract, call.function, list(call.arguments))
        for each in range(more.get("payments", 0)):
            made.append_payment_op(BOB, Asset.native(), str(each + 1))
        if more.get("memo"):
            made.add_text_memo("hello")
        if more.get("ledgers"):
            made.set_ledger_bounds(0, 5)
        made.add_time_bounds(0, 1_770_000_300)
        return answer(made.build(), "pause")

    muxed = Account(MuxedAccount(ALICE, 7), 41)
    parts = {
        "its source is no plain account": built(source=muxed),
        "it has a memo": built(memo=True),
        "it has not exactly one operation": built(payments=1),
        "it has other conditions than a time": built(ledgers=True),
        "it ends too early": built() | {"xdr": "AAAAAgAAAAA="},
        "it is of another kind": built() | {"xdr": "AAAABQAAAAA="},
    }
    for part, prepared in parts.items():
        assert find(asked, prepared) == [f"The page cannot read the transaction: {part}."]


@pytest.mark.io
def test_a_restore_does_nothing_else(find: Find) -> None:
    builder = TransactionBuilder(Account(ALICE, 41), PASSPHRASE, base_fee=100)
    builder.append_restore_footprint_op()
    builder.set_soroban_data(SorobanDataBuilder().set_resource_fee(5000).build())
    restore = builder.add_time_bounds(0, 1_770_000_300).build()
    asked = request("withdraw")
    call = call_of(asked)
    assert find(asked, answer(restore, "restore")) == []
    other = "It does something else than the server says."
    assert find(asked, answer(restore, "withdraw")) == [other]
    assert find(asked, answer(envelope(call, (call,)), "restore")) == [other]


@pytest.mark.io
@settings(max_examples=examples(60), deadline=None)
@given(
    amount=st.integers(1, (1 << 127) - 1),
    stream_id=st.integers(0, (1 << 64) - 1),
    keys=st.binary(min_size=32, max_size=32),
)
def test_every_amount_id_and_address_is_read(
    ask: Ask, amount: int, stream_id: int, keys: bytes
) -> None:
    account = Keypair.from_raw_ed25519_seed(keys).public_key
    asked = request("top_up", source=account, streamId=str(stream_id), amount=str(amount))
    call = call_of(asked)
    prepared = answer(envelope(call, (call,), account), "top_up")
    assert ask({"request": asked, "prepared": prepared, "known": KNOWN}) == []
    wrong = {**asked, "amount": str(amount + 1)}
    assert ask({"request": wrong, "prepared": prepared, "known": KNOWN}) != []
