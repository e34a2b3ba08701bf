"""The optional jobs beside the ingest: their failures do not stop it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from deploy.simulator.chain.operations import Operation, Proposal
from services.indexer.jobs import optional
from shared.journal.commit_errors import FencedError
from shared.journal.keys import Keys
from shared.runtime.tasks import run_until_first
from tests.indexer.installed import Site
from tests.indexer.simulated import simulated
from tests.support.waiting import until

pytestmark = [pytest.mark.timeout(60), pytest.mark.io]


@pytest.fixture
async def site(redis: Redis, redis_url: str, keys: Keys) -> AsyncIterator[Site]:
    async with simulated(streams=0) as sim:
        sim.network.submit(
            Proposal(operations=(Operation(op="create", amount=1000, duration=100),))
        )
        sim.close()
        yield Site(sim, redis, redis_url, keys)


async def test_strange_data_for_the_token_reader_does_not_stop_the_ingest(site: Site) -> None:
    await site.redis.zadd(site.keys.index("tokens"), {"not an address": 0})
    async with site.indexer(LEASE_SECONDS=30) as process:
        await until(lambda: len(process.log_lines("task_failed")) >= 3, seconds=30)
        site.sim.close(3)
        await site.caught_up()
        await site.until_ready(process)
        assert {line["task"] for line in process.log_lines("task_failed")} == {"tokens"}
        assert len(process.log_lines("active")) == 1
        failed = await site.metric(process, 'headrace_task_failures_total{task="tokens"}')
        assert failed
        assert failed >= 3
    await site.is_exact()


async def test_strange_data_for_the_audit_does_not_stop_the_ingest(site: Site) -> None:
    await site.redis.set(site.keys.stream("1"), b"{}")  # a document that cannot be parsed
    async with site.indexer(START="latest", AUDIT_SECONDS="1", LEASE_SECONDS=30) as process:

        async def failed() -> bool:
            count = await site.metric(process, 'headrace_task_failures_total{task="audit"}')
            return bool(count and count >= 2)

        await until(failed, seconds=30)
        site.sim.close(3)
        await site.caught_up()
        await site.until_ready(process)
        assert len(process.log_lines("active")) == 1
        await site.redis.delete(site.keys.stream("1"))

        def audited() -> bool:
            site.sim.close()  # the audit waits until the ledger of its reading is complete
            return bool(process.log_lines("audited"))

        await until(audited, seconds=30)


class Job:
    """A job that raises each of these errors in turn, and then runs until it is cancelled."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.is_running = asyncio.Event()

    async def run(self) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.is_running.set()
        await asyncio.Event().wait()


async def test_a_job_that_raises_is_tried_again_and_ends_with_the_lease() -> None:
    job = Job(MemoryError(), TypeError("strange"), RecursionError())

    async def keep_lease() -> None:
        await job.is_running.wait()
        raise FencedError("another indexer is active")

    with capture_logs() as logs, pytest.raises(FencedError):
        await run_until_first(optional("job", job.run, 0.001), keep_lease())
    assert [line["error"] for line in logs] == [
        "MemoryError",
        "TypeError: strange",
        "RecursionError",
    ]


async def test_a_job_that_finds_another_indexer_ends_the_active_role() -> None:
    job = Job(TypeError(), FencedError("another indexer is active"))
    with capture_logs(), pytest.raises(FencedError):
        await run_until_first(optional("job", job.run, 0.001), asyncio.Event().wait())
