"""Tokens signed with a shared secret: valid ones, invalid ones, and where a request carries one."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.auth.claims import principal_of
from shared.auth.credentials import TokenPlace, token_of
from shared.auth.principal import ANYONE, Principal, Scope
from shared.auth.settings import AuthSettings
from shared.auth.verifier import Verifier
from shared.journal.settings import JournalSettings
from shared.web.problems import Problem
from tests.shared.samples import TOKEN

SECRET = "a secret of the tests, more than 32 bytes"
SETTINGS = AuthSettings(auth_mode="required", jwt_secret=SECRET)


def claims(**more: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {"iss": "headrace", "aud": "headrace", "sub": "GA", "iat": now, "exp": now + 60}
    return {k: v for k, v in (good | more).items() if v is not None}


def sign(
    document: dict[str, Any], secret: str = SECRET, algorithm: str = "HS256", **headers: Any
) -> str:
    return jwt.encode(document, secret, algorithm=algorithm, headers=headers or None)


async def refused(token: str, verifier: Verifier | None = None) -> str:
    with pytest.raises(Problem) as problem:
        await (verifier or Verifier(SETTINGS, None)).verify(token)
    assert problem.value.status == 401
    assert problem.value.headers["WWW-Authenticate"] == 'Bearer realm="headrace"'
    assert len(problem.value.detail) < 200
    return problem.value.detail


async def test_a_valid_token_gives_its_principal() -> None:
    document = claims(scope="events:all  admin", topics=["7"], jti="j")
    principal = await Verifier(SETTINGS, None).verify(sign(document))
    assert principal == Principal(
        "GA", frozenset({"events:all", "admin"}), frozenset({"7"}), document["exp"],
        document["iat"], "j",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"exp": 1}, "expired"),
        ({"exp": None}, "exp"),
        ({"exp": "soon"}, "exp"),
        ({"iss": "other"}, "issuer"),
        ({"iss": None}, "iss"),
        ({"aud": "other"}, "Audience"),
        ({"aud": None}, "aud"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": 5}, "ubject"),
        ({"scope": ["admin"]}, "scope"),
        ({"topics": "7"}, "topics"),
        ({"topics": [7]}, "topics"),
        ({"nbf": 1 << 40}, "nbf"),
    ],
)
async def test_invalid_claims_are_rejected_with_a_reason(
    change: dict[str, Any], reason: str
) -> None:
    assert reason in await refused(sign(claims(**change)))


@pytest.mark.parametrize("change", [{"iat": "x"}, {"iat": []}, {"iat": {}}])
async def test_an_iat_of_a_wrong_type_is_rejected(change: dict[str, Any]) -> None:
    await refused(sign(claims(**change)))


async def test_an_iat_a_little_in_the_future_is_accepted() -> None:
    assert await Verifier(SETTINGS, None).verify(sign(claims(iat=int(time.time()) + 3)))


def unsigned(header: object, document: object) -> str:
    parts = (json.dumps(part).encode() for part in (header, document))
    return ".".join([base64.urlsafe_b64encode(p).decode().rstrip("=") for p in parts] + [""])


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", "HS512", "RS256", None, 5])
async def test_the_algorithm_of_the_token_is_not_trusted(algorithm: int | str | None) -> None:
    await refused(unsigned({"alg": algorithm, "typ": "JWT"}, claims()))
    if algorithm == "HS512":
        with pytest.warns(jwt.InsecureKeyLengthWarning):
            token = sign(claims(), algorithm="HS512")
        await refused(token)


async def test_a_token_with_a_changed_part_is_rejected() -> None:
    header, body, signature = sign(claims()).split(".")
    admin = sign(claims(scope="admin"), secret="another secret of more than 32 bytes").split(".")[1]
    for parts in (
        (header, admin, signature), (header, body, signature[:-4] + "AAAA"),
        (header, body, ""), (header[:-2], body, signature), (header, body),
    ):  # fmt: skip
        await refused(".".join(parts))


async def test_a_token_signed_with_another_secret_is_rejected() -> None:
    await refused(sign(claims(), secret="another secret of more than 32 bytes"))


@given(st.text(max_size=60))
async def test_any_text_as_a_token_gives_401(text: str) -> None:
    await refused(text)


@pytest.mark.parametrize("part", [b"[" * 40_000, b"\xff", b"{}", b"null", b"5", b'{"alg":' * 9])
async def test_any_header_of_a_token_gives_401(part: bytes) -> None:
    text = base64.urlsafe_b64encode(part).decode().rstrip("=")
    await refused(f"{text}.{text}.AAAA")
    await refused(f"{text}.\udcff.AAAA")


def request(path: str = "/", **headers: Any) -> web.Request:
    return make_mocked_request("GET", path, headers=headers)


def test_the_token_comes_from_the_header_then_the_query_then_the_cookie() -> None:
    every = {"Authorization": "Bearer a", "Cookie": "headrace_token=c"}
    assert token_of(request("/?access_token=b", **every)) == ("a", TokenPlace.HEADER)
    only_cookie = {"Cookie": every["Cookie"]}
    assert token_of(request("/?access_token=b", **only_cookie)) == ("b", TokenPlace.QUERY)
    assert token_of(request(**only_cookie)) == ("c", TokenPlace.COOKIE)
    assert token_of(request(Authorization="bearer   a ")) == ("a", TokenPlace.HEADER)
    assert token_of(request()) is None


def test_an_empty_header_and_an_empty_parameter_are_no_token() -> None:
    found = token_of(request("/?access_token=", Authorization="", Cookie="headrace_token=c"))
    assert found == ("c", TokenPlace.COOKIE)
    assert token_of(request("/?access_token=", Authorization="", Cookie="headrace_token=")) is None


@pytest.mark.parametrize("header", ["Basic a", "Bearer", "Bearer ", "a"])
def test_another_authorization_scheme_is_rejected(header: str) -> None:
    with pytest.raises(Problem):
        token_of(request("/?access_token=b", Authorization=header))


def test_admin_and_anyone_have_every_scope() -> None:
    admin = Principal("GA", frozenset({"admin"}))
    assert all(who.has(scope) for who in (admin, ANYONE) for scope in Scope)
    assert not Principal("GA", frozenset({"events:all"})).has(Scope.STREAMS_WRITE)


@pytest.mark.parametrize(
    ("scopes", "topics", "topic", "parties", "allowed"),
    [
        ("", None, "user:GA", (), True),
        ("", None, "user:GB", (), False),
        ("", None, "7", ("GA", "GB"), True),
        ("", None, "7", ("GC", "GB"), False),
        ("", None, "*", ("GA",), False),
        ("events:all", None, "*", (), True),
        ("events:all", ["7"], "*", (), False),
        ("events:all", ["7"], "7", (), True),
        ("", ["7"], "7", ("GB",), False),
        ("", ["user:GA"], "7", ("GA",), False),
        ("admin", None, "user:GB", (), True),
    ],
)
def test_which_topics_a_principal_may_subscribe_to(
    scopes: str, topics: list[str] | None, topic: str, parties: tuple[str, ...], allowed: bool
) -> None:
    who = principal_of(claims(scope=scopes, topics=topics))
    assert who.may_subscribe(topic, parties) is allowed


def test_which_events_a_principal_may_see() -> None:
    who = Principal("GA", frozenset())
    assert who.may_see(("7", "user:GA", "user:GB"))
    assert not who.may_see(("7", "user:GB"))
    assert who.may_see(())  # an event for everybody
    assert Principal("GA", frozenset({"events:all"})).may_see(("7",))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"auth_mode": "required"}, "set JWT_SECRET, or else JWKS_URL, to check"),
        ({"auth_mode": "required", "jwt_secret": SECRET, "jwks_url": "https://a"}, "not both"),
        ({"jwt_secret": "short"}, "32 bytes"),
        ({"jwt_secret": SECRET, "jwt_other_secret": "short"}, "32 bytes"),
        ({"jwt_other_secret": SECRET}, "needs JWT_SECRET"),
        ({"jwks_url": "ftp://a"}, "expected http"),
        ({"jwt_algorithms": "HS256"}, "expected RS"),
        ({"jwt_algorithms": "none"}, "expected RS"),
        ({"jwt_algorithms": ""}, "none"),
        ({"jwt_issuer": ""}, "at least 1"),
    ],
)
def test_invalid_settings_are_rejected(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        AuthSettings(**given)


def test_a_settings_class_with_two_bases_keeps_the_model_config(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Both(JournalSettings, AuthSettings):
        """Like the settings of the API."""

    monkeypatch.setenv("PORT", "")
    monkeypatch.setenv("JWT_ALGORITHMS", "EdDSA, ES256")
    settings = Both(contracts=TOKEN, unknown=1)
    assert (settings.port, settings.jwt_algorithms) == (0, ("EdDSA", "ES256"))
    assert SECRET not in repr(Both(contracts=TOKEN, jwt_secret=SECRET))
