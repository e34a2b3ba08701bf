"""A token that was verified before: its signature is not checked again, but its times are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from pytest_aiohttp import AiohttpServer

from shared.auth import public_keys
from shared.auth.public_keys import PublicKeys
from shared.auth.settings import AuthSettings
from shared.auth.verifier import Verifier
from shared.web.problems import Problem
from tests.shared.auth import test_jwks
from tests.shared.auth.test_verifier import SETTINGS, claims, refused, sign


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tokens whose signature was checked."""
    tokens: list[str] = []
    decode: Callable[..., Any] = jwt.decode

    def recorded(token: str, *more: Any, **options: Any) -> Any:
        tokens.append(token)
        return decode(token, *more, **options)

    monkeypatch.setattr(jwt, "decode", recorded)
    return tokens


async def test_a_signature_is_checked_once(checked: list[str]) -> None:
    verifier, token = Verifier(SETTINGS, None, remember=2), sign(claims(scope="admin"))
    first = await verifier.verify(token)
    assert await verifier.verify(token) == first
    assert checked == [token]


async def test_only_the_last_tokens_are_remembered(checked: list[str]) -> None:
    verifier = Verifier(SETTINGS, None, remember=2)
    a, b, c = (sign(claims(jti=name)) for name in "abc")
    for token in (a, b, c, c, b, a):
        await verifier.verify(token)
    assert checked == [a, b, c, a]


async def test_a_long_token_is_not_remembered(checked: list[str]) -> None:
    verifier = Verifier(SETTINGS, None, remember=2)
    token = sign(claims(topics=[str(n) for n in range(1000)]))
    for _ in range(2):
        await verifier.verify(token)
    assert checked == [token, token]


async def test_nothing_is_remembered_by_default(checked: list[str]) -> None:
    verifier, token = Verifier(SETTINGS, None), sign(claims())
    for _ in range(2):
        await verifier.verify(token)
    assert checked == [token, token]


async def test_a_remembered_token_expires() -> None:
    document, now = claims(), [0.0]
    now[0] = document["exp"] - 1
    verifier, token = Verifier(SETTINGS, None, lambda: now[0], remember=2), sign(document)
    await verifier.verify(token)
    now[0] += 1
    assert "expired" in await refused(token, verifier)


async def test_a_wrong_signature_is_refused_after_the_right_one(checked: list[str]) -> None:
    document = claims()
    verifier, token = Verifier(SETTINGS, None, remember=2), sign(document)
    await verifier.verify(token)
    forged = sign(document, "another secret of the tests, more than 32 bytes")
    for _ in range(2):
        with pytest.raises(Problem):
            await verifier.verify(forged)
    assert checked == [token, forged, forged]


async def test_another_key_with_the_same_id_checks_the_signature_again(
    aiohttp_server: AiohttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_keys, "_RETRY_SECONDS", 0.0)
    monkeypatch.setattr(public_keys, "_JWKS_SECONDS", 0.0)  # read the JWKS for each token
    jwks, app = test_jwks.Keys(), web.Application()
    app.router.add_get("/keys", jwks.answer)
    server = await aiohttp_server(app)
    jwks.put("a", "ES256")
    token = test_jwks.sign("ES256", "a")
    async with aiohttp.ClientSession() as session:
        settings = AuthSettings(auth_mode="required", jwks_url="http://keys.example")
        keys = PublicKeys(str(server.make_url("/keys")), session)
        verifier = Verifier(settings, keys, remember=2)
        assert [await test_jwks.status(verifier, token) for _ in range(2)] == [200, 200]
        other = ec.generate_private_key(ec.SECP256R1()).public_key()
        jwks.keys[0] |= ECAlgorithm.to_jwk(other, as_dict=True)
        assert await test_jwks.status(verifier, token) == 401
