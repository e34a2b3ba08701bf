"""A service on a machine with a wrong clock: it reports this and publishes nothing wrong."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from redis.asyncio import Redis

from shared.domain.position import START
from shared.journal.keys import Keys
from shared.journal.reader import Journal, JournalPage
from shared.journal.wire import times_of
from tests.api.samples import SENDER, TOKEN, order
from tests.chaos.clocks import Clock, forget, library
from tests.fanout.replicas import SUBSCRIBE
from tests.fanout.tokens import SECRET, bearer, token
from tests.support.data import begun_long_ago
from tests.support.processes import ServiceProcess, running
from tests.support.sse_client import SseClient
from tests.support.waiting import until

pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.skipif(
        not library(), reason="no wrong clocks without libfaketime: apt-get install libfaketime"
    ),
]

DAY = 86_400
Run = Callable[..., AbstractAsyncContextManager[ServiceProcess]]


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def run(redis_url: str, keys: Keys, tmp_path: Path) -> Run:
    """Starts a service whose clock is `ahead` seconds fast."""

    def run(service: str, ahead: float = 0, **more: object) -> Any:
        clock = Clock(tmp_path / f"{ahead}.clock")
        clock.move(ahead)
        environment = clock.environment if ahead else {}
        common = {"REDIS_URL": redis_url, "CONTRACTS": TOKEN, "NAMESPACE": keys.namespace}
        return running(f"services.{service}", **common, **environment, **more)

    return run


async def readyz(session: aiohttp.ClientSession, process: ServiceProcess) -> tuple[int, Any]:
    async with session.get(f"http://127.0.0.1:{process.port}/readyz") as response:
        return response.status, await response.json()


async def clock_error_shown(
    session: aiohttp.ClientSession, process: ServiceProcess, word: str
) -> None:
    """Wait for the 503 with both clocks, the log line and the metric."""

    async def announced() -> bool:
        status, document = await readyz(session, process)
        said = document["parts"]["clock"]
        return status == 503 and word in said and "the clock of Redis" in said

    await until(announced, what="/readyz shows the clock")
    await until(lambda: process.log_lines("clock_compared"))
    async with session.get(f"http://127.0.0.1:{process.port}/metrics") as response:
        text = await response.text()
    (line,) = [x for x in text.splitlines() if x.startswith("headrace_clock_skew_seconds ")]
    assert (float(line.split()[1]) > 0) is (word == "ahead")


async def post(session: aiohttp.ClientSession, process: ServiceProcess, **more: Any) -> Any:
    url = f"http://127.0.0.1:{process.port}/v1/streams"
    async with session.post(url, json=order(**more)) as response:
        assert response.status == 201, await response.text()
        return await response.json()


@pytest.mark.parametrize("ahead", [10 * DAY, -10 * DAY])
async def test_an_api_with_a_wrong_clock_publishes_no_wrong_notice(
    run: Run, session: aiohttp.ClientSession, redis: Redis, keys: Keys, ahead: int
) -> None:
    async with run("api", ahead) as wrong:
        await clock_error_shown(session, wrong, "ahead" if ahead > 0 else "behind")
        now = time.time()
        long = await post(session, wrong, ratePerSecond="1", depositedAmount=str(5 * DAY))
        within = now - 5 < long["startTime"] < time.time() + 5
        assert within, "each API uses the time of Redis"
        async with run("api") as right:  # before the short stream ends
            await right.ready()
            short = await post(session, wrong, ratePerSecond="1", depositedAmount="2")

            async def announced() -> list[Any]:
                page = await Journal(redis, keys).after(START)
                assert isinstance(page, JournalPage)
                entries = [e for e in page.entries if e.type != "stream.created"]
                return [(e, orjson.loads(e.body)) for e in entries]

            found = await until(announced, seconds=30, what="the notice of the short stream's end")
            assert [body["streamId"] for _, body in found] == [short["id"]]
            (entry, body) = found[0]
            assert body["timestamp"] >= short["endTime"]
            assert abs(times_of(entry).published_at - body["timestamp"]) < 5
        forget(wrong.pid)


async def test_the_lease_of_the_schedule_goes_to_the_api_with_the_correct_clock(
    run: Run, session: aiohttp.ClientSession, redis: Redis, keys: Keys
) -> None:
    async with run("api", DAY) as wrong, run("api") as right:
        await clock_error_shown(session, wrong, "ahead")
        await redis.delete(keys.schedule_lease)
        holder = await until(lambda: redis.get(keys.schedule_lease), what="a holder")
        for _ in range(200):  # long enough for a check by the other API
            assert await redis.get(keys.schedule_lease) == holder
        right.signal()
        await right.ended()
        assert not await redis.exists(keys.schedule_lease)
        forget(wrong.pid)


@pytest.mark.parametrize("ahead", [-DAY, DAY])
async def test_the_age_of_tokens_is_measured_with_the_clock_of_redis(
    run: Run, session: aiohttp.ClientSession, redis: Redis, keys: Keys, ahead: int
) -> None:
    """A clock a day behind would accept expired tokens; a day ahead would refuse all."""
    await begun_long_ago(redis, keys)
    required = {"AUTH_MODE": "required", "JWT_SECRET": SECRET}
    expired = bearer(token(SENDER, exp=int(time.time()) - 10))
    good = bearer(token(SENDER, exp=int(time.time()) + 600))
    async with run("fanout", ahead, **required) as fanout, run("api", ahead, **required) as api:
        for process in (fanout, api):
            await clock_error_shown(session, process, "ahead" if ahead > 0 else "behind")
        subscribe = f"{SUBSCRIBE}?users={SENDER}"
        url = f"http://127.0.0.1:{api.port}/v1/streams"
        for headers, expected in ((expired, 401), (good, 200)):
            client = await SseClient.connect(fanout.port, subscribe, headers=headers)
            await client.answered()
            assert client.status == expected
            client.close()
            async with session.get(url, headers=headers) as response:
                assert response.status == expected
        forget(fanout.pid)
        forget(api.pid)
