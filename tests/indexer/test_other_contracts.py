"""An indexer of another contract or network in a namespace: refused before it changes anything."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from deploy.simulator.chain import accounts
from shared.journal.keys import Keys
from tests.indexer.installed import Site
from tests.indexer.simulated import simulated
from tests.support.processes import ServiceProcess
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(60)

OTHER = {"CONTRACTS": accounts.STRANGER, "LEASE_SECONDS": "0.5"}


@pytest.fixture
async def site(redis: Redis, redis_url: str, keys: Keys) -> AsyncIterator[Site]:
    async with simulated() as sim:
        yield Site(sim, redis, redis_url, keys)


async def refused(site: Site, process: ServiceProcess) -> None:
    """The process names both contracts and raises the alarm."""

    async def alarmed() -> bool:
        return await site.metric(process, 'headrace_indexer_alarm{kind="namespace"}') == 1

    await until(alarmed, what="the alarm")
    ready, parts = await site.ready(process)
    assert not ready
    assert parts["source"].startswith("stopped: the namespace ")
    for part in (site.keys.namespace, accounts.STREAMS, accounts.STRANGER):
        assert part in parts["source"]
    await until(lambda: process.log_lines("task_ended"))


async def test_an_indexer_of_another_contract_changes_nothing_afterwards(site: Site) -> None:
    async with site.indexer() as right:
        await site.caught_up()
        await until(lambda: site.redis.exists(site.keys.namespace_owner))
        right.signal()
        assert await right.ended() == 0
    before = await site.redis.hgetall(site.keys.progress), await site.redis.get(site.keys.fence)
    site.sim.close(3)
    async with site.indexer(**OTHER) as wrong:
        await refused(site, wrong)
        unchanged = (
            await site.redis.hgetall(site.keys.progress),
            await site.redis.get(site.keys.fence),
        )
        assert unchanged == before, "neither cursor nor fence"
        async with site.indexer():
            await site.caught_up()
    await site.is_exact()


async def test_an_indexer_of_another_contract_does_not_take_over(site: Site) -> None:
    """A standby that started before the first cursor is checked again when it has the lease."""
    await site.redis.set(site.keys.lease, "another", px=60_000)
    async with site.indexer(**OTHER) as wrong:
        await until(lambda: wrong.log_lines("namespace_compared") or wrong.log_lines("part_well"))
        assert not await site.redis.exists(site.keys.namespace_owner)
        await site.redis.hset(
            site.keys.namespace_owner,
            mapping={"network": str(site.settings()["NETWORK_PASSPHRASE"]),
                     "contract": accounts.STREAMS,
                     "tokens": ""},
        )  # fmt: skip
        await site.redis.delete(site.keys.lease)
        await refused(site, wrong)
        assert not wrong.log_lines("active")
        assert not await site.redis.exists(site.keys.progress, site.keys.lease)


async def test_an_indexer_of_a_wrong_network_does_not_claim_an_empty_namespace(site: Site) -> None:
    async with site.indexer(NETWORK_PASSPHRASE="Another Network") as wrong:
        await until(lambda: wrong.log_lines("task_ended"))
    assert not await site.redis.exists(site.keys.namespace_owner)
    async with site.indexer():
        await site.caught_up()


async def test_a_lost_claim_is_written_again(site: Site) -> None:
    async with site.indexer():
        await site.caught_up()
        await site.redis.delete(site.keys.namespace_owner)
        await until(lambda: site.redis.exists(site.keys.namespace_owner), what="the claim")
        assert (
            await site.redis.hget(site.keys.namespace_owner, "contract")
            == accounts.STREAMS.encode()
        )


async def test_an_added_token_is_accepted_and_logged(site: Site) -> None:
    async with site.indexer() as first:
        await site.caught_up()
        first.signal()
        await first.ended()
    async with site.indexer(CONTRACTS=f"{accounts.STREAMS},{accounts.TOKEN}:token") as second:
        (line,) = await until(lambda: second.log_lines("tokens_changed"))
        assert (line["added"], line["removed"]) == ([accounts.TOKEN], [])
        await site.until_ready(second)


async def test_a_retry_of_dead_letters_in_a_foreign_namespace_is_refused(site: Site) -> None:
    async with site.indexer():
        await site.caught_up()
    outcome = await site.command("deadletter", "retry", CONTRACTS=accounts.STRANGER)
    assert outcome.code == 2
    assert accounts.STREAMS in outcome.stderr
