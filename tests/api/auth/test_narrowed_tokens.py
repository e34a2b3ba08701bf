"""The claim `topics` limits all that a token may do, and no call gives a token with more rights."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from shared.auth.tickets import Tickets
from shared.journal.keys import Keys
from tests.api.auth.samples import (
    ADMIN,
    ALICE,
    BOB,
    CAROL,
    bearer,
    claims_of,
    log_in,
    token_of,
    writer,
)
from tests.api.samples import order
from tests.support.web_client import WebClient

ORDER = order(sender=ALICE.public_key, recipient=BOB.public_key)
OF_ALICE = f"user:{ALICE.public_key}"


def limited_admin(*topics: str) -> dict[str, str]:
    return bearer(token_of(CAROL.public_key, "admin", topics=list(topics)))


async def stream_of(client: WebClient) -> str:
    response = await client.post("/v1/streams", json=ORDER, headers=ADMIN)
    stream_id: str = (await response.json())["id"]
    return stream_id


@pytest.mark.parametrize(
    ("topics", "status"),
    [(["7"], 403), ([], 403), ([f"user:{BOB.public_key}"], 403), ([OF_ALICE], 201), (["*"], 201)],
)
@pytest.mark.parametrize("scope", ["streams:write", "admin"])
async def test_a_stream_is_created_only_by_a_token_with_the_topic_of_the_sender(
    secure: WebClient, topics: list[str], status: int, scope: str
) -> None:
    headers = bearer(token_of(ALICE.public_key, scope, topics=topics))
    assert (await secure.post("/v1/streams", json=ORDER, headers=headers)).status == status


@pytest.mark.parametrize("scope", ["streams:write", "admin"])
async def test_a_stream_is_changed_only_by_a_token_that_may_read_it(
    secure: WebClient, scope: str
) -> None:
    stream_id = await stream_of(secure)
    for topics, step, status in (
        (["7"], "pause", 403), ([], "pause", 403), ([stream_id], "pause", 200),
        (["7"], "resume", 403), ([OF_ALICE], "resume", 200),
    ):  # fmt: skip
        headers = bearer(token_of(ALICE.public_key, scope, topics=topics))
        response = await secure.post(f"/v1/streams/{stream_id}/{step}", headers=headers)
        assert response.status == status, (topics, step)


async def test_a_repeated_request_is_answered_only_within_the_topics(secure: WebClient) -> None:
    path, key = f"/v1/streams/{await stream_of(secure)}/pause", {"Idempotency-Key": "k"}
    assert (await secure.post(path, headers=writer(ALICE) | key)).status == 200
    assert (await secure.post(path, headers=writer(ALICE) | key)).status == 200
    assert (await secure.post(path, headers=writer(ALICE, topics=["7"]) | key)).status == 403


async def test_an_admin_with_topics_gets_no_rights_beyond_them(secure: WebClient) -> None:
    key = {"name": "all", "scopes": ["admin"]}
    for headers in (limited_admin("7"), limited_admin(f"user:{CAROL.public_key}")):
        made = await secure.post("/v1/keys", json=key, headers=headers)
        assert "topics" in (await made.json())["detail"]
        for response in (
            made,
            await secure.get("/v1/keys", headers=headers),
            await secure.delete("/v1/keys/x", headers=headers),
            await secure.post("/v1/auth/revoke", json={"jti": "x"}, headers=headers),
            await secure.get("/v1/system", headers=headers),
        ):
            assert response.status == 403, response.url
    assert (await secure.post("/v1/keys", json=key, headers=limited_admin("*"))).status == 201


async def test_refresh_and_ticket_keep_the_topics(
    wallets: WebClient, redis: Redis, keys: Keys
) -> None:
    login_time = claims_of(await log_in(wallets, ALICE.public_key, ALICE))["auth_time"]
    headers = writer(ALICE, auth_time=login_time, topics=["7"])
    renewed = await (await wallets.post("/v1/auth/refresh", headers=headers)).json()
    assert claims_of(renewed["token"])["topics"] == ["7"]
    given = await (await wallets.post("/v1/events/ticket", headers=headers)).json()
    token = await Tickets(redis, keys).redeem(given["ticket"], "client")
    assert token
    assert claims_of(token)["topics"] == ["7"]
