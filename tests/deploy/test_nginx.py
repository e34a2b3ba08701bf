"""The production gateway as a real nginx: what it forwards and refuses, and to which fanout."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from shared.journal.keys import Keys
from shared.redis.client import connect
from tests.deploy.fanouts import Fanouts, silent_host
from tests.deploy.gateways import Gateway, certificate, gateway, overloads
from tests.fanout.replicas import Chain
from tests.support.name_server import NameServer, name_server
from tests.support.programs import needed
from tests.support.redis_server import PATIENT
from tests.support.sse_client import SseClient
from tests.support.waiting import until

pytestmark = [pytest.mark.timeout(90), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    tmp_path_factory: pytest.TempPathFactory, names: NameServer, fanouts: Fanouts
) -> AsyncIterator[Gateway]:
    folder = tmp_path_factory.mktemp("nginx")
    certificate(folder)
    async with gateway(folder, names, HANDSHAKES_PER_IP="1000r/s", TLS_REDIRECT="off") as front:
        yield front


@pytest_asyncio.fixture(loop_scope="module")
async def front(running: Gateway) -> AsyncIterator[Gateway]:
    yield running
    for client in running.clients:
        client.close()
    running.clients.clear()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chain(redis_url: str, module_keys: Keys) -> AsyncIterator[Chain]:
    redis = connect(redis_url, timeout=PATIENT)
    yield Chain(redis, module_keys)
    await redis.aclose()


async def test_events_arrive_at_once_and_unchanged(
    front: Gateway, fanouts: Fanouts, chain: Chain
) -> None:
    client = await front.subscribe("streams=7")
    await client.wait(1)
    assert client.headers["content-type"] == "text/event-stream"
    assert client.headers["cache-control"] == "no-store, no-transform"
    seconds = []
    for _ in range(5):
        began = time.monotonic()
        (position,) = await chain.commit()
        await until(lambda p=position: p.encode() in bytes(client.body), seconds=10)
        seconds.append(time.monotonic() - began)
    assert sorted(seconds)[2] < 0.5, "a buffer delays all, a busy machine only some"


async def test_tls_serves_http_2(front: Gateway, fanouts: Fanouts, chain: Chain) -> None:
    url = f"https://localhost:{front.tls_port}/v1/events/subscribe?all=true"
    curl = await asyncio.create_subprocess_exec(
        needed("curl"), "-skN", "--http2", "--dump-header", "-", "--max-time", "30", url,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert curl.stdout
    assert (await curl.stdout.readline()).startswith(b"HTTP/2 200")
    await curl.stdout.readuntil(b'"type":"connected"')
    (position,) = await chain.commit()
    async with asyncio.timeout(10):  # less than SYNC_SECONDS: no later event pushes it out
        await curl.stdout.readuntil(f"id: {position}\n\n".encode())
    curl.kill()
    await curl.wait()


async def test_the_fanout_notices_a_stalled_client(
    front: Gateway, fanouts: Fanouts, chain: Chain
) -> None:
    (address,) = fanouts.by_address
    await fanouts.until_connections(address, 0)
    stalled = await front.subscribe(receive_buffer=4096)
    await stalled.wait(1)
    stalled.stall()
    other = await front.subscribe()
    await other.wait(1)

    async def closed() -> bool:
        # One event at a time: on a busy machine, the gateway reads a burst too slowly for `other`.
        (position,) = await chain.commit(chain.event(padding=50_000))
        await other.wait_id(position)
        return await fanouts.metric(address, 'disconnects_total{reason="slow"}') == 1

    await until(closed, seconds=40, what="the end of the stalled one")
    assert await fanouts.metric(address, "connections") == 1
    assert not other.closed.is_set()


async def is_reached(front: Gateway, fanouts: Fanouts, address: str) -> bool:
    """Whether a new subscriber is sent to this fanout."""
    client = await front.subscribe()
    await client.wait(1)
    reached = await fanouts.metric(address, "connections") > 0
    client.close()
    return reached


async def test_a_draining_fanout_gets_no_new_subscribers(front: Gateway, fanouts: Fanouts) -> None:
    (staying,) = fanouts.by_address
    leaving = await fanouts.start(DRAIN_SECONDS=30)

    await until(lambda: is_reached(front, fanouts, leaving))
    await fanouts.drain(leaving)
    await fanouts.until_connections(staying, 0)
    new = await asyncio.gather(*(front.subscribe() for _ in range(20)))
    for client in new:
        await client.wait(1)
    assert [overloads(client) for client in new] == [[]] * 20
    assert await fanouts.metric(staying, "connections") == 20
    asked = 'turned_away_total{reason="draining"}'
    assert await fanouts.metric(leaving, asked) > 0, "and was asked"
    await fanouts.remove(leaving)


async def test_a_ticket_is_sent_to_one_fanout_only(
    tmp_path: Path, redis_url: str, module_keys: Keys
) -> None:
    async with (
        name_server({}) as names,
        Fanouts(redis_url, module_keys, names) as fanouts,
        gateway(tmp_path, names) as front,
    ):
        both = await asyncio.gather(*(fanouts.start(DRAIN_SECONDS=30) for _ in range(2)))
        await asyncio.gather(*map(fanouts.drain, both))
        client = await front.subscribe("all=true&ticket=abc")
        await client.wait(1, "overload")
        assert overloads(client)[0]["reason"] == "this replica is shutting down"
        asked = [
            await fanouts.metric(each, 'turned_away_total{reason="draining"}') for each in both
        ]
        assert sorted(asked) == [0, 1]


async def test_a_new_fanout_is_found_by_its_name(front: Gateway, fanouts: Fanouts) -> None:
    await (await front.subscribe()).wait(1)
    second = await fanouts.start()
    await until(lambda: is_reached(front, fanouts, second))
    await fanouts.remove(second)


async def test_an_unreachable_host_is_skipped(tmp_path: Path, fanouts: Fanouts) -> None:
    (living,) = fanouts.by_address
    with silent_host() as gone:
        async with (
            name_server({"fanout": [gone, living]}) as names,
            gateway(tmp_path, names) as front,
        ):
            new = await asyncio.gather(*(front.subscribe() for _ in range(8)))
            for client in new:
                await client.wait(1)
            assert [overloads(client) for client in new] == [[]] * 8
            log = (tmp_path / "nginx.log").read_text()
            assert "upstream timed out" in log, "and some asked it first"


@pytest.mark.io
async def test_host_of_two_colons_accepts_ipv4_and_ipv6(tmp_path: Path, names: NameServer) -> None:
    certificate(tmp_path)
    async with gateway(tmp_path, names, HOST="::") as front:
        for address in ("127.0.0.1", "::1"):
            for port in (front.port, front.tls_port):
                _, writer = await asyncio.open_connection(address, port)
                writer.close()


@pytest.mark.io
async def test_without_any_fanout_clients_get_overload(tmp_path: Path) -> None:
    async with name_server({}) as names, gateway(tmp_path, names) as front:
        by_event = await front.subscribe()
        assert by_event.status == 200
        await by_event.wait(1, "overload")
        by_status = await front.subscribe("all=true&on_overload=status")
        assert by_status.status == 503
        assert by_status.headers["content-type"] == "application/problem+json"


async def test_an_invalid_request_gets_the_answer_of_the_fanout(
    front: Gateway, fanouts: Fanouts
) -> None:
    client = await front.subscribe("streams=")
    assert client.status == 400
    assert json.loads(await client.whole())["type"] == "/problems/invalid-subscription"


@pytest.mark.io
async def test_probes_are_not_logged(tmp_path: Path, names: NameServer) -> None:
    async with gateway(tmp_path, names) as front:
        for path in ("/gateway/livez", "/metrics"):  # the second one is no probe
            await (await SseClient.connect(front.port, path)).answered()
        log = tmp_path / "nginx.log"
        await until(lambda: '"path":"/metrics"' in log.read_text())
    assert "livez" not in log.read_text()


@pytest.mark.io
async def test_a_low_limit_of_open_files_is_told(tmp_path: Path, names: NameServer) -> None:
    limit = ["prlimit", "--nofile=4000"]
    async with gateway(tmp_path, names, limit) as front:
        assert (await (await SseClient.connect(front.port, "/metrics")).answered()).status == 404
    log = (tmp_path / "nginx.log").read_text()
    assert "(nofile) is 4000: a process of nginx holds about 1000 clients" in log
    assert "[alert]" not in log
    assert "[warn]" not in log


@pytest.mark.io
async def test_metrics_are_not_public(tmp_path: Path, names: NameServer) -> None:
    async with gateway(tmp_path, names) as front:
        for path in ("/metrics", "/by_status/v1/events/subscribe"):
            client = await SseClient.connect(front.port, path)
            assert (await client.answered()).status == 404, path


async def test_no_token_appears_in_the_gateway_log(
    tmp_path: Path, names: NameServer, fanouts: Fanouts
) -> None:
    async with gateway(tmp_path, names) as front:
        client = await front.subscribe("all=true&access_token=hush")
        await client.wait(1)
        client.close()
        log = tmp_path / "nginx.log"
        await until(lambda: '"path":"/v1/events/subscribe"' in log.read_text())
        assert "hush" not in log.read_text()
        (line,) = re.findall(r"^\{.*subscribe.*\}$", log.read_text(), re.M)
        assert json.loads(line)["status"] == 200
