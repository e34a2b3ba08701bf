"""Challenges are used once; a revoked token is rejected and its revocation is logged."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable
from typing import Any

import pytest
from redis.asyncio import Redis

from shared.auth.principal import Principal
from shared.auth.revocations import EpochUnknownError, Revocation, RevocationStore
from shared.journal.keys import Keys
from shared.web.problems import Problem
from tests.support.data import begun_long_ago


def who(account: str = "GA", token_id: str = "t", issued: float = 100.0) -> Principal:
    return Principal(account, frozenset(), issued=issued, token_id=token_id)


@pytest.fixture
async def sessions(redis: Redis, keys: Keys) -> RevocationStore:
    """With an epoch of 1 s after 1970."""
    await begun_long_ago(redis, keys)
    return RevocationStore(redis, keys)


async def refused(work: Awaitable[object]) -> str:
    """The detail of the 401; "" when the call passes."""
    try:
        await work
    except Problem as problem:
        return problem.detail if problem.status == 401 else str(problem.status)
    return ""


async def is_revoked(sessions: RevocationStore, principal: Principal) -> bool:
    return "revoked" in await refused(sessions.check(principal))


async def spend(sessions: RevocationStore, digest: str, **more: Any) -> bool:
    return not await refused(sessions.spend_challenge(digest, seconds=60, **{"issued": 9} | more))


async def test_of_fifty_concurrent_uses_of_a_challenge_one_succeeds(
    sessions: RevocationStore, redis: Redis, keys: Keys
) -> None:
    spent = await asyncio.gather(*(spend(sessions, "c") for _ in range(50)))
    assert sum(spent) == 1
    assert await spend(sessions, "d")
    assert 0 < await redis.ttl(keys.challenge("c")) <= 60


async def test_tokens_and_challenges_from_before_the_epoch_are_rejected(
    sessions: RevocationStore, redis: Redis, keys: Keys
) -> None:
    await redis.set(keys.epoch, 100_500_000)
    old, new = who(issued=100.4), who(issued=100.5)
    assert "Log in again" in await refused(sessions.check(old))
    assert "1970-01-01T00:01:40Z" in await refused(sessions.check(old)), "when the data began"
    assert await refused(sessions.check(new)) == ""
    assert "`iat`" in await refused(sessions.check(who(issued=0.0)))
    assert await refused(sessions.check(who(issued=math.nan))) != ""
    assert await refused(sessions.check(old, stored=True)) == "", "an API key is stored in Redis"
    assert not await spend(sessions, "c", issued=100)
    assert await spend(sessions, "e", issued=101)


async def test_without_an_epoch_nothing_can_be_checked(
    sessions: RevocationStore, redis: Redis, keys: Keys
) -> None:
    await redis.delete(keys.epoch)
    with pytest.raises(EpochUnknownError):
        await sessions.check(who())
    with pytest.raises(EpochUnknownError):
        await sessions.spend_challenge("c", issued=1 << 40, seconds=60)
    assert (await sessions.read_since("0-0")).epoch is None


async def test_a_revocation_by_token_id_ends_one_token(sessions: RevocationStore) -> None:
    assert not await is_revoked(sessions, who())
    await sessions.revoke(Revocation(token_id="t"), seconds=60)
    assert await is_revoked(sessions, who())
    assert await is_revoked(sessions, who(account="GB"))
    assert not await is_revoked(sessions, who(token_id="u"))
    assert not await is_revoked(sessions, who(token_id=""))


async def test_a_revocation_by_account_ends_its_tokens_up_to_a_time(
    sessions: RevocationStore,
) -> None:
    await sessions.revoke(Revocation(account="GA", before=100.0), seconds=60)
    assert await is_revoked(sessions, who(issued=100.0))
    assert await is_revoked(sessions, who(issued=0.0))
    assert await is_revoked(sessions, who(issued=160.0)), "its issuer's clock may be ahead"
    assert not await is_revoked(sessions, who(issued=160.1))
    assert not await is_revoked(sessions, who(account="GB"))
    await sessions.check(who(issued=100.1), stored=True)
    with pytest.raises(Problem):
        await sessions.check(who(issued=100.0), stored=True)


async def test_a_revocation_expires_after_the_given_seconds(
    sessions: RevocationStore, redis: Redis, keys: Keys
) -> None:
    await sessions.revoke(Revocation(token_id="t"), seconds=60)
    await sessions.revoke(Revocation(account="GA", before=1.0), seconds=0)
    assert 0 < await redis.ttl(keys.revoked_token("t")) <= 60
    assert await redis.ttl(keys.revoked_account("GA")) <= 1


async def test_each_revocation_is_read_once_from_the_log(
    sessions: RevocationStore, redis: Redis, keys: Keys
) -> None:
    first = await sessions.read_since("")
    assert (list(first.revocations), first.epoch) == ([], 1.0)
    made = [Revocation(token_id="t"), Revocation(account="GA", before=1795446105.25)]
    for revocation in made:
        await sessions.revoke(revocation, seconds=60)
    batch = await sessions.read_since(first.cursor)
    assert batch.revocations == made
    again = await sessions.read_since(batch.cursor)
    assert (again.cursor, again.revocations) == (batch.cursor, [])
    later = await RevocationStore(redis, keys).read_since("")
    assert (later.cursor, later.revocations) == (batch.cursor, [])


@pytest.mark.parametrize(
    ("revocation", "ends"),
    [
        (Revocation(token_id="t"), True),
        (Revocation(token_id="u"), False),
        (Revocation(account="GA", before=100.0), True),
        (Revocation(account="GA", before=40.0), True),
        (Revocation(account="GA", before=39.9), False),
        (Revocation(account="GB", before=200.0), False),
    ],
)
def test_which_tokens_a_revocation_ends(revocation: Revocation, ends: bool) -> None:
    assert revocation.ends(who()) is ends


def test_all_keys_of_a_namespace_share_its_slot(keys: Keys) -> None:
    names = keys
    assert len({names.challenge("x"), names.rate("ip", "x"), names.api_keys}) == 3
    assert all(f"{{{keys.namespace}}}" in n for n in (names.challenge("x"), names.rate("a", "b")))
