"""A token's events, written by stellar-sdk and converted."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stellar_sdk import Asset, MuxedAccount, StrKey, scval, xdr

from deploy.simulator.chain import accounts
from deploy.simulator.chain.values import sc_address
from shared.chain.decode.stream_contract import UnreadableEventError
from shared.chain.decode.token_contract import read_token_event
from shared.chain.xdr import decode_contract_event
from shared.domain.events import Event, EventType, Provenance
from shared.domain.position import Position, toid
from tests.indexer.handmade import ALICE, BOB, CAROL, NOW

PLACE = Position(toid(9, 1), 4)
SOURCE = Provenance(accounts.TOKEN, 9, "2026-02-02T02:40:00Z", "ab" * 32, None)
USDC = Asset("USDC", CAROL)
ASSET = scval.to_string(f"USDC:{CAROL}")
FIVE = scval.to_int128(5)
I128 = st.integers(-(1 << 127), (1 << 127) - 1)


def read(name: str | xdr.SCVal, *topics: str | xdr.SCVal, data: xdr.SCVal = FIVE) -> Event:
    """The converted event for these topics; addresses may be given as strkeys."""
    first = scval.to_symbol(name) if isinstance(name, str) else name
    rest = [scval.to_address(each) if isinstance(each, str) else each for each in topics]
    event = xdr.ContractEvent(
        ext=xdr.ExtensionPoint(0),
        contract_id=sc_address(accounts.TOKEN).contract_id,
        type=xdr.ContractEventType.CONTRACT,
        body=xdr.ContractEventBody(0, xdr.ContractEventV0([first, *rest], data)),
    )
    return read_token_event(decode_contract_event(event.to_xdr_bytes()), PLACE, SOURCE, NOW)


def muxed(of: xdr.SCVal, amount: int = 5) -> xdr.SCVal:
    return scval.to_struct({"amount": scval.to_int128(amount), "to_muxed_id": of})


FORMS: dict[str, tuple[tuple[Any, ...], EventType, dict[str, str]]] = {
    "SEP-41 transfer": (
        ("transfer", ALICE, BOB),
        EventType.TOKEN_TRANSFER,
        {"from": ALICE, "to": BOB},
    ),
    "asset's transfer": (
        ("transfer", ALICE, BOB, ASSET),
        EventType.TOKEN_TRANSFER,
        {"from": ALICE, "to": BOB, "asset": f"USDC:{CAROL}"},
    ),
    "to a contract": (
        ("transfer", ALICE, accounts.STREAMS, ASSET),
        EventType.TOKEN_TRANSFER,
        {"from": ALICE, "to": accounts.STREAMS, "asset": f"USDC:{CAROL}"},
    ),
    "SEP-41 mint": (("mint", BOB), EventType.TOKEN_MINT, {"to": BOB}),
    "asset's mint": (
        ("mint", BOB, ASSET),
        EventType.TOKEN_MINT,
        {"to": BOB, "asset": f"USDC:{CAROL}"},
    ),
    "mint before protocol 23": (
        ("mint", CAROL, BOB, ASSET),
        EventType.TOKEN_MINT,
        {"admin": CAROL, "to": BOB, "asset": f"USDC:{CAROL}"},
    ),
    "mint of an older SEP-41": (
        ("mint", CAROL, BOB),
        EventType.TOKEN_MINT,
        {"admin": CAROL, "to": BOB},
    ),
    "burn": (("burn", ALICE), EventType.TOKEN_BURN, {"from": ALICE}),
    "asset's burn": (
        ("burn", ALICE, scval.to_string("native")),
        EventType.TOKEN_BURN,
        {"from": ALICE, "asset": "native"},
    ),
    "clawback": (
        ("clawback", ALICE, ASSET),
        EventType.TOKEN_CLAWBACK,
        {"from": ALICE, "asset": f"USDC:{CAROL}"},
    ),
    "clawback before protocol 23": (
        ("clawback", CAROL, ALICE, ASSET),
        EventType.TOKEN_CLAWBACK,
        {"admin": CAROL, "from": ALICE, "asset": f"USDC:{CAROL}"},
    ),
}


@pytest.mark.parametrize(("topics", "kind", "facts"), FORMS.values(), ids=FORMS)
def test_every_form_of_a_token_event_is_converted(
    topics: tuple[Any, ...], kind: EventType, facts: dict[str, str]
) -> None:
    event = read(*topics)
    assert event == Event(
        kind,
        None,
        NOW,
        facts | {"tokenAddress": accounts.TOKEN, "amount": "5"},
        PLACE,
        SOURCE,
    )


@given(I128)
def test_any_amount_is_converted_in_both_forms_of_data(amount: int) -> None:
    plain = read("transfer", ALICE, BOB, data=scval.to_int128(amount))
    assert plain.facts["amount"] == str(amount)
    mapped = read("mint", BOB, data=muxed(scval.to_uint64(7), amount))
    assert mapped.facts["amount"] == str(amount)


@given(st.integers(0, (1 << 64) - 1))
def test_a_muxed_destination_is_an_account_and_an_id(number: int) -> None:
    facts = read("transfer", ALICE, BOB, ASSET, data=muxed(scval.to_uint64(number))).facts
    assert (facts["toMuxedId"], facts["toMuxedIdType"]) == (str(number), "id")
    assert MuxedAccount(str(facts["to"]), int(str(facts["toMuxedId"]))).account_id == BOB


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (scval.to_string("rent, may"), ("rent, may", "text")),
        (scval.to_string("7"), ("7", "text")),
        (scval.to_bytes(b"\xab" * 32), ("ab" * 32, "hash")),
        (scval.to_string(b"\xff"), ("\\xff", "text")),
        (scval.to_void(), (None, None)),
    ],
)
def test_a_muxed_id_may_be_a_string_or_bytes(
    of: xdr.SCVal, expected: tuple[str | None, str | None]
) -> None:
    facts = read("transfer", ALICE, BOB, ASSET, data=muxed(of)).facts
    assert (facts.get("toMuxedId"), facts.get("toMuxedIdType")) == expected


def test_parties_may_be_pools_and_balances() -> None:
    pool = StrKey.encode_liquidity_pool(bytes(32))
    balance = StrKey.encode_claimable_balance(bytes(33))
    assert read("transfer", pool, balance, ASSET).facts["to"] == balance
    assert read("burn", balance, ASSET).facts["from"] == balance


@pytest.mark.parametrize("name", ["approve", "set_admin", "set_authorized", "fee", "Transfer"])
def test_events_with_other_names_are_kept_raw_with_their_token(name: str) -> None:
    event = read(name, ALICE, BOB)
    assert (event.type, event.stream_id) == (EventType.CHAIN_UNKNOWN, None)
    assert event.facts == {
        "tokenAddress": accounts.TOKEN,
        "name": name,
        "topicsXdr": [
            topic.to_xdr()
            for topic in (scval.to_symbol(name), scval.to_address(ALICE), scval.to_address(BOB))
        ],
        "valueXdr": FIVE.to_xdr(),
    }


def test_a_number_as_second_topic_is_no_stream_id() -> None:
    assert read("approve", scval.to_uint64(7)).stream_id is None
    assert read(scval.to_uint64(7)).facts["name"] == ""


UNREADABLE: dict[str, tuple[tuple[Any, ...], xdr.SCVal]] = {
    "nobody": (("transfer",), FIVE),
    "no recipient": (("transfer", ALICE), FIVE),
    "one too many": (("transfer", ALICE, BOB, CAROL), FIVE),
    "asset in the place of a party": (("transfer", ALICE, ASSET, BOB), FIVE),
    "text for a party": (("mint", ASSET), FIVE),
    "burn of two": (("burn", ALICE, BOB), FIVE),
    "mint of three": (("mint", ALICE, BOB, CAROL), FIVE),
    "no amount": (("burn", ALICE), scval.to_void()),
    "a flag": (("burn", ALICE), scval.to_bool(True)),
    "text": (("burn", ALICE), scval.to_string("5")),
    "a list": (("burn", ALICE), scval.to_vec([FIVE])),
    "a map without": (("burn", ALICE), scval.to_struct({"sum": FIVE})),
    "a map of text": (("burn", ALICE), scval.to_struct({"amount": ASSET})),
    "an id that is an address": (("transfer", ALICE, BOB), muxed(scval.to_vec([FIVE]))),
    "an id that is a flag": (("transfer", ALICE, BOB), muxed(scval.to_bool(False))),
}


@pytest.mark.parametrize(("topics", "data"), UNREADABLE.values(), ids=UNREADABLE)
def test_an_event_without_a_party_or_an_amount_is_unreadable(
    topics: tuple[Any, ...], data: xdr.SCVal
) -> None:
    with pytest.raises(UnreadableEventError, match=rf"^{topics[0]}: "):
        read(*topics, data=data)
