"""One indexer is active, the others stand by. No event is lost when one is killed or stopped."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from shared.journal.commit import Committer
from shared.journal.commit_errors import FencedError
from shared.journal.keys import Keys
from shared.redis.lease import Lease
from tests.fanout.stopwatch import Stopwatch
from tests.indexer.installed import Site
from tests.indexer.simulated import simulated
from tests.support.processes import ServiceProcess
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def site(redis: Redis, redis_url: str, keys: Keys) -> AsyncIterator[Site]:
    async with simulated() as sim:
        yield Site(sim, redis, redis_url, keys)


async def test_one_process_holds_the_lease_until_its_release_or_expiry(
    redis: Redis, keys: Keys
) -> None:
    one, two = (Lease(redis, keys.lease, seconds=30, fence=keys.fence) for _ in range(2))
    assert one.token != two.token
    assert [await each.take() for each in (one, two, one)] == [True, False, True]
    assert [await each.renew() for each in (one, two)] == [True, False]
    await two.release()  # has no effect: it holds no lease
    assert not await two.take()
    await one.release()
    assert not await one.renew()
    assert await two.take()
    brief = Lease(redis, keys.lease, seconds=0.3, fence=keys.fence)
    await two.release()
    assert await brief.take()
    await until(one.take, what="the lease expired")
    assert not await brief.renew()


async def test_a_renewal_extends_the_lease(redis: Redis, keys: Keys) -> None:
    lease = Lease(redis, keys.lease, seconds=30, fence=keys.fence)
    assert await lease.take()
    await redis.pexpire(keys.lease, 20_000)
    before = await milliseconds(redis)
    assert await lease.renew()
    after = await milliseconds(redis)
    assert before + 30_000 <= await redis.pexpiretime(keys.lease) <= after + 30_000


async def milliseconds(redis: Redis) -> int:
    """The time of Redis."""
    seconds, microseconds = await redis.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


async def test_only_the_last_process_that_took_the_lease_may_write(
    redis: Redis, keys: Keys
) -> None:
    old, new = (Lease(redis, keys.lease, seconds=30, fence=keys.fence) for _ in range(2))
    assert await old.take()
    writer = Committer(redis, keys, token=old.token)
    await writer.record([], progress={"cursor": "1"})
    await redis.delete(keys.lease)  # as if it had expired
    await writer.record([], progress={"cursor": "2"})  # no other process has taken it yet
    assert await new.take()
    with pytest.raises(FencedError, match=new.token):
        await writer.record([], progress={"cursor": "3"}, dead=[b"{}"])
    await new.release()
    with pytest.raises(FencedError):
        await writer.record([], progress={"cursor": "3"})
    assert await redis.hget(keys.progress, "cursor") == b"2"
    assert not await redis.exists(keys.dead_letters)


async def roles(site: Site, *both: ServiceProcess) -> tuple[ServiceProcess, ServiceProcess]:
    """The active process and the standby, as soon as one is active."""

    async def settled() -> list[ServiceProcess]:
        active = await site.active(*both)
        assert len(active) < 2
        return active

    [active] = await until(settled, what="an active indexer")
    [standby] = [each for each in both if each is not active]
    await site.until_ready(active)
    await site.until_ready(standby)
    return active, standby


async def test_a_standby_takes_over_within_five_seconds_after_a_kill(site: Site) -> None:
    async with site.indexer() as one, site.indexer() as two:
        active, standby = await roles(site, one, two)
        await site.caught_up()
        parts = ("redis", "store", "source", "clock", "namespace")
        assert await site.ready(standby) == (True, dict.fromkeys(parts, "ok"))
        enough = asyncio.Event()
        closing = asyncio.create_task(keep_closing(site, enough))
        await until(lambda: site.sim.network.chain.latest.sequence > 3_700_015)
        active.signal(signal.SIGKILL)
        stopwatch = Stopwatch(standby.pid, (await site.redis.info("server"))["process_id"])
        await until(lambda: standby.log_lines("active"), what="the standby active")
        assert stopwatch.seconds < 5
        enough.set()
        await closing
        await site.caught_up()
    await site.is_exact()


async def keep_closing(site: Site, enough: asyncio.Event) -> None:
    while not enough.is_set():
        site.sim.close()
        await site.redis.blpop([f"{site.keys.journal}:never"], timeout=0.05)


async def test_an_indexer_that_gets_sigterm_hands_over_at_once(site: Site) -> None:
    seconds = 32  # long, so that a pause of this machine is short beside it
    async with (
        site.indexer(LEASE_SECONDS=seconds) as one,
        site.indexer(LEASE_SECONDS=seconds) as two,
    ):
        active, standby = await roles(site, one, two)
        site.sim.close(3)
        active.signal(signal.SIGTERM)
        began = asyncio.get_running_loop().time()
        await until(lambda: standby.log_lines("active"), what="the standby active")
        assert asyncio.get_running_loop().time() - began < seconds / 2, "it did not expire"
        assert await active.ended() == 0
        site.sim.close(3)
        await site.caught_up()
        assert not standby.log_lines("task_failed")
    await site.is_exact()


async def test_an_indexer_that_was_paused_cannot_write_and_becomes_a_standby(site: Site) -> None:
    async with site.indexer() as one, site.indexer() as two:
        for _ in range(2):  # each one is paused once
            active, standby = await roles(site, one, two)
            await site.caught_up()
            times = len(standby.log_lines("active"))
            active.signal(signal.SIGSTOP)
            site.sim.close(3)  # these ledgers wait in the socket of the paused process
            await until(
                lambda s=standby, n=times: len(s.log_lines("active")) > n, what="taken over"
            )
            await site.caught_up()
            site.sim.close(3)
            lost = len(active.log_lines("task_failed"))
            active.signal(signal.SIGCONT)
            await until(
                lambda a=active, n=lost: len(a.log_lines("task_failed")) > n, what="noticed"
            )
            [*_, failed] = active.log_lines("task_failed")
            # If it was paused within a request to Redis, this request takes too long.
            assert "LeaseLost" in failed["error"] or "Timeout" in failed["error"]
            assert "exception" not in failed  # an expected restart has no traceback
            site.sim.close(2)
            await site.caught_up()
            assert await site.active(one, two) == [standby]
            await site.until_ready(active)
    await site.is_exact()


async def test_no_event_is_lost_when_several_indexers_are_killed_in_turn(site: Site) -> None:
    for _ in range(2):
        async with site.indexer(LEASE_SECONDS=0.5) as process:
            await until(lambda p=process: p.log_lines("active"))
            for _ in range(5):
                site.sim.close()
                before = await site.cursor()
                await until(lambda b=before: _moved(site, b))
            site.sim.close(3)
    async with site.indexer(LEASE_SECONDS=0.5):
        await site.caught_up()
    await site.is_exact()


async def _moved(site: Site, cursor: int) -> bool:
    return await site.cursor() != cursor or cursor == site.sim.tip
