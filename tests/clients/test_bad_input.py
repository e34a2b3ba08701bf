"""Clients that send invalid or oversized requests get a short answer, and only they are affected.

Every test checks another subscriber, which must get its events. All tests share one replica.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from functools import partial
from urllib.parse import quote

import pytest
import pytest_asyncio

from shared.journal.keys import Keys
from shared.redis.client import connect
from tests.clients.conftest import CheckSubscriber, subscriber_check
from tests.clients.raw_client import ALL, HOST, TLS_HELLO, RawClient, get, memory
from tests.fanout.replicas import ALICE, SUBSCRIBE, Chain, Replica, replica_process
from tests.support.data import begun_long_ago
from tests.support.redis_server import PATIENT
from tests.support.sse_client import SseClient
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")
module_fixture = partial(pytest_asyncio.fixture, loop_scope="module")

HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")

REFUSED = {
    "a thousand headers": get(ALL, *(b"X-%d: x" % n for n in range(1000))),
    "an id with NUL": get(ALL, b"Last-Event-ID: 1-0\x00"),
    "an id with a bare CR": get(ALL, b"Last-Event-ID: 1-0\rid: 9-9"),
    "a header without colon": get(ALL, b"nonsense"),
    "a header with a space in its name": get(ALL, b"X y: 1"),
    "two lengths": get(ALL, b"Content-Length: 1", b"Content-Length: 2"),
    "a negative length": get(ALL, b"Content-Length: -1"),
    "a length and chunks": get(ALL, b"Content-Length: 5", b"Transfer-Encoding: chunked"),
    "a strange version": get(ALL, version="9.9"),
    "no method": b" / HTTP/1.1\r\n" + HOST + b"\r\n",
    "garbage": b"\x00\xff\xfe garbage\r\n\r\n",
    "a TLS client hello": TLS_HELLO,
    "the preface of HTTP/2": HTTP2,
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "RESP": b"*1\r\n$4\r\nPING\r\n",
}
TOO_LONG = {
    "a request line of 80,000 bytes": get(f"{ALL}&x={'x' * 80_000}"),
    "a request line without end": b"GET /" + b"a" * 200_000,
    "a header of 80,000 bytes": get(ALL, b"X: " + b"x" * 80_000),
    "an id of 80,000 bytes": get(ALL, b"Last-Event-ID: " + b"9" * 80_000),
}
DEFAULTS = (b"\r\nX-Content-Type-Options: nosniff\r\n", b"\r\nCache-Control: no-store\r\n")
METHODS = ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


@module_fixture(scope="module")
async def chain(redis_url: str) -> AsyncIterator[Chain]:
    keys = Keys(f"test-{uuid.uuid4().hex[:12]}")
    async with connect(redis_url, timeout=PATIENT) as redis:
        await begun_long_ago(redis, keys)
        yield Chain(redis, keys)


@module_fixture(scope="module")
async def replica(redis_url: str, chain: Chain) -> AsyncIterator[Replica]:
    async with replica_process(redis_url, chain.committer.keys, sync_seconds=0.5) as replica:
        yield replica


@module_fixture()
async def check_subscriber(
    replica: Replica, chain: Chain, clients: list[SseClient]
) -> CheckSubscriber:
    return await subscriber_check(replica, chain, clients)


@module_fixture()
async def clients() -> AsyncIterator[list[SseClient]]:
    kept: list[SseClient] = []
    yield kept
    for client in kept:
        client.close()


async def test_an_invalid_request_gets_4xx_and_the_connection_closes(
    replica: Replica, check_subscriber: CheckSubscriber
) -> None:
    for name, sent in REFUSED.items():
        client = await RawClient.connect(replica.port, sent)
        await client.wait_closed()
        assert 400 <= client.status < 500, (name, client.received[:200])
        assert b"text/event-stream" not in client.received, name
        assert all(header in client.received for header in DEFAULTS), (name, client.received)
        await check_subscriber()
    log = "".join(replica.process.noise) + str(replica.process.log)
    assert "Traceback" not in log
    assert "9999" not in log, "the bytes may contain a token"


async def test_a_request_head_above_64_kb_gets_400(
    replica: Replica, check_subscriber: CheckSubscriber
) -> None:
    for name, sent in TOO_LONG.items():
        client = await RawClient.connect(replica.port, sent)
        await client.wait_closed()
        assert client.status == 400, (name, client.received[:200])
        await check_subscriber()
    assert "9999" not in str(replica.process.log), "the bytes may contain a token"


@pytest.mark.parametrize("where", ["line", "header"])
async def test_a_request_head_of_64_kb_is_accepted(
    replica: Replica, chain: Chain, where: str
) -> None:
    length = 65_536 - len(get(ALL))
    long = {
        "line": get(f"{ALL}&x={'x' * (length - 3)}"),
        "header": get(ALL, b"Authorization: " + b"x" * (length - 17)),
    }[where]
    assert len(long) == 65_536
    client = await RawClient.connect(replica.port, long)
    await until(lambda: b'"connected"' in client.body)
    (live,) = await chain.commit()
    await until(lambda: f"id: {live}\n\n".encode() in client.received)
    assert client.status == 200
    client.close()


async def test_other_methods_get_405_with_an_allow_header(
    replica: Replica, check_subscriber: CheckSubscriber
) -> None:
    for method in METHODS:
        sent = get(ALL, b"Connection: close", method=method)
        client = await RawClient.connect(replica.port, sent)
        await client.wait_closed()
        assert client.status == 405, method
        assert all(header in client.received for header in (b"\r\nAllow: ", *DEFAULTS)), method
    await check_subscriber()


@pytest.mark.parametrize("request_", [get(ALL, version="1.0"), f"GET {ALL}\r\n\r\n".encode()])
async def test_http_1_0_and_0_9_clients_get_events(
    replica: Replica, check_subscriber: CheckSubscriber, chain: Chain, request_: bytes
) -> None:
    client = await RawClient.connect(replica.port, request_)
    await until(lambda: b'"connected"' in client.body)
    (live,) = await chain.commit()
    await until(lambda: f"id: {live}\n\n".encode() in client.received)
    assert client.status == 200
    assert b"chunked" not in client.received
    client.close()


async def test_line_breaks_and_nul_in_a_query_id_are_not_sent_back(
    replica: Replica, check_subscriber: CheckSubscriber
) -> None:
    ids = ("1-0\r\nid: 9-9", "1-0\n\nevent: forged\ndata: {}", "1-0\0", "\r", "\n", "\0", " ")
    for given in ids:
        client = await RawClient.connect(replica.port, get(f"{ALL}&last_event_id={quote(given)}"))
        await until(lambda client=client: b"event: reset" in client.body)
        for part in (b"\nid: 9-9", b"\nevent: forged", b"\0", b"\r"):
            assert part not in client.body
        client.close()
    await check_subscriber()


async def test_an_invalid_id_gets_reset_and_later_events(
    replica: Replica, check_subscriber: CheckSubscriber, chain: Chain, clients: list[SseClient]
) -> None:
    absurd = ["9" * 5000, "9" * 4000 + "-1", "1-" + "9" * 5000, "-", "--", "1-0-0", "NaN", "1e9-0"]
    absurd += ["0x10-0", "+1-0", "1 - 0", "½-0", "%", "../../etc/passwd", "18446744073709551616-0"]
    for given in absurd:
        client = await replica.subscribe("all=true", since=given)
        clients.append(client)
        await client.wait(1, "reset")
        assert len(client.body) < 20_000, "the invalid id is not sent back"
    (live,) = await chain.commit()
    for client in clients[1:]:
        await client.wait_id(live)
        assert client.positions == [live]
        assert client.parser.faults == []


async def test_too_many_topics_or_invalid_accounts_get_a_short_400(
    replica: Replica, check_subscriber: CheckSubscriber
) -> None:
    for query in (
        "streams=" + ",".join(str(n) for n in range(1, 10_001)),
        "users=" + ",".join(f"G{n}" for n in range(8000)),
        "users=" + ALICE[:-1] + "A",
        f"users={ALICE.lower()}",
        "users=" + quote(ALICE + "\r\nX: y"),
        "users=" + quote("G" * 56),
        "users=user:" + ALICE,
        "users=%00",
    ):
        status, text = await replica.get(f"{SUBSCRIBE}?{query}")
        assert status == 400, query[:60]
        assert "/problems/invalid-subscription" in text
        assert len(text) < 10_000
    await check_subscriber()


async def test_a_repeated_error_does_not_make_the_answer_long(
    replica: Replica, check_subscriber: CheckSubscriber
) -> None:
    for query in ("types=" + ",".join("x" * 20_000), "&".join(["streams=0"] * 6000)):
        status, text = await replica.get(f"{SUBSCRIBE}?{query}")
        assert status == 400
        assert len(text) < 100_000, f"{len(text)} bytes for {len(query)}"
    await check_subscriber()


async def test_a_pipelined_second_request_gets_no_response(
    replica: Replica, check_subscriber: CheckSubscriber, chain: Chain
) -> None:
    both = get(ALL) + get("/livez")
    client = await RawClient.connect(replica.port, both)
    other = await RawClient.connect(replica.port, get("/livez") + both)
    await until(lambda: b'"connected"' in client.body and b'"connected"' in other.body)
    (live,) = await chain.commit()
    await until(lambda: all(f"id: {live}\n\n".encode() in c.received for c in (client, other)))
    assert client.received.count(b"HTTP/1.1 ") == 1
    assert other.received.count(b"HTTP/1.1 ") == 2, "the request before it gets its response"
    for each in (client, other):
        each.close()


async def test_bytes_after_the_request_do_not_use_memory(redis_url: str, chain: Chain) -> None:
    # a new process, so that no freed memory hides the growth
    async with replica_process(redis_url, chain.committer.keys) as fresh:
        await check_flood(fresh, chain)


async def check_flood(replica: Replica, chain: Chain) -> None:
    before = memory(replica.process.pid)
    flood = b"GET /livez HTTP/1.1\r\n\r\n\0\xff" * 40_000
    clients = [await RawClient.connect(replica.port, get(ALL)) for _ in range(20)]
    for client in clients:
        await until(lambda client=client: b'"connected"' in client.body)
        client.send(flood)
    positions = await chain.commit_many(5)
    for client in clients:
        await until(lambda client=client: f"id: {positions[-1]}\n\n".encode() in client.received)
        assert client.received.count(b"HTTP/1.1 ") == 1
    assert memory(replica.process.pid) - before < 16 << 20
    for client in clients:
        client.close()
