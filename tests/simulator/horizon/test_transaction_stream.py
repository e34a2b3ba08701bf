"""Horizon's streams as the simulated network sends them: frames, cursors, limits and gzip."""

from __future__ import annotations

import gzip
import zlib

import aiohttp
import pytest

from deploy.simulator.app import running
from deploy.simulator.chain.operations import Proposal
from deploy.simulator.horizon.documents import record
from deploy.simulator.horizon.transaction_stream import BYEBYE, HELLO
from deploy.simulator.network import Network
from deploy.simulator.responses import to_json
from deploy.simulator.settings import SimulatorSettings
from tests.simulator.samples import NOW, SSE, aged, good, read
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(15)


@pytest.fixture
def network() -> Network:
    return aged(8, history_ledgers=20)


async def lines(response: aiohttp.ClientResponse, frames: int) -> bytes:
    """The next frames, each with its blank line."""
    got = [await response.content.readuntil(b"\n\n") for _ in range(frames)]
    return b"".join(got)


def ids(body: bytes) -> list[int]:
    return [int(line[4:]) for line in body.split(b"\n") if line.startswith(b"id: ")]


async def test_frames_byte_for_byte(network: Network, http: aiohttp.ClientSession) -> None:
    async with http.get("/transactions?limit=2", headers=SSE) as response:
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert "Content-Encoding" not in response.headers
        body = await response.read()
    base = str(http._base_url).rstrip("/")
    first, second = (t for t in network.chain.after(0) if t.toid in good(network)[:2])
    frames = [
        b"id: " + str(t.toid).encode() + b"\ndata: " + to_json(record(t, base)) + b"\n\n"
        for t in (first, second)
    ]
    assert body == b"".join(
        [
            b'retry: 1000\nevent: open\ndata: "hello"\n\n',
            *frames,
            b'retry: 10\nevent: close\ndata: "byebye"\n\n',
        ]
    )
    own = b'{"_links":{"self":{"href":"%s/transactions/%s"},"account":{"href":'
    data = frames[0].split(b"\ndata: ")[1]
    assert data.startswith(own % (base.encode(), first.hash.encode()))
    assert rb"order=asc\u0026cursor=" in data  # as Go writes an ampersand


async def test_stream_ends_at_its_limit(network: Network, http: aiohttp.ClientSession) -> None:
    for limit, asked in ((10, ""), (3, "?limit=3"), (12, "?limit=12")):
        async with http.get(f"/transactions{asked}", headers=SSE) as response:
            body = await response.read()
        assert ids(body) == good(network)[:limit]
        assert body.startswith(HELLO)
        assert body.endswith(BYEBYE)


@pytest.mark.io
async def test_stream_ends_when_it_is_old(network: Network) -> None:
    short = Network(SimulatorSettings(close_seconds=0, stream_seconds=0.05), NOW)
    async with (
        running(short) as url,
        aiohttp.ClientSession(url) as http,
        http.get("/transactions?cursor=now", headers=SSE) as response,
    ):
        assert await response.read() == HELLO + BYEBYE


async def test_last_event_id_overrides_cursor(
    network: Network, http: aiohttp.ClientSession
) -> None:
    third = good(network)[2]
    headers = SSE | {"Last-Event-ID": str(third)}
    async with http.get("/transactions?cursor=now&limit=2", headers=headers) as response:
        assert ids(await response.read()) == good(network)[3:5]


async def test_now_is_after_the_tip(network: Network, http: aiohttp.ClientSession) -> None:
    async with http.get("/transactions?cursor=now&limit=1", headers=SSE) as response:
        assert await lines(response, 1) == HELLO
        fresh = network.close(NOW + 30).transactions[0]
        assert ids(await response.read()) == [fresh.toid]


