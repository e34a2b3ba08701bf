"""A ticket replaces a token for one use. The cookie replaces the ticket on reconnects."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest
from redis.asyncio import Redis

from shared.auth.tickets import Tickets
from shared.journal.keys import Keys
from tests.fanout.replicas import BOB, SUBSCRIBE, Replica, StartReplica
from tests.fanout.tokens import REQUIRED, ask, bearer, status, token
from tests.support.sse_client import SseClient
from tests.support.waiting import until

Issue: TypeAlias = Callable[[str], Awaitable[str]]
"""Issues a ticket for a token."""


@pytest.fixture
async def ticket(redis: Redis, keys: Keys) -> Issue:
    """Issues tickets as the API does."""
    return Tickets(redis, keys).issue


async def test_a_ticket_works_once_and_its_cookie_on_reconnects(
    auth_replica: Replica, stream: str, ticket: Issue, clients: list[SseClient]
) -> None:
    value = token(BOB)
    query = f"streams=7&ticket={await ticket(value)}"
    first = await ask(auth_replica, query)
    clients.append(first)
    cookie, *attributes = first.headers["set-cookie"].split("; ")
    assert cookie == f"headrace_token={value}"
    assert attributes == ["Path=/", "HttpOnly", "SameSite=Lax"]
    assert await status(auth_replica, query, headers={"Cookie": cookie}) == 200
    assert await status(auth_replica, query, headers={"User-Agent": "another"}) == 401
    expired = {"Cookie": f"headrace_token={token(BOB, exp=1_700_000_000)}"}
    assert await status(auth_replica, query, headers=expired) == 401, (
        "an expired cookie does not fall back to anonymous access"
    )


async def test_a_cookie_with_samesite_none_is_secure(
    start: StartReplica, ticket: Issue, clients: list[SseClient]
) -> None:
    replica = await start(**REQUIRED, cookie_same_site="None")
    client = await ask(replica, f"users={BOB}&ticket={await ticket(token(BOB))}")
    clients.append(client)
    assert client.headers["set-cookie"].endswith("; SameSite=None; Secure")


async def test_the_cookie_is_secure_if_the_request_came_by_tls(
    start: StartReplica, ticket: Issue, clients: list[SseClient]
) -> None:
    trusting = await start(**REQUIRED, trusted_proxies="127.0.0.1/32")
    other = await start(**REQUIRED)
    for replica, protocol, secure in (
        (trusting, "https", True), (trusting, "http", False), (other, "https", False)
    ):  # fmt: skip
        query = f"users={BOB}&ticket={await ticket(token(BOB))}"
        clients.append(await ask(replica, query, headers={"X-Forwarded-Proto": protocol}))
        assert clients[-1].headers["set-cookie"].endswith("; Secure") is secure, protocol


async def test_of_many_clients_with_the_same_ticket_one_is_accepted(
    auth_replica: Replica, stream: str, ticket: Issue
) -> None:
    query = f"streams=7&ticket={await ticket(token(BOB))}"
    got = await asyncio.gather(
        *(status(auth_replica, query, headers={"User-Agent": f"browser {n}"}) for n in range(30))
    )
    assert sorted(got) == [200] + [401] * 29


async def test_a_client_whose_response_was_lost_may_use_its_ticket_again(
    auth_replica: Replica, stream: str, ticket: Issue
) -> None:
    browser = {"User-Agent": "a browser"}
    query = f"streams=7&ticket={await ticket(token(BOB))}"
    lost = await SseClient.connect(auth_replica.port, f"{SUBSCRIBE}?{query}", headers=browser)
    # the server has answered; the client never reads the answer
    await until(lambda: auth_replica.components.registry.count == 1)
    lost.close()
    assert await status(auth_replica, query, headers=browser) == 200
    assert await status(auth_replica, query, headers=browser) == 401, "the ticket was used twice"


async def test_a_ticket_gives_the_permissions_of_its_token_only(
    auth_replica: Replica, stream: str, ticket: Issue
) -> None:
    client = await ask(auth_replica, f"all=true&ticket={await ticket(token(BOB))}")
    assert client.status == 403
    assert "set-cookie" not in client.headers
    assert await status(auth_replica, f"all=true&ticket={await ticket('abc')}") == 401


@pytest.mark.parametrize("way", ["in-band", "status"])
async def test_a_refused_client_keeps_the_session_of_its_ticket(
    start: StartReplica, ticket: Issue, clients: list[SseClient], way: str
) -> None:
    replica = await start(**REQUIRED, connections_per_user=1)
    held = await replica.subscribe(f"users={BOB}", headers=bearer(token(BOB)))
    clients.append(held)
    query = f"users={BOB}&ticket={await ticket(token(BOB))}"
    client = await ask(replica, query + ("&on_overload=status" if way == "status" else ""))
    assert client.status == (429 if way == "status" else 200)
    cookie = client.headers["set-cookie"].partition(";")[0]
    held.close()

    async def in_again() -> bool:
        return await status(replica, query, headers={"Cookie": cookie}) == 200

    await until(in_again)
