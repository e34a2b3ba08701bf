"""Rate limits: exact under contention, refilled evenly, and shown in headers."""

from __future__ import annotations

import asyncio
import re

import pytest
from redis.asyncio import Redis
from stellar_sdk import MuxedAccount

from services.api.http.rate_limits import (
    RateLimitPolicy,
    RateLimits,
    raise_if_exceeded,
    rate_limit_headers,
)
from shared.journal.keys import Keys
from shared.web.problems import Problem
from tests.api.auth.samples import ADMIN, ALICE, BOB, REQUIRED, bearer, writer
from tests.support.waiting import until
from tests.support.web_client import StartApi, WebClient

TEN = RateLimitPolicy("ip", 10, window=86_400)
"""It gives a request back after 8,640 s, so not during a test."""


@pytest.fixture
def limits(redis: Redis, keys: Keys) -> RateLimits:
    return RateLimits(redis, keys)


async def test_a_quota_is_exact_for_concurrent_requests(limits: RateLimits) -> None:
    answers = await asyncio.gather(*(limits.take([(TEN, "me")]) for _ in range(50)))
    verdicts = [verdict for (verdict,) in answers]
    passed = [v for v in verdicts if v.wait == 0]
    assert sorted(v.remaining for v in passed) == list(range(10))
    assert all(v.remaining == 0 and 0 < v.wait <= 8640 for v in verdicts if v.wait)
    (other,) = await limits.take([(TEN, "you")])
    assert (other.remaining, other.wait) == (9, 0)


async def test_a_quota_refills_evenly(limits: RateLimits) -> None:
    policy = RateLimitPolicy("ip", 50, window=1)
    for _ in range(50):
        await limits.take([(policy, "me")])

    async def again() -> bool:
        (verdict,) = await limits.take([(policy, "me")])
        return verdict.wait == 0

    await until(again, what="the next request")


async def test_a_request_counts_in_all_quotas_or_in_none(limits: RateLimits) -> None:
    # The second quota gets its next request back after 14 minutes, not during the test.
    one, many = RateLimitPolicy("login", 1), RateLimitPolicy("ip", 100, window=86_400)
    await limits.take([(many, "a"), (one, "b")])
    for _ in range(5):
        first, second = await limits.take([(many, "a"), (one, "b")])
        assert (first.remaining, first.wait, second.remaining) == (99, 0, 0)
        assert second.wait > 0
    (whole,) = await limits.take([(many, "a")])
    assert whole.remaining == 98


async def test_a_clock_that_was_set_back_delays_nobody_longer_than_a_used_up_quota(
    limits: RateLimits, redis: Redis, keys: Keys
) -> None:
    seconds, _ = await redis.time()
    await redis.set(keys.rate("ip", "me"), (seconds + 3600) * 1_000_000)
    policy = RateLimitPolicy("ip", 10, window=10)
    (verdict,) = await limits.take([(policy, "me")])
    assert (verdict.remaining, verdict.reset) == (0, 10.0)
    assert 0.9 < verdict.wait <= 1

    async def again() -> bool:
        (verdict,) = await limits.take([(policy, "me")])
        return verdict.wait == 0

    await until(again, what="the next request")


async def test_without_a_quota_redis_is_not_asked() -> None:
    class Nobody(RateLimits):
        def __init__(self) -> None:
            """Must not be called."""

    assert await Nobody().take([(RateLimitPolicy("ip", 0), "me")]) == []
    assert rate_limit_headers([]) == {}
    raise_if_exceeded([])


async def test_keys_of_rate_limits_expire(limits: RateLimits, redis: Redis, keys: Keys) -> None:
    await limits.take([(TEN, "me")])
    assert 0 < await redis.pttl(keys.rate("ip", "me")) <= 8_640_001


async def test_the_error_says_when_to_retry(limits: RateLimits) -> None:
    for _ in range(10):
        verdicts = await limits.take([(TEN, "me")])
        raise_if_exceeded(verdicts)
    verdicts = await limits.take([(TEN, "me")])
    with pytest.raises(Problem) as refused:
        raise_if_exceeded(verdicts)
    assert refused.value.status == 429
    assert 1 <= int(refused.value.headers["Retry-After"]) <= 8640


