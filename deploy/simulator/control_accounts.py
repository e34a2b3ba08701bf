"""The control API's accounts under `/sim/accounts`: their names and keys, and what they have."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web
from stellar_sdk import StrKey

from deploy.simulator.app_keys import NETWORK
from deploy.simulator.chain import accounts
from deploy.simulator.control_requests import answer, bad_request, read_body

routes = web.RouteTableDef()


@routes.get("/sim/accounts")
async def parties(request: web.Request) -> web.Response:
    """All names with their addresses and secret keys, the contracts, and the passphrase.

    The keys are no secrets: anybody can compute them from the names.
    """
    names = accounts.ALL_NAMES
    return answer(
        {
            "networkPassphrase": request.app[NETWORK].settings.network_passphrase,
            "contractId": accounts.STREAMS,
            "tokenId": accounts.TOKEN,
            "tokens": accounts.TOKENS,
            "routerId": accounts.ROUTER,
            "strangerId": accounts.STRANGER,
            "accounts": {name: accounts.address(name) for name in names},
            "secrets": {name: accounts.keypair(name).secret for name in names},
        }
    )


@routes.post("/sim/accounts")
async def fund(request: web.Request) -> web.Response:
    """{"account": "G…", "amounts": {"xlm": "10000000", "usdc": "5"}}: set what an account has.

    `account` can be a name too. An account that does not exist is created, with lumens. Each amount
    is in base units. An amount of USDC, also 0, gives the account the trustline.
    """
    body = await read_body(request)
    network, account = request.app[NETWORK], _account(body.get("account"))
    amounts = body.get("amounts", {})
    if not isinstance(amounts, Mapping):
        raise bad_request("amounts must be an object")
    try:
        wanted = {accounts.token(name): int(str(value)) for name, value in amounts.items()}
    except ValueError as error:
        raise bad_request(str(error)) from None
    network.submissions.fund(network.chain.latest.sequence, account, wanted)
    holdings = network.submissions.state.holdings
    held = {name: holdings.amount(token, account) for name, token in accounts.TOKENS.items()}
    return answer(
        {
            "account": account,
            "sequence": str(holdings.sequence(account)),
            "amounts": {name: str(each) for name, each in held.items() if each is not None},
        }
    )


def _account(name: object) -> str:
    try:
        account = accounts.address(str(name))
    except ValueError as error:
        raise bad_request(str(error)) from None
    if not StrKey.is_valid_ed25519_public_key(account):
        raise bad_request(f"account must be a name or an address G…, not {account}")
    return account
