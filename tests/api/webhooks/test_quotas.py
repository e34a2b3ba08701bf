"""How many webhooks an account may have, and how many tests it may ask for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from redis.asyncio import Redis
from stellar_sdk import MuxedAccount

from services.api.webhooks import routes
from shared.journal.keys import Keys
from tests.api.auth.samples import ADMIN, ALICE, BOB, REQUIRED, bearer, token_of, writer
from tests.api.webhooks.samples import URL, answer_of, created
from tests.support.web_client import StartApi, WebClient

OWNER = writer(ALICE)
MUXED = [MuxedAccount(ALICE.public_key, each).account_muxed or "" for each in (1, 2)]
LOGINS = [bearer(token_of(each, "streams:write")) for each in MUXED]
BODY = {"url": URL}


async def test_an_account_has_a_limited_number_of_webhooks(start: StartApi) -> None:
    client = await start(**REQUIRED, webhooks_per_account=2)
    path = f"/{(await created(client, OWNER))['id']}"
    await created(client, OWNER)
    status, problem = await answer_of(client, "POST", "", json=BODY, headers=OWNER)
    assert (status, problem["type"], problem["limit"]) == (403, "/problems/webhook-quota", 2)
    await answer_of(client, "DELETE", path, headers=OWNER)
    await created(client, OWNER)


async def test_all_logins_of_an_account_count_together(start: StartApi) -> None:
    """One key can log in as any number of M… addresses."""
    client = await start(**REQUIRED, webhooks_per_account=2)
    one, other = LOGINS
    first = await created(client, one)
    await created(client, other)
    for login in (one, other, OWNER):
        status, problem = await answer_of(client, "POST", "", json=BODY, headers=login)
        assert (status, problem["limit"]) == (403, 2)
    await answer_of(client, "DELETE", f"/{first['id']}", headers=one)
    await created(client, OWNER)


async def test_each_login_lists_its_own_webhooks(start: StartApi) -> None:
    client = await start(**REQUIRED)
    ids = [(await created(client, login))["id"] for login in (*LOGINS, OWNER)]
    for login, own in zip((*LOGINS, OWNER), ids, strict=True):
        _, listed = await answer_of(client, "GET", "", headers=login)
        assert [each["id"] for each in listed["items"]] == [own]
    _, listed = await answer_of(client, "GET", f"?account={MUXED[0]}", headers=ADMIN)
    assert [each["id"] for each in listed["items"]] == ids[:1]


async def test_a_webhook_from_before_logins_were_counted_together_is_listed(
    secure: WebClient, redis: Redis, keys: Keys
) -> None:
    own = (await created(secure, LOGINS[0]))["id"]
    await redis.delete(keys.webhooks_of(ALICE.public_key))
    await redis.zadd(keys.webhooks_of(MUXED[0]), {own: 1})  # the set of an earlier version
    for batch in (2, 3):
        _, listed = await answer_of(secure, "GET", "", headers=LOGINS[0])
        assert [each["id"] for each in listed["items"]] == [own]
        await answer_of(secure, "PATCH", f"/{own}", json={"batch": batch}, headers=LOGINS[0])
    assert await redis.zcard(keys.webhooks_of(ALICE.public_key)) == 1, "a change counts it"


@pytest.fixture
def slow_refill(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow machine, the first test must not come back before the last one is asked for."""
    monkeypatch.setattr(routes, "TESTS", replace(routes.TESTS, window=86_400))


async def asked(client: WebClient, path: str, headers: dict[str, str]) -> int:
    return (await answer_of(client, "POST", f"{path}/test", headers=headers))[0]


@pytest.mark.usefixtures("slow_refill")
async def test_tests_of_an_account_are_limited(secure: WebClient) -> None:
    path = f"/{(await created(secure, OWNER))['id']}"
    assert {await asked(secure, path, OWNER) for _ in range(30)} == {202}
    status, problem = await answer_of(secure, "POST", f"{path}/test", headers=OWNER)
    assert (status, "webhook-tests" in problem["detail"]) == (429, True)
    other = f"/{(await created(secure, LOGINS[0]))['id']}"
    assert await asked(secure, other, LOGINS[0]) == 429, "a login of the same account"
    of_bob = f"/{(await created(secure, writer(BOB)))['id']}"
    assert await asked(secure, of_bob, writer(BOB)) == 202


@pytest.mark.usefixtures("slow_refill")
async def test_a_test_that_is_not_allowed_does_not_count(secure: WebClient) -> None:
    path, reader = f"/{(await created(secure, OWNER))['id']}", bearer(token_of(ALICE.public_key))
    assert {await asked(secure, path, reader) for _ in range(31)} == {403}
    assert await asked(secure, path, OWNER) == 202


@pytest.mark.usefixtures("slow_refill")
async def test_without_logins_the_tests_of_an_address_are_limited(start: StartApi) -> None:
    client = await start(trusted_proxies="127.0.0.0/8")
    path = f"/{(await created(client, {}, all=True))['id']}"
    one, other = ({"X-Forwarded-For": f"198.51.100.{each}"} for each in (1, 2))
    answers = [await asked(client, path, one) for _ in range(31)]
    assert (set(answers[:30]), answers[-1]) == ({202}, 429)
    assert await asked(client, path, other) == 202
