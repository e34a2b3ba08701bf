"""What the contract, the token or the ledger refuses is told by name, with the field to change."""

from __future__ import annotations

from typing import Any

import pytest
from stellar_sdk import Keypair

from deploy.simulator.chain import accounts
from services.api.transactions.calls import Action, ActionCall
from services.api.transactions.failures import Failure
from services.api.transactions.refusals import ASSET_ERRORS, STREAM_ERRORS, refusal_of
from tests.api.transactions.network import (
    ALICE,
    BOB,
    CAROL,
    CREATE,
    Journal,
    of_stream,
    prepared,
    refused,
    settled,
)
from tests.indexer.simulated import Sim
from tests.support.web_client import WebClient

io = pytest.mark.io


def told(problem: dict[str, Any]) -> tuple[str, list[str]]:
    """The code of a problem, and the fields that it names."""
    assert problem["type"] == "/problems/transaction-refused"
    assert problem["detail"].endswith(".")
    return problem["code"], [each["pointer"] for each in problem.get("errors", ())]


@io
@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"amount": "10"}, ("InvalidRate", ["/amount"])),
        ({"token": accounts.STRANGER}, ("InvalidTokenAddress", ["/token"])),
        ({"amount": str(10**18)}, ("BalanceError", ["/amount"])),
        ({"source": accounts.address("sponsor")}, ("TrustlineMissingError", ["/token"])),
        ({"source": Keypair.random().public_key}, ("AccountNotFound", ["/source"])),
    ],
)
async def test_a_new_stream_is_refused(
    api: WebClient, more: dict[str, str], expected: tuple[str, list[str]]
) -> None:
    assert told(await refused(api, **CREATE | more)) == expected


@io
async def test_an_account_without_lumens_for_the_fee(api: WebClient, sim: Sim) -> None:
    amounts = {"xlm": "20000", "usdc": "2000000"}
    await sim.ask("POST", "accounts", account=CAROL.public_key, amounts=amounts)
    problem = await refused(api, **CREATE | {"source": CAROL.public_key})
    assert told(problem) == ("InsufficientBalance", ["/source"])


@io
async def test_each_state_of_a_stream_is_told(api: WebClient, sim: Sim, journal: Journal) -> None:
    await settled(api, sim, journal, await prepared(api, **CREATE), ALICE)
    nothing = await refused(api, **of_stream("withdraw", BOB))
    assert (told(nothing), nothing["detail"]) == (
        ("InvalidAmount", ["/streamId"]),
        "Nothing is claimable yet.",
    )
    sim.close()
    assert told(await refused(api, **of_stream("withdraw", CAROL))) == ("Unauthorized", ["/source"])
    assert told(await refused(api, **of_stream("resume", ALICE)))[0] == "StreamNotPaused"
    await settled(api, sim, journal, await prepared(api, **of_stream("pause", ALICE)), ALICE)
    assert told(await refused(api, **of_stream("pause", ALICE)))[0] == "StreamAlreadyPaused"
    assert told(await refused(api, **of_stream("withdraw", BOB)))[0] == "StreamPaused"
    await settled(api, sim, journal, await prepared(api, **of_stream("cancel", ALICE)), ALICE)
    inactive = await refused(api, **of_stream("top_up", ALICE), amount="5000")
    assert told(inactive) == ("StreamInactive", ["/streamId"])


@io
async def test_wrong_fields_are_named(api: WebClient) -> None:
    wrong = await refused(api, action="create", source=ALICE.public_key, amount=5, token="C1")
    pointers = {each["pointer"] for each in wrong["errors"]}
    assert pointers == {"/recipient", "/token", "/amount", "/duration"}
    missing = await refused(api, **{k: v for k, v in CREATE.items() if k != "source"})
    assert missing["errors"] == [
        {"pointer": "/source", "detail": "is required: the account that signs"}
    ]
    for stream_id in ("api-0193", "0", "x", 7):
        problem = await refused(api, action="pause", source=ALICE.public_key, streamId=stream_id)
        assert [each["pointer"] for each in problem["errors"]] == ["/streamId"]
    assert (await refused(api, action="restore"))["errors"][0]["pointer"] == "/action"


@io
async def test_an_unknown_stream_is_not_found(api: WebClient) -> None:
    await refused(api, 404, **of_stream("pause", ALICE, "77"))


def test_all_errors_of_the_contracts_have_a_name_and_a_sentence() -> None:
    assert set(range(1, 15)) <= set(STREAM_ERRORS)
    for table in (STREAM_ERRORS, ASSET_ERRORS):
        assert len({each.name for each in table.values()}) == len(table)
        assert all(each.sentence.endswith(".") for each in table.values())


TOP_UP = ActionCall(accounts.STREAMS, Action.TOP_UP, (ALICE.public_key, 1, 5))


@pytest.mark.parametrize(
    ("failure", "by_asset", "code"),
    [
        (Failure(10, accounts.STREAMS, ""), False, "InvalidTokenAddress"),
        (Failure(10, accounts.TOKEN, ""), True, "BalanceError"),
        (Failure(10, accounts.GOLD, ""), False, "TokenError10"),
        (Failure(99, accounts.STREAMS, ""), False, "StreamError99"),
        (Failure(99, accounts.TOKEN, ""), True, "AssetError99"),
        (Failure(None, None, "Budget, ExceededLimit"), False, "HostError"),
    ],
)
def test_the_same_number_has_another_name_at_another_contract(
    failure: Failure, by_asset: bool, code: str
) -> None:
    assert refusal_of(failure, TOP_UP, by_asset=by_asset).code == code
