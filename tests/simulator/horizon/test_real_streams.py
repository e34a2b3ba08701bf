"""The simulated Horizon's streams against what a real one sent: Horizon 28, 2026-11."""

from __future__ import annotations

import re
from collections.abc import Mapping

import aiohttp
import pytest

from deploy.simulator.network import Network
from tests.simulator import samples as network_samples
from tests.simulator.real_answers import GZIP, ORIGIN, STREAM, ask, places, small
from tests.simulator.samples import Sim

pytestmark = pytest.mark.timeout(15)


@pytest.fixture
def network() -> Network:
    return small()


STREAMS = [
    ("cursor={after}&limit=3&order=asc", {}, 3),
    ("cursor={after}&limit=3&order=desc", {}, 3),
    ("cursor={after}&limit=1&order=asc", GZIP, 1),
    ("cursor=5&limit=1&order=asc", {"Last-Event-ID": "{after}"}, 1),
    ("cursor={after}&limit=1&order=asc", ORIGIN, 1),
]


@pytest.mark.parametrize(("query", "headers", "records"), STREAMS)
async def test_streams(
    http: aiohttp.ClientSession,
    network: Network,
    query: str,
    headers: Mapping[str, str],
    records: int,
) -> None:
    here = places(network)
    headers = {name: value.format(**here) for name, value in headers.items()}
    path = f"/transactions?{query.format(**here)}"
    response = await ask(http, path, {**STREAM, **headers})
    told = dict(response.headers)
    del told["Date"]
    exposed = {"Access-Control-Expose-Headers": "Date, Latest-Ledger"}
    assert told == (exposed if "Origin" in headers else {}) | {
        "Access-Control-Allow-Origin": "*",
        "Cache-Control": "no-cache",
        "Connection": "keep-alive",
        "Content-Type": "text/event-stream; charset=utf-8",
        "Vary": "Origin",
        "Transfer-Encoding": "chunked",
    }
    first, *frames, last, rest = (await response.text()).split("\n\n")
    assert first == 'retry: 1000\nevent: open\ndata: "hello"'
    assert (last, rest) == ('retry: 10\nevent: close\ndata: "byebye"', "")
    assert len(frames) == records
    ids = [int(re.fullmatch(r"id: (\d+)\ndata: \{.*\}", frame)[1]) for frame in frames]  # type: ignore[index]
    after = int(str(here["after"]))
    assert ids == sorted(ids, reverse="desc" in query)
    assert all((each < after) == ("desc" in query) for each in ids)
    assert ids[0] >> 32 == (after >> 32) - ("desc" in query)


async def test_stream_without_records_says_hello(http: aiohttp.ClientSession) -> None:
    path = "/transactions?cursor=now&order=asc"
    async with http.get(path, headers=STREAM, skip_auto_headers=["Accept-Encoding"]) as response:
        assert await response.content.readany() == b'retry: 1000\nevent: open\ndata: "hello"\n\n'


@pytest.mark.parametrize(("headers", "first"), [({}, "cursor=1-2"), ({"Last-Event-ID": "1-2"}, "")])
async def test_pair_before_the_history_begins_with_it(
    http: aiohttp.ClientSession, network: Network, headers: Mapping[str, str], first: str
) -> None:
    response = await ask(http, f"/transactions?limit=1&{first}", {**STREAM, **headers})
    oldest = network.chain.oldest.transactions[0].toid
    assert f"\nid: {oldest}\n" in await response.text()


async def test_rate_limit_inside_a_stream(http: aiohttp.ClientSession, sim: Sim) -> None:
    await sim("POST", "faults", kind="error", surface="stream", after=1)
    *_, last, rest = (await network_samples.stream(http)).split(b"\n\n")
    assert rest == b""  # and no byebye before it
    assert last == (
        b"event: error\ndata: problem: rate_limit_exceeded. full details: The rate limit for the "
        b"requesting IP address is over its alloted limit.  The allowed limit and requests left "
        b"per time period are communicated to clients via the http response headers "
        b"'X-RateLimit-*' headers."
    )
