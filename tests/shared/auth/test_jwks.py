"""Tokens checked by the public keys of a JWKS: key rotation, and a JWKS that cannot be read."""

from __future__ import annotations

import asyncio
import hmac
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from pytest_aiohttp import AiohttpServer
from structlog.testing import capture_logs

from shared.auth import public_keys as auth
from shared.auth.public_keys import PublicKeys
from shared.auth.settings import AuthSettings
from shared.auth.verifier import Verifier
from shared.web.problems import Problem

RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
KEYS: dict[str, tuple[Any, Any]] = {
    "RS256": (RSA, RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True)),
    "ES256": (EC, ECAlgorithm.to_jwk(EC.public_key(), as_dict=True)),
    "EdDSA": (ED, OKPAlgorithm.to_jwk(ED.public_key(), as_dict=True)),
}


def sign(algorithm: str, kid: str | None, key: Any = None, **more: Any) -> str:
    document = {"iss": "headrace", "aud": "headrace", "sub": "GA", "exp": int(time.time()) + 60}
    return jwt.encode(
        document | more, key or KEYS[algorithm][0], algorithm=algorithm, headers={"kid": kid}
    )


def confused_by(public_key: bytes) -> str:
    """A token whose HMAC secret is the public key. PyJWT refuses to make one."""
    body = sign("RS256", "a").split(".")[1]
    header = urlsafe_b64encode(b'{"alg":"HS256","kid":"a"}').decode().rstrip("=")
    digest = hmac.digest(public_key, f"{header}.{body}".encode(), "sha256")
    return f"{header}.{body}.{urlsafe_b64encode(digest).decode().rstrip('=')}"


