"""Public keys for tokens rotate or become unavailable while clients are connected."""

from __future__ import annotations

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from pytest_aiohttp import AiohttpServer

from shared.auth import public_keys as auth
from tests.fanout.replicas import BOB, Chain, Replica, StartReplica
from tests.fanout.tokens import ask, bearer, claims, status
from tests.support.sse_client import SseClient
from tests.support.waiting import until

OLD, NEW = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


def sign(key: Ed25519PrivateKey, kid: str) -> dict[str, str]:
    return bearer(jwt.encode(claims(BOB), key, algorithm="EdDSA", headers={"kid": kid}))


class Issuer:
    """Serves its public keys, or status 500 while it is broken."""

    def __init__(self) -> None:
        self.keys: dict[str, Ed25519PrivateKey] = {"old": OLD}
        self.broken = False
        self.more: dict[str, bool] = {}

    async def answer(self, _: web.Request) -> web.Response:
        if self.broken:
            return web.Response(status=500)
        documents = [
            OKPAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid, "alg": "EdDSA"}
            for kid, key in self.keys.items()
        ]
        return web.json_response({"keys": documents} | self.more)


@pytest.fixture
async def issuer(monkeypatch: pytest.MonkeyPatch) -> Issuer:
    monkeypatch.setattr(auth, "_RETRY_SECONDS_EMPTY", 0.05)
    monkeypatch.setattr(auth, "_RETRY_SECONDS", 0.05)
    return Issuer()


@pytest.fixture
async def settings(issuer: Issuer, aiohttp_server: AiohttpServer) -> dict[str, str]:
    """The settings of a fanout that reads the keys of the issuer."""
    app = web.Application()
    app.router.add_get("/keys", issuer.answer)
    server = await aiohttp_server(app)
    return {"auth_mode": "required", "jwks_url": str(server.make_url("/keys"))}


@pytest.fixture
async def replica(settings: dict[str, str], start: StartReplica) -> Replica:
    return await start(**settings)


QUERY = f"users={BOB}"


async def test_a_key_rotation_does_not_end_live_connections(
    replica: Replica, issuer: Issuer, chain: Chain, clients: list[SseClient]
) -> None:
    clients.append(await replica.subscribe(QUERY, headers=sign(OLD, "old")))
    assert await status(replica, QUERY, headers=sign(NEW, "new")) == 401
    issuer.keys = {"new": NEW}

    async def known() -> bool:
        return await status(replica, QUERY, headers=sign(NEW, "new")) == 200

    await until(known)
    assert await status(replica, QUERY, headers=sign(OLD, "old")) == 401
    assert await status(replica, QUERY, headers=sign(OLD, "new")) == 401
    (live,) = await chain.commit()
    await clients[0].wait_id(live)


async def test_before_the_keys_were_read_a_client_gets_overload(
    settings: dict[str, str], start: StartReplica, issuer: Issuer
) -> None:
    """A fanout may start before the API, which publishes the keys."""
    issuer.broken = True
    replica = await start(**settings)

    async def tried() -> bool:
        code, answer = await replica.get("/readyz")
        assert code == 503
        return "no public keys" in answer

    await until(tried, what="the first read of the keys")
    client = await ask(replica, QUERY, headers=sign(OLD, "old"))
    await until(client.closed.is_set)
    assert (client.status, [event.name for event in client.events]) == (200, ["overload"])
    by_status = await ask(replica, f"{QUERY}&on_overload=status", headers=sign(OLD, "old"))
    assert by_status.status == 503
    by_status.close()
    issuer.broken = False

    async def back() -> bool:
        return await status(replica, QUERY, headers=sign(OLD, "old")) == 200

    await until(back)
    await until(replica.ready)


async def test_while_the_issuer_is_away_the_known_keys_stay_in_use(
    replica: Replica, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await status(replica, QUERY, headers=sign(OLD, "old")) == 200
    issuer.broken = True
    monkeypatch.setattr(auth, "_JWKS_SECONDS", 0.0)

    async def noted() -> bool:
        return "the public keys that are known stay in use" in str(await replica.get("/readyz"))

    await until(noted)
    await until(replica.ready, what="the other parts of /readyz")
    assert await status(replica, QUERY, headers=sign(OLD, "old")) == 200


async def test_an_incomplete_set_makes_no_key_invalid(replica: Replica, issuer: Issuer) -> None:
    """The API restarted while it cannot read the keys of another issuer."""
    assert await status(replica, QUERY, headers=sign(OLD, "old")) == 200
    issuer.keys, issuer.more = {"api": NEW}, {"incomplete": True}

    async def read() -> bool:
        return await status(replica, QUERY, headers=sign(NEW, "api")) == 200

    await until(read)
    assert await status(replica, QUERY, headers=sign(OLD, "old")) == 200

    async def noted() -> bool:
        _, state = await replica.get("/readyz")
        return '"keys":"ok"' in state and "it lacks keys" in state

    await until(noted)
    unknown = await ask(replica, f"{QUERY}&on_overload=status", headers=sign(OLD, "third"))
    assert unknown.status == 503, "this key may be one of those that are missing"
    unknown.close()
    issuer.more = {}

    async def forgotten() -> bool:
        return await status(replica, QUERY, headers=sign(OLD, "old")) == 401

    await until(forgotten)
