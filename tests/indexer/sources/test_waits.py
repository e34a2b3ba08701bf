"""How long Ingest waits before another try: longer each time, short after a stable connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from itertools import count
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from services.indexer.ingest import ingest as ingest_module
from services.indexer.ingest.ingest import Ingest
from services.indexer.sources.base import Batch
from shared.chain.errors import SourceError
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.runtime.tasks import cancel
from shared.web.probes import Readiness
from tests.indexer.simulated import simulated
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(20)


def steps(max_wait: float) -> Iterator[float]:
    return (n / 100 for n in count(1))


class Failing:
    """A source whose connections bring nothing; `connect` plays each of them."""

    name = "failing"

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect

    async def start(self, where: str) -> int:
        return 0

    async def hash_of(self, ledger: int) -> str | None:
        return None

    async def batches(self, cursor: int) -> AsyncGenerator[Batch]:
        await self._connect()
        raise SourceError("dropped", "as told")
        yield  # makes it a generator


async def waits(
    redis: Redis, keys: Keys, connect: Callable[[Ingest], Any], tries: int
) -> list[Any]:
    """The first waits of an ingest."""
    readiness = Readiness("source")
    source: Any = Failing(lambda: connect(ingest))
    ingest = Ingest(
        source, Committer(redis, keys), redis, keys, readiness, start="latest", max_wait=1
    )
    with capture_logs() as logs:
        task = asyncio.create_task(ingest.run())

        def logged_waits() -> list[Any]:
            return [each["wait"] for each in logs if each["event"] == "source_failed"]

        await until(lambda: len(logged_waits()) >= tries)
        await cancel(task)
    return logged_waits()[:tries]


class Clock:
    """The clock by which Ingest measures a connection. A slow machine does not move it."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(ingest_module, "backoff", steps)
    monkeypatch.setattr(ingest_module, "time", made)
    return made


async def test_after_a_stable_connection_the_wait_is_short_again(
    redis: Redis, keys: Keys, clock: Clock
) -> None:
    """No event came on them, so nothing was committed."""

    async def good(ingest: Ingest) -> None:
        ingest.opened()
        clock.now += 5

    assert await waits(redis, keys, good, 4) == [0.01] * 4


async def test_a_connection_that_is_lost_at_once_is_not_stable(
    redis: Redis, keys: Keys, clock: Clock
) -> None:
    async def brief(ingest: Ingest) -> None:
        ingest.opened()
        clock.now += 4.9

    assert await waits(redis, keys, brief, 4) == [0.01, 0.02, 0.03, 0.04]


async def test_a_connection_that_hangs_is_not_stable(
    redis: Redis, keys: Keys, clock: Clock
) -> None:
    async def hang(_: Ingest) -> None:
        clock.now += 60

    assert await waits(redis, keys, hang, 3) == [0.01, 0.02, 0.03]


async def test_an_earlier_stable_connection_does_not_count(
    redis: Redis, keys: Keys, clock: Clock
) -> None:
    goes = iter([True, False, False, True, False])

    async def by_turns(ingest: Ingest) -> None:
        if next(goes, False):
            ingest.opened()
        clock.now += 5

    assert await waits(redis, keys, by_turns, 5) == [0.01, 0.02, 0.03, 0.01, 0.02]


@pytest.mark.io
async def test_horizon_and_rpc_call_opened() -> None:
    async with simulated() as sim:
        for make in (sim.horizon, sim.rpc):
            opened: list[None] = []
            source: Any = make(opened=lambda: opened.append(None))  # noqa: B023
            batches = source.batches(await source.start("latest"))
            waiting = asyncio.ensure_future(anext(batches))
            await until(lambda: opened)  # noqa: B023
            await cancel(waiting)
            await batches.aclose()


@pytest.mark.io
async def test_a_stream_whose_records_cannot_be_checked_is_not_open() -> None:
    """The stream is open, but nothing can be read from it, so it must not be ready."""
    async with simulated() as sim:
        await sim.arm("hang", surface="ledgers")
        opened: list[None] = []
        source = sim.horizon(seconds=3.0, opened=lambda: opened.append(None))
        with pytest.raises(SourceError, match=r"unreachable: .*/ledgers\?"):
            async for _ in source.batches(await source.start("earliest")):
                pass
        assert opened == []
