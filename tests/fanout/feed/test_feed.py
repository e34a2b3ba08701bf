"""The feed reads lost messages from the journal, in order, and no client is disconnected."""

from __future__ import annotations

import time

import pytest
from redis.asyncio import Redis

from services.fanout.app import HANDLER
from shared.domain.position import parse_position
from shared.journal.keys import CHANNEL, Keys
from shared.journal.plan import Retention
from tests.fanout.journals import journal
from tests.fanout.replicas import Chain, StartReplica
from tests.support.sse_client import SseClient
from tests.support.tcp_proxy import TcpProxy, no_link, subscribers
from tests.support.waiting import until


async def lose_message(proxy: TcpProxy, chain: Chain) -> str:
    """Commit an event whose message is lost on the channel."""
    proxy.swallow = subscribers
    (position,) = await chain.commit()
    await until(lambda: f" {position} ".encode() in proxy.swallowed, what="the lost message")
    proxy.swallow = no_link
    return position


async def test_a_lost_message_is_read_from_the_journal_before_the_next_event(
    start_behind_proxy: StartReplica, proxy: TcpProxy, chain: Chain, clients: list[SseClient]
) -> None:
    # no probe in this test: the next message shows the loss
    replica = await start_behind_proxy(probe_seconds=300)
    client = await replica.subscribe("all=true")
    clients.append(client)
    positions = await chain.commit_many(3)
    for _ in range(3):
        positions.append(await lose_message(proxy, chain))
        positions += await chain.commit()
        await client.wait_id(positions[-1])
    assert client.positions == positions
    assert not client.closed.is_set()
    assert await replica.metric("fill_ins_total") >= 3


async def test_a_lost_last_message_is_found_by_the_probe_and_the_channel_reconnects(
    start_behind_proxy: StartReplica, proxy: TcpProxy, chain: Chain, clients: list[SseClient]
) -> None:
    replica = await start_behind_proxy(probe_seconds=0.1)
    client = await replica.subscribe("all=true")
    clients.append(client)
    (link,) = filter(subscribers, proxy.links)
    lost = await lose_message(proxy, chain)
    await client.wait_id(lost)
    await until(lambda: link not in proxy.links and any(map(subscribers, proxy.links)))
    positions = [lost, *await chain.commit_many(3)]
    await client.wait_id(positions[-1])
    assert client.positions == positions