class Keys:
    """A JWKS server: its keys, the number of requests, and its answer while it is broken."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.asked = 0
        self.broken: tuple[int, str] | None = None
        self.open = asyncio.Event()
        self.open.set()

    def put(self, kid: str | None, algorithm: str) -> None:
        self.keys.append(KEYS[algorithm][1] | {"kid": kid, "alg": algorithm, "use": "sig"})

    async def answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        await self.open.wait()
        if self.broken:
            status, text = self.broken
            return web.Response(status=status, text=text)
        return web.json_response({"keys": self.keys})


@pytest.fixture
async def jwks() -> Keys:
    return Keys()


@pytest.fixture
async def keys(jwks: Keys, aiohttp_server: AiohttpServer) -> AsyncIterator[PublicKeys]:
    app = web.Application()
    app.router.add_get("/keys", jwks.answer)
    server = await aiohttp_server(app)
    async with aiohttp.ClientSession() as session:
        yield PublicKeys(str(server.make_url("/keys")), session)


@pytest.fixture(params=[0, 100], ids=["checks each time", "remembers"])
async def verifier(keys: PublicKeys, request: pytest.FixtureRequest) -> Verifier:
    settings = AuthSettings(auth_mode="required", jwks_url="http://keys.example")
    return Verifier(settings, keys, remember=request.param)


async def status(verifier: Verifier, token: str) -> int:
    try:
        await verifier.verify(token)
    except Problem as problem:
        return problem.status
    return 200


@pytest.mark.parametrize("algorithm", sorted(KEYS))
async def test_each_kind_of_key(verifier: Verifier, jwks: Keys, algorithm: str) -> None:
    jwks.put("a", algorithm)
    assert await status(verifier, sign(algorithm, "a")) == 200
    assert await status(verifier, sign(algorithm, "a", exp=1)) == 401
    assert await status(verifier, sign(algorithm, "a", aud="other")) == 401


async def test_a_rotated_key_is_read_without_a_restart(
    verifier: Verifier, jwks: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    jwks.put("old", "ES256")
    assert await status(verifier, sign("ES256", "old")) == 200
    jwks.keys.clear()
    jwks.put("new", "EdDSA")
    assert await status(verifier, sign("EdDSA", "new")) == 401  # the JWKS was read a moment ago
    assert jwks.asked == 1
    monkeypatch.setattr(auth, "_RETRY_SECONDS", 0.0)
    assert await status(verifier, sign("EdDSA", "new")) == 200
    assert await status(verifier, sign("ES256", "old")) == 401  # no longer listed


async def test_a_key_that_was_removed_from_the_jwks_stops_working(
    verifier: Verifier, jwks: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    jwks.put("a", "ES256")
    assert await status(verifier, sign("ES256", "a")) == 200
    jwks.keys.clear()
    jwks.put("b", "RS256")
    monkeypatch.setattr(auth, "_RETRY_SECONDS", 0.0)
    assert await status(verifier, sign("ES256", "a")) == 200
    monkeypatch.setattr(auth, "_JWKS_SECONDS", 0.0)
    assert await status(verifier, sign("ES256", "a")) == 401


async def test_unknown_key_ids_cause_one_request_to_the_issuer(
    verifier: Verifier, jwks: Keys
) -> None:
    jwks.put("a", "ES256")
    tokens = [sign("ES256", f"guess-{n}") for n in range(30)]
    assert {await status(verifier, token) for token in tokens} == {401}
    assert jwks.asked == 1


async def test_concurrent_requests_wait_for_one_read_of_the_jwks(
    verifier: Verifier, jwks: Keys
) -> None:
    jwks.put("a", "ES256")
    jwks.open.clear()
    token = sign("ES256", "a")
    waiting = [asyncio.create_task(status(verifier, token)) for _ in range(50)]
    asyncio.get_running_loop().call_later(0.05, jwks.open.set)
    assert set(await asyncio.gather(*waiting)) == {200}
    assert jwks.asked == 1


async def test_a_token_must_use_the_algorithm_of_its_key(verifier: Verifier, jwks: Keys) -> None:
    jwks.put("a", "RS256")
    pem = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert await status(verifier, confused_by(pem)) == 401  # RFC 8725 2.1
    assert await status(verifier, sign("RS256", "a")) == 200
    assert await status(verifier, sign("ES256", "a")) == 401


async def test_a_symmetric_key_in_the_jwks_is_ignored(verifier: Verifier, jwks: Keys) -> None:
    jwks.keys.append({"kty": "oct", "kid": "s", "k": "c2VjcmV0" * 8, "alg": "HS256"})
    jwks.put("a", "ES256")
    key = b"secret" * 8
    assert await status(verifier, sign("HS256", "s", key=key)) == 401
    assert await status(verifier, sign("ES256", "a")) == 200


async def test_a_key_whose_id_is_a_list_is_ignored(verifier: Verifier, jwks: Keys) -> None:
    jwks.keys.append(KEYS["RS256"][1] | {"kid": ["a"]})
    jwks.put("a", "ES256")
    assert await status(verifier, sign("ES256", "a")) == 200


async def test_a_refused_key_is_logged_once(
    verifier: Verifier, jwks: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    jwks.put("bad", "RS256")
    jwks.keys[0]["use"] = "enc"
    jwks.put("good", "ES256")
    monkeypatch.setattr(auth, "_RETRY_SECONDS", 0.0)
    with capture_logs() as logs:
        assert {await status(verifier, sign("RS256", "bad")) for _ in range(3)} == {401}
    assert jwks.asked == 3
    (line,) = [entry for entry in logs if entry["event"] == "jwks_key_refused"]
    assert (line["kid"], line["reason"]) == ("bad", "its `use` is not sig")
    assert await status(verifier, sign("ES256", "good")) == 200


async def test_the_readiness_tells_whether_there_are_keys(
    keys: PublicKeys, jwks: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "_RETRY_SECONDS_EMPTY", 0.0)
    monkeypatch.setattr(auth, "_RETRY_SECONDS", 0.0)
    jwks.broken = (500, "")
    reason = await keys.check()
    assert reason is not None
    assert "ClientResponseError" in reason
    jwks.put("a", "RS256")
    jwks.keys[0]["use"], jwks.broken = "enc", None
    assert "no key that may check tokens" in str(await keys.check())
    jwks.put("b", "ES256")
    assert await keys.check() is None
    assert keys.note() is None
    jwks.broken = (500, "")
    monkeypatch.setattr(auth, "_JWKS_SECONDS", 0.0)
    assert await keys.check() is None, "the keys that are known stay in use"
    assert "stay in use" in str(keys.note())
    jwks.broken = None
    assert await keys.check() is keys.note() is None


async def test_a_token_has_no_other_characters_than_base64url(
    verifier: Verifier, jwks: Keys
) -> None:
    """PyJWT refuses them. In the signature, they could add attributes to a cookie."""
    jwks.put("a", "ES256")
    token = sign("ES256", "a")
    for odd in (f"{token};Domain=x", f"{token}\r\n", f"{token[:-4]};{token[-4:]}"):
        assert await status(verifier, odd) == 401
    assert await status(verifier, token) == 200


@pytest.mark.parametrize(
    "broken",
    [(500, ""), (404, "no"), (200, "<html>"), (200, "[]"), (200, '{"keys":[5]}'), (200, "{}")],
)
async def test_an_unreadable_jwks_gives_503_and_not_401(
    verifier: Verifier, jwks: Keys, monkeypatch: pytest.MonkeyPatch, broken: tuple[int, str]
) -> None:
    jwks.put("a", "ES256")
    jwks.broken = broken
    assert await status(verifier, sign("ES256", "a")) == 503
    monkeypatch.setattr(auth, "_RETRY_SECONDS_EMPTY", 0.0)
    jwks.broken = None
    assert await status(verifier, sign("ES256", "a")) == 200
    jwks.broken = broken
    monkeypatch.setattr(auth, "_JWKS_SECONDS", 0.0)
    monkeypatch.setattr(auth, "_RETRY_SECONDS", 0.0)
    assert await status(verifier, sign("ES256", "a")) == 200  # the known keys stay in use
    assert await status(verifier, sign("ES256", "b")) == 503