async def test_the_rate_limit_headers_of_a_response(start: StartApi) -> None:
    client = await start(**REQUIRED, rate_limit_ip=5, rate_limit_subject=3)
    seen = []
    for _ in range(5):
        response = await client.get("/v1/streams", headers=writer(ALICE))
        seen.append(response)
    assert [r.status for r in seen] == [200, 200, 200, 429, 429]
    policy = '"ip";q=5;w=60, "subject";q=3;w=60'
    assert {r.headers["RateLimit-Policy"] for r in seen} == {policy}
    states = [re.findall(r'"(\w+)";r=(\d+);t=\d+', r.headers["RateLimit"]) for r in seen]
    assert states[0] == [("ip", "4"), ("subject", "2")]
    assert states[2] == [("ip", "2"), ("subject", "0")]
    assert int(seen[-1].headers["Retry-After"]) >= 1
    document = await seen[-1].json(content_type="application/problem+json")
    assert (document["status"], "subject" in document["detail"]) == (429, True)
    assert (await client.get("/v1/streams", headers=writer(BOB))).status == 200


async def test_all_logins_of_an_account_share_its_limit(start: StartApi) -> None:
    client = await start(**REQUIRED, rate_limit_subject=2)
    muxed = [MuxedAccount(ALICE.public_key, number).account_muxed for number in range(2)]
    statuses = [
        (await client.get("/v1/streams", headers=writer(ALICE, sub=user))).status
        for user in (*muxed, f"{ALICE.public_key}:7")
    ]
    assert statuses == [200, 200, 429]


async def test_requests_with_wrong_tokens_are_counted(start: StartApi) -> None:
    client = await start(**REQUIRED, rate_limit_ip=3)
    statuses = [(await client.get("/v1/streams", headers=bearer("guess"))).status for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    assert (await client.get("/livez")).status == 200


async def test_files_of_pages_are_not_counted(start: StartApi) -> None:
    """Else a few people behind one address would get a console without its scripts."""
    client = await start(**REQUIRED, rate_limit_ip=1)
    for path in ("/console/js/app.js", "/docs", "/problems/not-found"):
        assert [(await client.get(path)).status for _ in range(3)] == [200, 200, 200]
    assert [(await client.get("/v1/streams", headers=ADMIN)).status for _ in range(2)] == [200, 429]


async def test_logins_have_their_own_limit(start: StartApi) -> None:
    client = await start(**REQUIRED, rate_limit_login=2)
    statuses = [(await client.get("/v1/auth")).status for _ in range(4)]
    assert statuses == [422, 422, 429, 429]
    assert (await client.get("/v1/streams", headers=ADMIN)).status == 200


async def test_clients_behind_a_trusted_proxy_are_counted_separately(start: StartApi) -> None:
    client = await start(**REQUIRED, rate_limit_ip=1, trusted_proxies="127.0.0.0/8,::1/128")

    async def status(forwarded: str) -> int:
        headers = writer(ALICE) | {"X-Forwarded-For": forwarded}
        return (await client.get("/v1/streams", headers=headers)).status

    assert [await status("1.1.1.1"), await status("2.2.2.2")] == [200, 200]
    assert await status("1.1.1.1") == 429
    assert await status("9.9.9.9, 2.2.2.2") == 429  # entries that the client added are ignored


async def test_the_header_of_an_untrusted_proxy_is_ignored(start: StartApi) -> None:
    client = await start(**REQUIRED, rate_limit_ip=1)
    statuses = []
    for n in range(3):
        headers = writer(ALICE) | {"X-Forwarded-For": f"1.1.1.{n}"}
        statuses.append((await client.get("/v1/streams", headers=headers)).status)
    assert statuses == [200, 429, 429]


async def test_replicas_share_the_quota(start: StartApi) -> None:
    clients = [await start(**REQUIRED, rate_limit_ip=4) for _ in range(2)]
    answers = await asyncio.gather(
        *(c.get("/v1/streams", headers=writer(ALICE)) for c in clients for _ in range(10))
    )
    assert sorted(a.status for a in answers) == [200] * 4 + [429] * 16


async def test_open_mode_has_only_the_limits_that_are_set(
    client: WebClient, start: StartApi
) -> None:
    assert "RateLimit" not in (await client.get("/v1/streams")).headers
    limited = await start(rate_limit_ip=1)
    assert [(await limited.get("/v1/streams")).status for _ in range(2)] == [200, 429]