@pytest.mark.parametrize("steady", [False, True], ids=["then-silence", "steady-commits"])
async def test_a_channel_without_messages_is_detected_within_three_seconds(  # noqa: PLR0917 - fixtures
    start_behind_proxy: StartReplica,
    proxy: TcpProxy,
    chain: Chain,
    clients: list[SseClient],
    steady: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The test counts the probes instead of the seconds: on a busy machine they are late too."""
    replica = await start_behind_proxy()
    assert replica.components.settings.probe_seconds == 1.0
    feed, probes = replica.components.feed, list[float]()
    check_tip = feed._check_tip

    async def counted() -> None:
        probes.append(time.monotonic())
        await check_tip()

    monkeypatch.setattr(feed, "_check_tip", counted)
    client = await replica.subscribe("all=true")
    clients.append(client)
    (silent,) = filter(subscribers, proxy.links)
    proxy.swallow = lambda link: link is silent
    positions = await chain.commit()
    probes.clear()

    async def found() -> bool:
        if steady:
            positions.extend(await chain.commit())
        return silent not in proxy.links and any(map(subscribers, proxy.links))

    await until(found)
    assert len(probes) <= 3
    positions += await chain.commit()
    await client.wait_id(positions[-1])
    assert client.positions == positions
    await until(replica.ready)


async def test_steady_traffic_causes_no_reconnect_of_the_channel(
    start_behind_proxy: StartReplica, proxy: TcpProxy, chain: Chain, clients: list[SseClient]
) -> None:
    replica = await start_behind_proxy(probe_seconds=0.05)
    client = await replica.subscribe("all=true")
    clients.append(client)
    links = [*filter(subscribers, proxy.links)]
    fill_ins = await replica.metric("fill_ins_total")
    positions: list[str] = []
    began = time.monotonic()
    while time.monotonic() - began < 1.5:
        positions += await chain.commit(*(chain.event() for _ in range(5)))
    await client.wait_id(positions[-1])
    assert client.positions == positions
    assert [*filter(subscribers, proxy.links)] == links
    assert await replica.metric("fill_ins_total") == fill_ins


@pytest.mark.parametrize("before", [0, 3], ids=["empty-journal", "three-events"])
async def test_a_slow_answer_to_the_probe_is_not_treated_as_lost_writes(
    start_behind_proxy: StartReplica,
    proxy: TcpProxy,
    chain: Chain,
    clients: list[SseClient],
    before: int,
) -> None:
    """New messages arrive before the probe's reply, so its tip is below the published position."""
    replica = await start_behind_proxy(probe_seconds=0.1)
    client = await replica.subscribe("all=true")
    clients.append(client)
    positions = await chain.commit_many(before)
    await until(lambda: client.positions == positions)
    proxy.hold = lambda link: not subscribers(link)
    await until(lambda: any(link.held for link in proxy.links))
    positions += await chain.commit_many(3)
    await client.wait_id(positions[-1])
    proxy.hold = no_link
    await until(lambda: not any(link.held for link in proxy.links))
    feed = replica.app[HANDLER]._feed
    last_probe = feed._probed_at
    await until(lambda: feed._probed_at > last_probe)
    assert feed.failover.epoch == 0
    assert len(feed.recent) == len(positions), "the recent events are kept for resumes"


async def test_killed_channel_connections_lose_no_event(
    redis: Redis, start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    replica = await start()
    clients += [await replica.subscribe("all=true") for _ in range(3)]
    positions: list[str] = []
    for n in range(60):
        if n % 10 == 5:
            await until(lambda: redis.client_kill_filter(_type="pubsub"), what="a channel to kill")
        positions += await chain.commit(*(chain.event() for _ in range(3)))
    for client in clients:
        await client.wait_id(positions[-1])
        assert client.positions == positions
        assert not client.closed.is_set()


async def test_foreign_namespaces_and_garbage_are_ignored(
    redis: Redis, keys: Keys, start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    replica = await start(probe_seconds=30)
    client = await replica.subscribe("all=true")
    clients.append(client)
    positions = await chain.commit()
    top = positions[-1]
    for garbage in (
        b"",
        b"\n",
        b"\xff\xfe\n{}",
        b"a b c\n{}",
        b"other-namespace 0-0 9-9 stream.created 7\n{}",
        f"{keys.namespace} x y stream.created 7\n{{}}".encode(),
        f"{keys.namespace} {top} 99999999999999999999-1 stream.created\n{{}}".encode(),
        # a message that was received before
        f"{keys.namespace} 0-0 {top} stream.created 7\n{{}}".encode(),
        b"\0" * 10_000,
    ):
        await redis.publish(CHANNEL, garbage)
    positions += await chain.commit()
    await client.wait_id(positions[-1])
    assert client.positions == positions
    assert len([event for event in client.events if event.name != "sync"]) == 3


async def test_an_inconsistent_journal_is_logged_and_not_read_in_a_loop(
    redis: Redis, keys: Keys, start: StartReplica, chain: Chain, clients: list[SseClient]
) -> None:
    replica = await start(probe_seconds=0.1)
    (position,) = await chain.commit()
    await replica.at(position)

    async def failures() -> float:
        return await replica.metric_of("headrace_task_failures_total", task="feed_fill_in")

    before = await failures()
    calls = (await redis.info("commandstats")).get("cmdstat_xrange", {}).get("calls", 0)
    above = str(parse_position(position)._replace(n=9))
    await redis.xadd(keys.journal, {"p": "1-0", "h": "stream.created 7", "b": "{}"}, id=above)

    async def is_counted() -> bool:
        return await failures() > before

    await until(is_counted)
    assert (await redis.info("commandstats"))["cmdstat_xrange"]["calls"] - calls < 100


async def test_events_trimmed_before_the_feed_read_them_are_a_gap(
    redis: Redis,
    keys: Keys,
    start_behind_proxy: StartReplica,
    proxy: TcpProxy,
    clients: list[SseClient],
) -> None:
    chain = Chain(redis, keys, retention=Retention(max_length=10))
    replica = await start_behind_proxy(probe_seconds=0.1)
    first = await chain.commit()
    await until(lambda: str(replica.components.feed.position) == first[0])
    clients += [await replica.subscribe("all=true"), await replica.subscribe("streams=999")]
    proxy.refusing = True
    proxy.cut()
    await chain.commit_many(500)
    kept = await journal(redis, keys)
    proxy.refusing = False
    (all_of_it, other) = clients
    await all_of_it.wait_id(kept[-1].position)
    for client in clients:
        (gap,) = await client.wait(1, "gap")
        assert gap.json["from"] == first[0]
        assert gap.json["to"] == gap.own_id == kept[0].previous
    assert all_of_it.positions == [e.position for e in kept]
    assert other.positions == []