async def test_cursor_ahead_of_the_tip_idles(network: Network, http: aiohttp.ClientSession) -> None:
    ahead = (network.chain.latest.sequence + 1) << 32 | 0xFFFFFFFF
    async with http.get(f"/transactions?cursor={ahead}&limit=1", headers=SSE) as response:
        assert await lines(response, 1) == HELLO
        network.close(NOW + 30)
        network.close(NOW + 31)
        assert ids(await response.read()) == good(network, ahead)[:1]


async def test_silent_gap(network: Network, http: aiohttp.ClientSession) -> None:
    stale = good(network)[0]
    network.chain.trim(3)
    elder = network.chain.oldest.sequence
    async with http.get(f"/transactions?cursor={stale}&limit=1", headers=SSE) as response:
        assert ids(await response.read())[0] >> 32 == elder
    assert (await read(http, "/"))["history_elder_ledger"] == elder


async def test_gzip_frames_arrive_at_once(network: Network, http: aiohttp.ClientSession) -> None:
    headers = SSE | {"Accept-Encoding": "gzip"}
    async with (
        aiohttp.ClientSession(http._base_url, auto_decompress=False) as raw,
        raw.get("/transactions?cursor=now&limit=2", headers=headers) as response,
    ):
        assert response.headers["Content-Encoding"] == "gzip"
        unzip = zlib.decompressobj(wbits=31)
        packed = await response.content.readany()
        assert unzip.decompress(packed) == HELLO
        network.submit(Proposal())
        network.close(NOW + 40)
        more = await response.content.readany()
        packed += more
        assert unzip.decompress(more).startswith(b"id: ")
        network.close(NOW + 41)
        packed += await response.read()
    assert gzip.decompress(packed).endswith(BYEBYE)


async def test_aiohttp_reads_gzip_by_itself(network: Network, http: aiohttp.ClientSession) -> None:
    async with http.get("/transactions?limit=3", headers={"Accept": "text/event-stream"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert ids(await answer.read()) == good(network)[:3]


async def test_nothing_remains_of_a_client_that_disconnected(
    network: Network, http: aiohttp.ClientSession
) -> None:
    async with http.get("/transactions?cursor=now", headers=SSE) as response:
        assert await lines(response, 1) == HELLO
        assert len(network.listeners) == 1
    await until(lambda: not network.listeners)


async def test_newest_first(network: Network, http: aiohttp.ClientSession) -> None:
    cursor = good(network)[4]
    async with http.get(f"/transactions?cursor={cursor}&limit=3&order=desc", headers=SSE) as answer:
        body = await answer.read()
    assert ids(body) == good(network)[3:0:-1]
    assert body.endswith(BYEBYE)


async def test_ledgers_can_be_streamed(network: Network, http: aiohttp.ClientSession) -> None:
    async with http.get("/ledgers?cursor=now&limit=1", headers=SSE) as response:
        assert await lines(response, 1) == HELLO
        fresh = network.close(NOW + 30)
        assert ids(await response.read()) == [fresh.toid]


@pytest.mark.io
async def test_new_ledgers_wait_for_the_next_look(network: Network) -> None:
    slow = Network(
        SimulatorSettings(close_seconds=0, stream_seconds=0.3, stream_poll_seconds=60), NOW
    )
    quick = Network(SimulatorSettings(close_seconds=0, stream_poll_seconds=0.01), NOW)
    for polled, told in ((slow, 0), (quick, 1)):
        async with (
            running(polled) as url,
            aiohttp.ClientSession(url) as http,
            http.get("/transactions?cursor=now&limit=1", headers=SSE) as response,
        ):
            assert await lines(response, 1) == HELLO
            polled.close(NOW + 30)
            assert len(ids(await response.read())) == told


@pytest.mark.io
async def test_streams_were_not_compressed_before_protocol_30() -> None:
    old = Network(SimulatorSettings(close_seconds=0, protocol=28), NOW)
    async with (
        running(old) as url,
        aiohttp.ClientSession(url) as http,
        http.get("/transactions?limit=1", headers={"Accept": "text/event-stream"}) as response,
    ):
        assert "Content-Encoding" not in response.headers
        assert (await response.read()).endswith(BYEBYE)
