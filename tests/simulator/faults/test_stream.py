"""How Horizon's streams go wrong on demand: they break, fall silent or end, and go on after it."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from deploy.simulator.horizon.transaction_stream import BYEBYE, HELLO
from deploy.simulator.network import Network
from tests.simulator.samples import SSE, Sim, aged, broken, stream

pytestmark = pytest.mark.timeout(20)


@pytest.fixture
def network() -> Network:
    return aged(8, streams=0)


async def test_drop_between_frames(http: aiohttp.ClientSession, sim: Sim) -> None:
    await sim("POST", "faults", kind="drop", surface="stream", after=2)
    got = await broken(http)
    assert got.count(b"\nid: ") == 2 and got.endswith(b"}\n\n")  # noqa: PT018
    assert (await stream(http)).endswith(BYEBYE)


async def test_drop_right_after_hello(http: aiohttp.ClientSession, sim: Sim) -> None:
    await sim("POST", "faults", kind="drop", surface="stream")
    assert await broken(http, "cursor=now") == HELLO


async def test_cut_inside_a_frame(http: aiohttp.ClientSession, sim: Sim) -> None:
    await sim("POST", "faults", kind="cut", surface="stream", after=1)
    got = await broken(http)
    assert got.count(b"\nid: ") == 2
    assert not got.endswith(b"\n\n")


async def test_malformed_record_is_skipped_over(http: aiohttp.ClientSession, sim: Sim) -> None:
    await sim("POST", "faults", kind="malformed", surface="stream", after=1)
    got = await stream(http, "limit=3")
    datas = [line[6:] for line in got.split(b"\n") if line.startswith(b"data: {")]
    assert len(datas) == 3
    json.loads(datas[0])
    json.loads(datas[2])
    with pytest.raises(json.JSONDecodeError):
        json.loads(datas[1])
    assert got.endswith(BYEBYE)


async def test_error_inside_the_stream(http: aiohttp.ClientSession, sim: Sim) -> None:
    await sim("POST", "faults", kind="error", surface="stream", after=1)
    got = await stream(http)
    *_, last, rest = got.split(b"\n\n")
    assert last.startswith(b"event: error\ndata: problem: rate_limit_exceeded. full details: The")
    assert rest == b""
    assert BYEBYE not in got


async def test_byebye_early(http: aiohttp.ClientSession, sim: Sim) -> None:
    await sim("POST", "faults", kind="byebye", surface="stream")
    assert await stream(http) == HELLO + BYEBYE


async def test_stall(http: aiohttp.ClientSession, sim: Sim) -> None:
    await sim("POST", "faults", kind="stall", surface="stream", after=2)
    async with http.get("/transactions", headers=SSE) as response:
        for _ in range(3):
            await response.content.readuntil(b"\n\n")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await response.content.readany()
    await sim("POST", "faults", kind="stall", surface="stream", after=2, seconds=0.01)
    assert (await stream(http)).endswith(BYEBYE)
