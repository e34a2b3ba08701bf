"""Moving the clock of a running process, and frames from that time."""

from __future__ import annotations

import random
import time
from pathlib import Path

import aiohttp
import pytest
from redis.exceptions import RedisError

from shared.domain.position import START
from tests.chaos.checker import ReceivedFrame
from tests.chaos.clocks import Clock, ClockFaults, library, trusted
from tests.chaos.redis_single import RedisSingle
from tests.support.processes import running
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(
    not library(), reason="no clock jumps without libfaketime: apt-get install libfaketime"
)


@pytest.mark.io
@pytest.mark.parametrize("seconds", [60, -300])
async def test_the_clock_of_a_running_redis_can_be_moved(tmp_path: Path, seconds: int) -> None:
    server = RedisSingle(tmp_path, ())
    await server.start()
    try:
        await until(lambda: is_ahead(server, 0), what="the true time")
        server.clock.move(seconds)
        await until(lambda: is_ahead(server, seconds), what="the jump")
        server.clock.move(0)
        await until(lambda: is_ahead(server, 0), what="the jump back")
    finally:
        await server.close()


async def ahead(server: RedisSingle) -> float:
    """The offset of the clock of Redis in seconds."""
    seconds, microseconds = await server.client.time()
    return float(seconds + microseconds / 1e6 - time.time())


async def is_ahead(server: RedisSingle, seconds: float) -> bool:
    try:
        return abs(await ahead(server) - seconds) < 1
    except RedisError:
        return False


@pytest.mark.io
async def test_the_clock_of_a_running_python_process_can_be_moved(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock")
    async with (
        running("deploy.simulator", CLOSE_SECONDS=0, **clock.environment) as network,
        aiohttp.ClientSession(f"http://127.0.0.1:{network.port}") as session,
    ):

        async def is_ahead(seconds: float) -> bool:
            async with session.post("/sim/close") as answer:
                closed_at = (await answer.json())["closedAt"]
            return abs(float(closed_at) - time.time() - seconds) < 3

        await until(lambda: is_ahead(0), what="the true time")
        clock.move(300)
        await until(lambda: is_ahead(300), what="the jump")


async def test_a_clock_fault_returns_the_process_and_resets_its_clock(tmp_path: Path) -> None:
    jumps = ClockFaults({"redis": Clock(tmp_path / "clock")}, random.Random(1))
    assert "clock of Redis jumps" in jumps.all()
    assert (await jumps.jump(["redis"])).startswith("redis ")
    assert (tmp_path / "clock").read_text() == "+0.000\n"
    assert len(jumps.wrong) == 1


def test_frames_from_the_time_of_a_wrong_clock_are_not_trusted() -> None:
    received = [ReceivedFrame(at, "fanout-1", "stream.paused", START) for at in (1.0, 5.0, 9.0)]
    assert [each.at for each in trusted(received, 100.0, [(104.0, 106.0)])] == [1.0, 9.0]
    assert list(trusted(received, 100.0, [])) == received
