"""A namespace: when its data began and whom it belongs to, in a real Redis."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from shared.journal.keys import Keys
from shared.journal.namespace import (
    ForeignNamespaceError,
    NamespaceClaim,
    NamespaceWatch,
    begin_epoch,
)
from shared.journal.settings import CommonSettings
from shared.redis.clock import RedisClock
from shared.web.probes import Readiness

STREAMS = "CA6ENHU5NRMHLU32IPZVHVHYRZQ7Z6ASYZXO4NCXIZNEBMG2IFJ6AUB2"
OTHER = "CDLZFC3SYJYDZT7K67VZ75HPJVIEUVNIXF47ZG2FB2RMQQVU2HHGCYSC"


def settings(keys: Keys, contracts: str = STREAMS, **more: Any) -> CommonSettings:
    return CommonSettings(namespace=keys.namespace, contracts=contracts, **more)


async def micros(redis: Redis) -> int:
    seconds, microseconds = await redis.time()
    return int(seconds) * 1_000_000 + int(microseconds)


async def test_only_one_of_fifty_processes_begins_the_epoch(redis: Redis, keys: Keys) -> None:
    before = await micros(redis)
    epochs = await asyncio.gather(*(begin_epoch(redis, keys) for _ in range(50)))
    assert len(set(epochs)) == 1
    assert before <= epochs[0] <= await micros(redis)
    stored: Any = await redis.get(keys.epoch)
    assert int(stored) == epochs[0]


async def test_a_new_epoch_begins_after_a_loss(redis: Redis, keys: Keys) -> None:
    first = await begin_epoch(redis, keys)
    await redis.delete(keys.epoch)
    with capture_logs() as logs:
        second = await begin_epoch(redis, keys)
        assert await begin_epoch(redis, keys) == second > first
    assert [line["event"] for line in logs] == ["epoch_began"], "logged once"


async def test_a_namespace_is_claimed_with_its_first_cursor(redis: Redis, keys: Keys) -> None:
    claim = NamespaceClaim(redis, settings(keys))
    await claim.check()
    await claim.hold()
    assert not await redis.exists(keys.namespace_owner), "the source may belong to another network"
    await claim.hold(begin=True)
    assert await redis.hgetall(keys.namespace_owner) == {
        b"network": b"Test SDF Network ; September 2015",
        b"contract": STREAMS.encode(),
        b"tokens": b"",
    }


async def test_an_old_namespace_without_a_claim_is_claimed_by_its_next_indexer(
    redis: Redis, keys: Keys
) -> None:
    await redis.hset(keys.progress, "cursor", "7")
    await NamespaceClaim(redis, settings(keys)).hold()
    assert await redis.hget(keys.namespace_owner, "contract") == STREAMS.encode()


@pytest.mark.parametrize("more", [{"contracts": OTHER}, {"network_passphrase": "Another"}])
async def test_an_indexer_of_another_contract_or_network_is_refused(
    redis: Redis, keys: Keys, more: dict[str, str]
) -> None:
    await NamespaceClaim(redis, settings(keys)).hold(begin=True)
    made = await redis.hgetall(keys.namespace_owner)
    other = NamespaceClaim(redis, settings(keys, **more))
    for attempt in (other.check(), other.hold(), other.hold(begin=True)):
        with pytest.raises(ForeignNamespaceError) as error:
            await attempt
        for part in (keys.namespace, STREAMS, *more.values(), "NAMESPACE"):
            assert part in str(error.value)
    assert await redis.hgetall(keys.namespace_owner) == made


async def test_a_change_of_the_token_contracts_is_allowed_and_logged(
    redis: Redis, keys: Keys
) -> None:
    await NamespaceClaim(redis, settings(keys)).hold(begin=True)
    with capture_logs() as logs:
        for _ in range(2):
            await NamespaceClaim(redis, settings(keys, f"{STREAMS},{OTHER}:token")).hold()
        await NamespaceClaim(redis, settings(keys)).hold()
    told = [(line["added"], line["removed"]) for line in logs if line["event"] == "tokens_changed"]
    assert told == [([OTHER], []), ([], [OTHER])]


async def test_one_check_sets_clock_epoch_and_owner(redis: Redis, keys: Keys) -> None:
    readiness, clock = Readiness("clock", "namespace"), RedisClock()
    fanout = NamespaceWatch(redis, settings(keys, OTHER), clock, readiness, begins=False)
    began = time.monotonic()
    await fanout.check()
    trip = time.monotonic() - began  # the error of the clock is at most the time of one question
    assert clock.now() is not None
    before, now, after = await micros(redis), clock(), await micros(redis)
    assert before / 1e6 - trip - 1 < now < after / 1e6 + 1
    assert readiness.ready
    assert not await redis.exists(keys.epoch), "a fanout writes no epoch"
    await NamespaceClaim(redis, settings(keys)).hold(begin=True)
    await fanout.check()
    parts: Any = readiness.document()["parts"]
    assert STREAMS in parts["namespace"]
    api = NamespaceWatch(redis, settings(keys), RedisClock(), readiness, begins=True)
    await api.check()
    assert readiness.ready
    assert await redis.exists(keys.epoch)
