"""Tokens: renewed before they end and after a refusal; tickets for API keys and other servers."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from headrace_client import ForbiddenError, UnauthorizedError
from headrace_client.login import Login, account, expiry

from shared.auth.revocations import Revocation, RevocationStore
from tests.clients.packages.python.conftest import Connect, StartServer
from tests.clients.packages.python.reader import Reader
from tests.clients.packages.python.server import make_stream
from tests.fanout.replicas import ALICE, BOB, CAROL, Chain, StartReplica
from tests.fanout.tokens import REQUIRED, token
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(120)

CREATED: dict[str, Any] = {"users": [ALICE], "types": ["stream.created"]}
"""Without the notices of the API that a stream has run out."""


class Tokens:
    """Makes a token for each call, as a login server does."""

    def __init__(self, account: str, seconds: float, **claims: Any) -> None:
        self.made: list[str] = []
        self._account = account
        self._seconds = seconds
        self._claims = claims

    async def __call__(self) -> str:
        claims = {"exp": int(time.time() + self._seconds), **self._claims}
        self.made.append(token(self._account, **claims))
        return self.made[-1]


async def test_short_tokens_are_renewed_and_nothing_is_lost(
    start: StartReplica, connect: Connect, chain: Chain
) -> None:
    replica = await start(**REQUIRED, retry_ms=100)
    tokens = Tokens(ALICE, 4)
    async with Reader(connect(replica.port, token=tokens), users=[ALICE]) as reader:
        await reader.live()
        sent: list[str] = []

        async def ended_twice() -> bool:
            sent.extend(await chain.commit())
            return reader.reasons.count("goodbye: token_expired") >= 2

        await until(ended_twice, seconds=60, what="two ends of tokens")
        await reader.has(sent[-1])
    assert reader.ids == sent
    assert len(tokens.made) >= 3


async def test_a_new_token_replaces_a_connection_at_once(
    start: StartReplica, connect: Connect, chain: Chain
) -> None:
    replica = await start(**REQUIRED)  # token_expiring comes 60 s before the end
    first = token(ALICE, exp=int(time.time() + 50))
    given = [first, token(ALICE)]

    async def renew() -> str:
        return given.pop(0)

    async with Reader(connect(replica.port, token=renew), users=[ALICE]) as reader:
        await until(lambda: reader.attempts == 2, what="a second connection")
        await reader.live()
        sent = await chain.commit_many(2)
        await reader.has(sent[-1])
        assert reader.ids == sent
        assert reader.reasons == []


async def test_a_revoked_token_is_replaced(
    start: StartReplica, connect: Connect, chain: Chain, sessions: RevocationStore
) -> None:
    replica = await start(**REQUIRED, retry_ms=100, revocation_seconds=0.1)
    tokens = Tokens(ALICE, 3600, jti="first")
    async with Reader(connect(replica.port, token=tokens), users=[ALICE]) as reader:
        await reader.live()
        tokens._claims["jti"] = "second"
        await sessions.revoke(Revocation(token_id="first"), seconds=3600)
        await until(lambda: "goodbye: revoked" in reader.reasons, what="the end")
        sent = await chain.commit_many(2)
        await reader.has(sent[-1])
        assert reader.ids == sent
        assert len(tokens.made) == 2


async def test_a_fixed_token_that_ended_is_an_error(
    start: StartReplica, connect: Connect, chain: Chain
) -> None:
    replica = await start(**REQUIRED, retry_ms=100)
    fixed = token(ALICE, exp=int(time.time() + 8))
    async with Reader(connect(replica.port, token=fixed), users=[ALICE]) as reader:
        error = await reader.failed()
        assert "live" in [state.status for state in reader.states]
        assert isinstance(error, UnauthorizedError)
        assert error.advice == "Log in, and give the client the new token."


async def test_what_a_token_does_not_allow_is_an_error(
    start: StartReplica, connect: Connect
) -> None:
    replica = await start(**REQUIRED)
    client = connect(replica.port, token=token(ALICE))
    with pytest.raises(ForbiddenError) as caught:
        await anext(client.events(users=[BOB, ALICE]))
    (error,) = caught.value.errors
    assert error["parameter"] == "users"
    with pytest.raises(UnauthorizedError):
        await anext(connect(replica.port).events(users=[BOB]))


async def test_a_token_behind_a_redirect_stays_with_the_api(
    start_server: StartServer, connect: Connect, chain: Chain
) -> None:
    server = await start_server(**REQUIRED)
    async with Reader(connect(server.port, token=token(ALICE)), **CREATED) as reader:
        await reader.live()
        sent = await chain.commit_many(2)
        await server.end(0)
        await server.start(0)
        await server.end(1)
        sent += await chain.commit_many(2)
        await reader.has(sent[-1])
    assert reader.ids == sent


async def test_an_api_key_subscribes_with_tickets(
    start_server: StartServer, connect: Connect, chain: Chain
) -> None:
    server = await start_server(**REQUIRED)
    admin = connect(server.port, token=token(CAROL, scope="admin"))
    body = {"name": "reports", "scopes": ["events:all"], "account": CAROL}
    made = await admin._http.call("POST", "/v1/keys", body=body)
    client = connect(server.port, token=made.document["key"])
    async with Reader(client, **CREATED) as reader:
        await reader.live()
        sent = await chain.commit_many(2)
        await reader.has(sent[-1])
        assert reader.ids == sent
    assert [event.id async for event in client.history(**CREATED, order="asc")] == sent


async def test_a_token_without_a_name_gets_what_belongs_to_its_account(
    start_server: StartServer, connect: Connect, chain: Chain
) -> None:
    server = await start_server(**REQUIRED)
    types = ["stream.created"]
    alice, carol = (
        connect(server.port, token=token(each, scope="streams:write")) for each in (ALICE, CAROL)
    )
    async with Reader(alice, types=types) as own, Reader(carol, types=types) as foreign:
        await own.live()
        await foreign.live()
        sent = await chain.commit_many(2)  # the streams of ALICE and BOB
        await own.has(sent[-1])
        assert own.ids == sent
        made = await make_stream(carol, CAROL, CAROL)  # comes after the others
        await until(lambda: foreign.ids, seconds=90, what="the event of CAROL")
        assert [event.stream_id for event in foreign.events] == [made]
    assert [event.id async for event in alice.history(types=types, order="asc")] == sent
    assert [event.id async for event in carol.history(types=types)] == foreign.ids


async def test_follow_without_a_name_follows_the_account_of_the_token(
    start_server: StartServer, connect: Connect
) -> None:
    server = await start_server(**REQUIRED)
    for scope in ("streams:write", "streams:write events:all"):
        client = connect(server.port, token=token(BOB, scope=scope))
        followed = client.follow()
        await anext(followed)
        before = set(followed.streams)
        alice = connect(server.port, token=token(ALICE, scope="streams:write"))
        await make_stream(alice, ALICE, CAROL)
        made = await make_stream(alice)
        await anext(followed)
        assert set(followed.streams) == {*before, made}
        await followed.aclose()
    with pytest.raises(ValueError, match="the token does not tell its account: name users or"):
        await anext(connect(server.port, token="hr_key").follow())
    with pytest.raises(ValueError, match="without a token, name at least one of"):
        connect(server.port).follow()


async def test_many_requests_share_one_renewal() -> None:
    now = 1000.0
    made: list[str] = []

    async def renew() -> str:
        await asyncio.to_thread(str)  # the other requests go on meanwhile
        made.append(token(ALICE, exp=now + 600, jti=str(len(made))))
        return made[-1]

    login = Login(renew, clock=lambda: now)
    assert len({*await asyncio.gather(*(login.token() for _ in range(5)))}) == 1
    now += 539
    assert await login.token() == made[0]
    now += 2  # 59 s before the end
    assert {*await asyncio.gather(*(login.token() for _ in range(5)))} == {made[1]}
    assert await login.renew(made[0]) == made[1], "another task has renewed it"
    assert await login.renew(made[1]) == made[2]


async def test_the_end_of_a_token_is_read_without_its_key() -> None:
    assert expiry(token(ALICE, exp=1234)) == 1234
    assert account(token(ALICE)) == ALICE
    for text in ("hr_key", "", "a.b.c", "a.e30.c", "..", "a.bnVsbA.c"):
        assert expiry(text) is None
        assert account(text) is None
    assert account(token("7")[:-1] + "é") == "7"
    fixed = Login("hr_key")
    assert [await fixed.token(), await fixed.renew("hr_key"), fixed.renewable] == ["hr_key"] * 2 + [
        False
    ]
    assert await Login(None).token() is None
