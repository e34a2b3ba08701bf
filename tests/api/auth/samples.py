"""For the tests of login: accounts with keys, tokens, a wallet, and a Horizon server."""

from __future__ import annotations

import time
from typing import Any

import jwt
from aiohttp import web
from stellar_sdk import Keypair, TransactionEnvelope
from stellar_sdk.sep import stellar_web_authentication as sep10

from tests.support.web_client import WebClient

SECRET = "a secret of the tests, more than 32 bytes"
PASSPHRASE = "Test SDF Network ; September 2015"
SERVER = Keypair.random()
ALICE, BOB, CAROL = Keypair.random(), Keypair.random(), Keypair.random()
HOME = "pay.example"

REQUIRED: dict[str, Any] = {"auth_mode": "required", "jwt_secret": SECRET}
WALLETS: dict[str, Any] = {**REQUIRED, "signing_seed": SERVER.secret, "home_domain": HOME}


def token_of(account: str, *scopes: str, **claims: Any) -> str:
    """A valid token, apart from `claims`.

    Good for longer than all tests take: some are made when tests are collected.
    """
    now = int(time.time())
    document = {
        "iss": "headrace", "aud": "headrace", "sub": account, "scope": " ".join(scopes),
        "iat": now, "exp": now + 86_400, "jti": f"test-{time.monotonic_ns()}",
    }  # fmt: skip
    return jwt.encode(document | claims, SECRET, algorithm="HS256")


def bearer(token: str) -> dict[str, str]:
    """The header with a token or a key."""
    return {"Authorization": f"Bearer {token}"}


def writer(keypair: Keypair, **claims: Any) -> dict[str, str]:
    """The header with the token of a wallet login."""
    return bearer(token_of(keypair.public_key, "streams:write", **claims))


ADMIN = bearer(token_of(CAROL.public_key, "admin"))


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a token, checked like in the fanout."""
    claims: dict[str, Any] = jwt.decode(
        token,
        SECRET,
        algorithms=["HS256"],
        audience="headrace",
        issuer="headrace",
        options={"verify_iat": False},  # after a revocation, it is ahead
    )
    return claims


def signed(envelope: str, *keypairs: Keypair, passphrase: str = PASSPHRASE) -> str:
    """The challenge with signatures of these keys added."""
    transaction = TransactionEnvelope.from_xdr(envelope, passphrase)
    for keypair in keypairs:
        transaction.sign(keypair)
    return transaction.to_xdr()


async def challenge(client: WebClient, account: str, **query: Any) -> str:
    """Get a challenge, and check it like a wallet before it signs."""
    response = await client.get("/v1/auth", params={"account": account, **query})
    document = await response.json()
    assert response.status == 200, document
    assert document["network_passphrase"] == PASSPHRASE
    envelope: str = document["transaction"]
    read = sep10.read_challenge_transaction(envelope, SERVER.public_key, HOME, HOME, PASSPHRASE)
    assert read.client_account_id == account
    return envelope


async def log_in(client: WebClient, account: str, *keypairs: Keypair, **query: Any) -> str:
    """Log in by SEP-10. Returns the token."""
    envelope = signed(await challenge(client, account, **query), *keypairs)
    response = await client.post("/v1/auth", json={"transaction": envelope})
    document = await response.json()
    assert response.status == 200, document
    token: str = document["token"]
    assert document["expiresAt"] == claims_of(token)["exp"]
    return token


class Horizon:
    """A Horizon server with the accounts that a test adds."""

    def __init__(self) -> None:
        self.accounts: dict[str, dict[str, Any]] = {}
        self.passphrase = PASSPHRASE
        self.broken: tuple[int, str] | None = None
        self.url = ""

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/", self._root)
        app.router.add_get("/accounts/{id}", self._account)
        return app

    def has(self, account: str, signers: dict[str, int], medium: int = 0, **more: int) -> None:
        """Add an account with ed25519 signers, and other signers by type in `more`."""
        rows = [(key, weight, "ed25519_public_key") for key, weight in signers.items()]
        rows += [("X" * 56, weight, kind) for kind, weight in more.items()]
        self.accounts[account] = {
            "id": account,
            "account_id": account,
            "thresholds": {"low_threshold": 0, "med_threshold": medium, "high_threshold": 250},
            "signers": [{"key": k, "weight": w, "type": t} for k, w, t in rows],
        }

    async def _root(self, _: web.Request) -> web.Response:
        return web.json_response({"network_passphrase": self.passphrase})

    async def _account(self, request: web.Request) -> web.Response:
        if self.broken is not None:
            status, text = self.broken
            return web.Response(status=status, text=text)
        account = self.accounts.get(request.match_info["id"])
        if account is None:
            kind = "https://stellar.org/horizon-errors/not_found"
            return web.json_response({"type": kind, "status": 404}, status=404)
        return web.json_response(account)
