"""Peers that speak no HTTP, or too much of it: each is answered alone, and briefly.

Every test has a witness: a subscriber that goes on getting its events meanwhile. All share one
replica: what one of them sends must not trouble the others.
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
from tests.clients.conftest import Witness, witness_of
from tests.clients.peers import ALL, HOST, TLS_HELLO, Peer, get, memory
from tests.fanout.rig import ALICE, SUBSCRIBE, Chain, Replica, outside
from tests.support.data import begun_long_ago
from tests.support.sse_client import SseClient
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")
lasting = partial(pytest_asyncio.fixture, loop_scope="module")

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
METHODS = ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


@lasting(scope="module")
async def chain(redis_url: str) -> AsyncIterator[Chain]:
    keys = Keys(f"test-{uuid.uuid4().hex[:12]}")
    async with connect(redis_url) as redis:
        await begun_long_ago(redis, keys)
        yield Chain(redis, keys)


@lasting(scope="module")
async def replica(redis_url: str, chain: Chain) -> AsyncIterator[Replica]:
    async with outside(redis_url, chain.committer.keys, sync_seconds=0.5) as replica:
        yield replica


@lasting()
async def witness(replica: Replica, chain: Chain, clients: list[SseClient]) -> Witness:
    return await witness_of(replica, chain, clients)


@lasting()
async def clients() -> AsyncIterator[list[SseClient]]:
    kept: list[SseClient] = []
    yield kept
    for client in kept:
        client.close()


async def test_what_is_no_request_is_refused_with_a_4xx_and_the_end(
    replica: Replica, witness: Witness
) -> None:
    for name, sent in REFUSED.items():
        peer = await Peer.say(replica.port, sent)
        await peer.ended()
        assert 400 <= peer.status < 500, (name, peer.received[:200])
        assert b"text/event-stream" not in peer.received, name
        await witness()
    said = "".join(replica.process.noise) + str(replica.process.log)
    assert "Traceback" not in said
    assert "9999" not in said, "what they sent may be a token"


async def test_a_head_that_is_too_long_is_refused(replica: Replica, witness: Witness) -> None:
    for name, sent in TOO_LONG.items():
        peer = await Peer.say(replica.port, sent)
        await peer.ended()
        assert peer.status == 400, (name, peer.received[:200])
        await witness()
    assert "9999" not in str(replica.process.log), "what they sent may be a token"


@pytest.mark.parametrize("where", ["line", "header"])
async def test_a_head_of_64_kb_is_served(replica: Replica, chain: Chain, where: str) -> None:
    room = 65_536 - len(get(ALL))
    long = {
        "line": get(f"{ALL}&x={'x' * (room - 3)}"),
        "header": get(ALL, b"Authorization: " + b"x" * (room - 17)),
    }[where]
    assert len(long) == 65_536
    peer = await Peer.say(replica.port, long)
    (live,) = await chain.commit()
    await until(lambda: f"id: {live}\n\n".encode() in peer.received)
    assert peer.status == 200
    peer.close()


async def test_other_methods_are_405_and_name_get(replica: Replica, witness: Witness) -> None:
    for method in METHODS:
        peer = await Peer.say(replica.port, get(ALL, b"Connection: close", method=method))
        await peer.ended()
        assert peer.status == 405, method
        assert b"\r\nAllow: " in peer.received, method
    await witness()


@pytest.mark.parametrize("request_", [get(ALL, version="1.0"), f"GET {ALL}\r\n\r\n".encode()])
async def test_old_http_gets_events_until_it_leaves(
    replica: Replica, witness: Witness, chain: Chain, request_: bytes
) -> None:
    peer = await Peer.say(replica.port, request_)
    await until(lambda: b'"connected"' in peer.body)
    (live,) = await chain.commit()
    await until(lambda: f"id: {live}\n\n".encode() in peer.received)
    assert peer.status == 200
    assert b"chunked" not in peer.received
    peer.close()


async def test_ids_with_line_breaks_and_nul_in_the_query_never_reach_the_wire(
    replica: Replica, witness: Witness
) -> None:
    for given in (
        "1-0\r\nid: 9-9",
        "1-0\n\nevent: forged\ndata: {}",
        "1-0\0",
        "\r",
        "\n",
        "\0",
        " ",
    ):
        peer = await Peer.say(replica.port, get(f"{ALL}&last_event_id={quote(given)}"))
        await until(lambda peer=peer: b"event: reset" in peer.body)
        assert b"\nid: 9-9" not in peer.body
        assert b"\nevent: forged" not in peer.body
        assert b"\0" not in peer.body
        assert b"\r" not in peer.body
        peer.close()
    await witness()


async def test_absurd_ids_are_told_reset_and_get_what_comes(
    replica: Replica, witness: Witness, chain: Chain, clients: list[SseClient]
) -> None:
    absurd = ["9" * 5000, "9" * 4000 + "-1", "1-" + "9" * 5000, "-", "--", "1-0-0", "NaN", "1e9-0"]
    absurd += ["0x10-0", "+1-0", "1 - 0", "½-0", "%", "../../etc/passwd", "18446744073709551616-0"]
    for given in absurd:
        client = await replica.subscribe("all=true", since=given)
        clients.append(client)
        await client.wait(1, "reset")
        assert len(client.body) < 20_000, "nothing absurd is sent back at length"
    (live,) = await chain.commit()
    for client in clients[1:]:
        await client.wait_id(live)
        assert client.positions == [live]
        assert client.parser.faults == []


async def test_too_many_topics_and_invalid_accounts_are_400_and_bounded(
    replica: Replica, witness: Witness
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
    await witness()


async def test_one_mistake_made_many_times_is_not_answered_at_length(
    replica: Replica, witness: Witness
) -> None:
    for query in ("types=" + ",".join("x" * 20_000), "&".join(["streams=0"] * 6000)):
        status, text = await replica.get(f"{SUBSCRIBE}?{query}")
        assert status == 400
        assert len(text) < 100_000, f"{len(text)} bytes for {len(query)}"
    await witness()


async def test_a_pipelined_second_request_is_never_answered(
    replica: Replica, witness: Witness, chain: Chain
) -> None:
    both = get(ALL) + get("/livez")
    peer = await Peer.say(replica.port, both)
    other = await Peer.say(replica.port, get("/livez") + both)
    (live,) = await chain.commit()
    for each in (peer, other):
        await until(lambda each=each: f"id: {live}\n\n".encode() in each.received)
    assert peer.received.count(b"HTTP/1.1 ") == 1
    assert other.received.count(b"HTTP/1.1 ") == 2, "the one before it is"
    for each in (peer, other):
        each.close()


async def test_bytes_after_the_handshake_are_not_read_and_not_kept(
    redis_url: str, chain: Chain
) -> None:
    async with outside(redis_url, chain.committer.keys) as fresh:  # no memory of others to use
        await flooded(fresh, chain)


async def flooded(replica: Replica, chain: Chain) -> None:
    before = memory(replica.process.pid)
    flood = b"GET /livez HTTP/1.1\r\n\r\n\0\xff" * 40_000
    peers = [await Peer.say(replica.port, get(ALL)) for _ in range(20)]
    for peer in peers:
        await until(lambda peer=peer: b'"connected"' in peer.body)
        peer.trickle(flood)
    positions = await chain.commit_many(5)
    for peer in peers:
        await until(lambda peer=peer: f"id: {positions[-1]}\n\n".encode() in peer.received)
        assert peer.received.count(b"HTTP/1.1 ") == 1
    assert memory(replica.process.pid) - before < 16 << 20
    for peer in peers:
        peer.close()
