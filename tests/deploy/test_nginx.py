"""The production gateway as a real nginx: what it passes on, whom it refuses, where it sends."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import time

import pytest

from tests.deploy.gateways import Fanouts, gateway
from tests.fanout.rig import Chain
from tests.support.name_server import name_server
from tests.support.programs import needed
from tests.support.sse_client import SseClient
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
async def names():
    async with name_server({}) as server:
        yield server


@pytest.fixture
async def fanouts(redis_url, keys, names):
    async with Fanouts(redis_url, keys, names) as fanouts:
        yield fanouts


@pytest.fixture
def chain(redis, keys) -> Chain:
    return Chain(redis, keys)


def overloads(client: SseClient) -> list[dict]:
    return [event.json for event in client.named("overload")]


async def test_events_arrive_at_once_and_as_they_were_sent(tmp_path, names, fanouts, chain):
    await fanouts.start()
    async with gateway(tmp_path, names) as front:
        client = await front.subscribe("streams=7")
        await client.wait(1)
        assert client.headers["content-type"] == "text/event-stream"
        assert client.headers["cache-control"] == "no-store, no-transform"
        for _ in range(5):
            began = time.monotonic()
            (position,) = await chain.commit()
            await until(lambda p=position: p.encode() in bytes(client.body), seconds=1)
            assert time.monotonic() - began < 0.5


async def test_browsers_are_spoken_to_in_http_2_over_tls(tmp_path, names, fanouts, chain):
    await fanouts.start()
    certificate(tmp_path)
    async with gateway(tmp_path, names) as front:
        url = f"https://localhost:{front.tls_port}/v1/events/subscribe?all=true"
        curl = await asyncio.create_subprocess_exec(
            needed("curl"), "-skN", "--http2", "--dump-header", "-", "--max-time", "30", url,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert curl.stdout
        assert (await curl.stdout.readline()).startswith(b"HTTP/2 200")
        await curl.stdout.readuntil(b'"type":"connected"')
        (position,) = await chain.commit()
        async with asyncio.timeout(2):
            await curl.stdout.readuntil(f"id: {position}\n\n".encode())
        curl.kill()
        await curl.wait()


def certificate(folder) -> None:
    """A key and a certificate signed by itself, as tls.key and tls.crt."""
    subprocess.run(
        [needed("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-subj", "/CN=localhost", "-days", "1", "-keyout", str(folder / "tls.key"),
         "-out", str(folder / "tls.crt")],
        check=True, capture_output=True,
    )  # fmt: skip


async def test_the_sixth_connection_of_an_address_is_refused(tmp_path, names, fanouts):
    await fanouts.start()
    async with gateway(tmp_path, names, CONNECTIONS_PER_IP=5) as front:
        five = [await front.subscribe() for _ in range(5)]
        for client in five:
            await client.wait(1)

        by_event = await front.subscribe(headers={"Origin": "https://app.example"})
        assert by_event.status == 200, "any other status is final for an EventSource"
        await by_event.wait(1, "overload")
        assert by_event.headers["access-control-allow-origin"] == "https://app.example"
        (told,) = overloads(by_event)
        assert 4000 <= told["retry"] < 8000
        assert by_event.parser.retry == told["retry"]
        assert by_event.parser.last_id == "", "no cursor is moved"

        by_status = await front.subscribe("all=true&on_overload=status")
        assert by_status.status == 429
        assert int(by_status.headers["retry-after"]) > 0
        assert json.loads(await by_status.whole())["type"] == "/problems/overloaded"

        assert all(client.events and not client.closed.is_set() for client in five)
        five[0].close()

        async def there_is_room() -> bool:
            client = await front.subscribe()
            await client.wait(1)
            return not overloads(client)

        await until(there_is_room)


async def test_the_limit_counts_clients_not_the_proxy_before_us(tmp_path, names, fanouts):
    await fanouts.start()

    async def turned_away(front, forwarded: str) -> bool:
        client = await front.subscribe(headers={"X-Forwarded-For": forwarded})
        await client.wait(1)
        return bool(overloads(client))

    async with gateway(
        tmp_path, names, CONNECTIONS_PER_IP=1, TRUSTED_PROXIES="127.0.0.0/8,10.0.0.0/8"
    ) as front:
        assert not await turned_away(front, "203.0.113.5")
        assert not await turned_away(front, "203.0.113.6, 10.1.2.3")
        assert await turned_away(front, "198.51.100.1, 203.0.113.6"), "what it says itself is not"


async def test_nobody_is_believed_unless_named(tmp_path, names, fanouts):
    await fanouts.start()
    async with gateway(tmp_path, names, CONNECTIONS_PER_IP=1) as front:
        answers = [
            await front.subscribe(headers={"X-Forwarded-For": f"203.0.113.{n}"}) for n in (5, 6)
        ]
        for client in answers:
            await client.wait(1)
        assert [bool(overloads(client)) for client in answers] == [False, True]


async def test_a_stalled_client_is_felt_by_the_fanout(tmp_path, names, fanouts, chain):
    address = await fanouts.start(BACKLOG_BYTES=200_000)
    async with gateway(tmp_path, names) as front:
        stalled = await front.subscribe(receive_buffer=4096)
        await stalled.wait(1)
        stalled.stall()
        other = await front.subscribe()
        await other.wait(1)

        async def closed() -> bool:
            *_, last = await chain.commit(*(chain.event(padding=50_000) for _ in range(10)))
            await other.wait_id(last)
            return await fanouts.metric(address, 'disconnects_total{reason="slow"}') == 1

        await until(closed, seconds=40, what="the end of the stalled one")
        assert await fanouts.metric(address, "connections") == 1
        assert not other.closed.is_set()


async def test_a_fanout_that_drains_gets_no_new_ones(tmp_path, names, fanouts):
    leaving = await fanouts.start(DRAIN_SECONDS=30)
    staying = await fanouts.start()
    async with gateway(tmp_path, names) as front:

        async def is_known() -> bool:
            await (await front.subscribe()).wait(1)
            return await fanouts.metric(leaving, "connections") > 0

        await until(is_known)
        await fanouts.drain(leaving)
        before = await fanouts.metric(staying, "connections")
        new = [await front.subscribe() for _ in range(20)]
        for client in new:
            await client.wait(1)
        assert [overloads(client) for client in new] == [[]] * 20
        assert await fanouts.metric(staying, "connections") == before + 20
        asked = 'turned_away_total{reason="draining"}'
        assert await fanouts.metric(leaving, asked) > 0, "and was asked"


async def test_a_ticket_is_shown_to_one_fanout_only(tmp_path, names, fanouts):
    for _ in range(2):
        await fanouts.start(DRAIN_SECONDS=30)
    for address in fanouts.by_address:
        await fanouts.drain(address)
    async with gateway(tmp_path, names) as front:
        client = await front.subscribe("all=true&ticket=abc")
        await client.wait(1, "overload")
        assert overloads(client)[0]["reason"] == "this replica is shutting down"
        asked = [
            await fanouts.metric(each, 'turned_away_total{reason="draining"}')
            for each in fanouts.by_address
        ]
        assert sorted(asked) == [0, 1]


async def test_a_new_fanout_is_found_by_its_name(tmp_path, names, fanouts):
    await fanouts.start()
    async with gateway(tmp_path, names) as front:
        await (await front.subscribe()).wait(1)
        second = await fanouts.start()

        async def reached() -> bool:
            await (await front.subscribe()).wait(1)
            return await fanouts.metric(second, "connections") > 0

        await until(reached, seconds=20)


async def test_without_any_fanout_clients_are_told_to_come_back(tmp_path, names):
    async with gateway(tmp_path, names) as front:
        by_event = await front.subscribe()
        assert by_event.status == 200
        await by_event.wait(1, "overload")
        by_status = await front.subscribe("all=true&on_overload=status")
        assert by_status.status == 503
        assert by_status.headers["content-type"] == "application/problem+json"


async def test_a_mistake_is_told_as_the_fanout_tells_it(tmp_path, names, fanouts):
    await fanouts.start()
    async with gateway(tmp_path, names) as front:
        client = await front.subscribe("streams=")
        assert client.status == 400
        assert json.loads(await client.whole())["type"] == "/problems/invalid-subscription"


async def test_the_inside_stays_inside(tmp_path, names):
    async with gateway(tmp_path, names) as front:
        for path in ("/metrics", "/by_status/v1/events/subscribe"):
            client = await SseClient.connect(front.port, path)
            assert (await client.answered()).status == 404, path


async def test_no_token_gets_into_the_log(tmp_path, names, fanouts):
    await fanouts.start()
    async with gateway(tmp_path, names) as front:
        client = await front.subscribe("all=true&access_token=hush")
        await client.wait(1)
        client.close()
        log = tmp_path / "nginx.log"
        await until(lambda: '"path":"/v1/events/subscribe"' in log.read_text())
        assert "hush" not in log.read_text()
        (line,) = re.findall(r"^\{.*subscribe.*\}$", log.read_text(), re.M)
        assert json.loads(line)["status"] == 200
