"""Tickets, challenges and revocations in Redis: once means once, and an end is told to all."""

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
    """In data that began one second after 1970 did."""
    await begun_long_ago(redis, keys)
    return RevocationStore(redis, keys)


async def refused(work: Awaitable[object]) -> str:
    """The sentence of its 401; "" when it is let pass."""
    try:
        await work
    except Problem as problem:
        return problem.detail if problem.status == 401 else str(problem.status)
    return ""


async def is_revoked(sessions: RevocationStore, principal: Principal) -> bool:
    return "revoked" in await refused(sessions.check(principal))


async def spend(sessions: RevocationStore, digest: str, **more: Any) -> bool:
    return not await refused(sessions.spend_challenge(digest, seconds=60, **{"issued": 9} | more))


async def test_a_challenge_is_spent_once_of_fifty(
    sessions: RevocationStore, redis: Redis, keys: Keys
) -> None:
    spent = await asyncio.gather(*(spend(sessions, "c") for _ in range(50)))
    assert sum(spent) == 1
    assert await spend(sessions, "d")
    assert 0 < await redis.ttl(keys.challenge("c")) <= 60


async def test_what_was_issued_before_the_epoch_is_refused(
    sessions: RevocationStore, redis: Redis, keys: Keys
) -> None:
    await redis.set(keys.epoch, 100_500_000)
    old, new = who(issued=100.4), who(issued=100.5)
    assert "log in again" in await refused(sessions.check(old))
    assert "1970-01-01T00:01:40Z" in await refused(sessions.check(old)), "when the data began"
    assert await refused(sessions.check(new)) == ""
    assert "`iat`" in await refused(sessions.check(who(issued=0.0)))
    assert await refused(sessions.check(who(issued=math.nan))) != ""
    assert await refused(sessions.check(old, stored=True)) == "", "an API key stands in Redis"
    assert not await spend(sessions, "c", issued=100)
    assert await spend(sessions, "e", issued=101)


async def test_without_an_epoch_nothing_is_let_pass(
    sessions: RevocationStore, redis: Redis, keys: Keys
) -> None:
    await redis.delete(keys.epoch)
    with pytest.raises(EpochUnknownError):
        await sessions.check(who())
    with pytest.raises(EpochUnknownError):
        await sessions.spend_challenge("c", issued=1 << 40, seconds=60)
    assert (await sessions.read_since("0-0")).epoch is None


async def test_one_token_is_ended(sessions: RevocationStore) -> None:
    assert not await is_revoked(sessions, who())
    await sessions.revoke(Revocation(token_id="t"), seconds=60)
    assert await is_revoked(sessions, who())
    assert await is_revoked(sessions, who(account="GB"))
    assert not await is_revoked(sessions, who(token_id="u"))
    assert not await is_revoked(sessions, who(token_id=""))


async def test_all_of_an_account_are_ended_up_to_a_time(sessions: RevocationStore) -> None:
    await sessions.revoke(Revocation(account="GA", before=100.0), seconds=60)
    assert await is_revoked(sessions, who(issued=100.0))
    assert await is_revoked(sessions, who(issued=0.0))
    assert not await is_revoked(sessions, who(issued=101.0))
    assert not await is_revoked(sessions, who(account="GB"))


async def test_a_revocation_is_kept_as_long_as_asked(
    sessions: RevocationStore, redis: Redis, keys: Keys
) -> None:
    await sessions.revoke(Revocation(token_id="t"), seconds=60)
    await sessions.revoke(Revocation(account="GA", before=1.0), seconds=0)
    assert 0 < await redis.ttl(keys.revoked_token("t")) <= 60
    assert await redis.ttl(keys.revoked_account("GA")) <= 1


async def test_the_log_tells_each_revocation_once(
    sessions: RevocationStore, redis: Redis, keys: Keys
) -> None:
    first = await sessions.read_since("")
    assert (list(first.revocations), first.epoch) == ([], 1.0)
    made = [Revocation(token_id="t"), Revocation(account="GA", before=1795446105.25)]
    for revocation in made:
        await sessions.revoke(revocation, seconds=60)
    news = await sessions.read_since(first.cursor)
    assert news.revocations == made
    again = await sessions.read_since(news.cursor)
    assert (again.cursor, again.revocations) == (news.cursor, [])
    later = await RevocationStore(redis, keys).read_since("")
    assert (later.cursor, later.revocations) == (news.cursor, [])


@pytest.mark.parametrize(
    ("revocation", "ends"),
    [
        (Revocation(token_id="t"), True),
        (Revocation(token_id="u"), False),
        (Revocation(account="GA", before=100.0), True),
        (Revocation(account="GA", before=99.0), False),
        (Revocation(account="GB", before=200.0), False),
    ],
)
def test_what_a_revocation_ends(revocation: Revocation, ends: bool) -> None:
    assert revocation.ends(who()) is ends


def test_the_names_stand_beside_those_of_keys(keys: Keys) -> None:
    names = keys
    assert names.journal == keys.journal
    assert len({names.challenge("x"), names.rate("ip", "x"), names.api_keys}) == 3
    assert all(f"{{{keys.namespace}}}" in n for n in (names.challenge("x"), names.rate("a", "b")))
