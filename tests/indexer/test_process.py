"""The process: its readiness when all is well, when it waits, and when it must stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from deploy.simulator.chain.operations import Operation, Proposal
from shared.domain.position import parse_position
from shared.journal.keys import Keys
from tests.indexer.installed import Site
from tests.indexer.simulated import journal, simulated
from tests.support.processes import ServiceProcess
from tests.support.tcp_proxy import TcpProxy, every_link, no_link
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(60)

PARTS = ("redis", "store", "source", "clock", "namespace")


@pytest.fixture
async def site(redis: Redis, redis_url: str, keys: Keys) -> AsyncIterator[Site]:
    async with simulated() as sim:
        yield Site(sim, redis, redis_url, keys)


async def test_the_life_of_a_process(site: Site) -> None:
    async with site.indexer() as process:
        await site.heard(process)
        assert await site.until_ready(process) == dict.fromkeys(PARTS, "ok")
        metrics = {
            "headrace_indexer_active": 1,
            "headrace_indexer_cursor_ledger": site.sim.network.chain.latest.sequence,
            "headrace_indexer_network_ledger": site.sim.network.chain.latest.sequence,
            "headrace_indexer_ledger_closed_seconds": site.sim.network.chain.latest.closed_at,
            "headrace_indexer_dead_letters_total": 0,
        }
        assert {name: await site.metric(process, name) for name in metrics} == metrics
        site.sim.network.submit(Proposal(operations=(Operation(op="emit"),), future="unknown_type"))
        site.sim.close()
        await until(lambda: process.log_lines("dead_letter"))
        await site.heard(process)
        assert await site.metric(process, "headrace_indexer_dead_letters_total") == 1
        assert len(process.log_lines("dead_letter")) == 1
        assert (await site.ready(process))[0]
        process.signal(signal.SIGTERM)
        assert await process.ended() == 0
        assert not process.noise
    await until(lambda: not site.sim.network.listeners)


async def test_a_quiet_network_is_ready(site: Site) -> None:
    async with site.indexer(START="latest") as process:
        await site.until_ready(process)
        found = await journal(site.redis, site.keys)
        assert {entry.type for entry in found} <= {"stream.snapshot"}


async def stopped(site: Site, process: ServiceProcess, kind: str, word: str) -> None:
    """The process is up, says what is wrong, gives up the lease, and has stopped reading."""

    async def alarmed() -> bool:
        return await site.metric(process, f'headrace_indexer_alarm{{kind="{kind}"}}') == 1

    await until(alarmed, what=f"alarm {kind}")
    ready, parts = await site.ready(process)
    assert not ready
    assert parts["redis"] == "ok"
    assert parts["source"].startswith("stopped: ")
    assert word in parts["source"]
    await until(lambda: process.log_lines("task_ended"))
    assert not await site.redis.exists(site.keys.lease)
    await until(lambda: not site.sim.network.listeners, what="the stream is closed")
    assert await site.metric(process, "headrace_indexer_active") == 0
    process.signal(signal.SIGTERM)
    assert await process.ended() == 0


async def test_a_wrong_passphrase_stops_the_indexer(site: Site) -> None:
    async with site.indexer(NETWORK_PASSPHRASE="Another Network") as process:
        await stopped(site, process, "passphrase", "'Headrace Local Network")
    assert not await site.redis.exists(site.keys.journal, site.keys.progress)


async def test_unproved_events_stop_the_indexer(site: Site) -> None:
    await site.sim.arm("corrupt_meta", times=1_000_000)
    async with site.indexer() as process:
        await stopped(site, process, "unproved", "do not match the hash in its result")
    positions = [entry.position for entry in await journal(site.redis, site.keys)]
    assert positions == site.sim.positions()[: len(positions)] != site.sim.positions()


async def test_a_gap_and_a_reset_stop_the_indexer(site: Site) -> None:
    cursor = site.sim.tip
    await site.redis.hset(site.keys.progress, "cursor", str(cursor))
    site.sim.close(10)
    await site.sim.arm("trim", after=2)
    cases = (
        (None, "gap", "are not in the history of horizon or rpc"),
        ("reset", "reset", "at 2"),
    )
    for fault, kind, word in cases:
        if fault:
            await site.sim.arm(fault)
        async with site.indexer(ON_GAP="stop") as process:
            await stopped(site, process, kind, word)
    assert await site.cursor() == cursor


async def test_disorder_in_the_journal_stops_the_indexer(site: Site) -> None:
    async with site.indexer(LEASE_SECONDS=0.5):
        await site.caught_up()
    [_, second, *_] = await journal(site.redis, site.keys)
    await site.redis.xdel(site.keys.journal, second.position)
    before = parse_position(second.position).toid - 1
    await site.redis.hset(site.keys.progress, "cursor", str(before))
    async with site.indexer() as process:
        await stopped(site, process, "disorder", second.position)


async def test_a_bug_is_retried_and_reported_by_readiness(site: Site) -> None:
    await site.redis.set(site.keys.stream("1"), b"{}")  # a document that cannot be parsed
    async with site.indexer() as process:
        parts = await site.until_ready(process, ready=False)
        await until(lambda: len(process.log_lines("task_failed")) >= 2)
        parts = await site.until_ready(process, ready=False)
        assert parts["source"].startswith("failed: KeyError")
        await site.redis.delete(site.keys.stream("1"))
        await site.until_ready(process)
        await site.caught_up()
    await site.is_exact()


async def test_redis_may_be_down_at_the_start_and_later(site: Site) -> None:
    async with TcpProxy(_port(site.redis_url)) as proxy:
        proxy.refusing = True
        through = f"redis://127.0.0.1:{proxy.port}/0"
        async with site.indexer(REDIS_URL=through) as process:
            parts = await site.until_ready(process, ready=False)
            await until(  # other tasks of the process fail too, and may be the first
                lambda: any(e["task"] == "indexer" for e in process.log_lines("task_failed"))
            )
            parts = await site.until_ready(process, ready=False)
            assert "Redis does not answer" in parts["redis"]
            proxy.refusing = False
            await site.until_ready(process)
            await site.caught_up()
            proxy.refusing = True
            proxy.cut()
            site.sim.close(5)
            await site.until_ready(process, ready=False)
            proxy.refusing = False
            await site.until_ready(process)
            await site.caught_up()
            proxy.refusing = True
            proxy.cut()
            process.signal(signal.SIGTERM)
            assert await process.ended() == 0
    await site.is_exact()


async def test_lost_answers_of_redis_write_nothing_twice(
    redis: Redis, redis_url: str, keys: Keys
) -> None:
    async with simulated(streams=0, ledgers=1) as sim, TcpProxy(_port(redis_url)) as proxy:
        site = Site(sim, redis, f"redis://127.0.0.1:{proxy.port}/0", keys)
        async with site.indexer(LEASE_SECONDS=30) as process:
            for _ in range(3):
                await site.heard(process)
                proxy.swallow = every_link
                sim.network.submit(Proposal(operations=(Operation(op="emit"),)))
                sim.close()
                await site.caught_up()  # although Redis sent no notification
                proxy.cut()
                proxy.swallow = no_link
                sim.network.submit(Proposal(operations=(Operation(op="emit"),)))
                sim.close()
            await site.caught_up()
            await site.until_ready(process)
        await site.is_exact()


def _port(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])


async def run_to_exit(**environment: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.indexer",
        env={"PATH": os.environ["PATH"]} | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode is not None
    return process.returncode, output.decode()


@pytest.mark.io
async def test_all_invalid_settings_are_reported_at_once() -> None:
    code, output = await run_to_exit(
        CONTRACTS="CABC",
        REDIS_URL="http://x",
        HORIZON_URL="horizon",
        RPC_URL="ftp://x",
        START="yesterday",
        LEASE_SECONDS="0",
        SOURCE_READ_SECONDS="-1",
        SOURCE_WAIT_SECONDS="never",
        PORT="70000",
    )
    assert code == 2
    lines = output.splitlines()
    assert lines[0] == "9 invalid settings:"
    assert {line.split(":")[0].strip() for line in lines[1:]} == {
        "CONTRACTS",
        "REDIS_URL",
        "HORIZON_URL",
        "RPC_URL",
        "START",
        "LEASE_SECONDS",
        "SOURCE_READ_SECONDS",
        "SOURCE_WAIT_SECONDS",
        "PORT",
    }
