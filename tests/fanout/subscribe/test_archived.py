"""Resumes from positions that only the archive has: every event once, in order, without a gap."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from redis.asyncio import Redis

from shared.journal.keys import Keys
from tests.fanout.journals import for_topics, journal
from tests.fanout.replicas import ALICE, BOB, CAROL, Chain, StartReplica
from tests.support.archived import JournalArchive
from tests.support.sse_client import SseClient
from tests.support.tcp_proxy import TcpProxy

pytestmark = pytest.mark.io


@pytest.fixture
def archive(redis: Redis, keys: Keys, tmp_path: Path) -> JournalArchive:
    return JournalArchive(redis, keys, tmp_path / "archive")


async def mixed(chain: Chain, count: int) -> list[str]:
    """Commit events of two streams of Bob and one of Carol, and some for everyone."""
    events = [
        chain.broadcast() if n % 20 == 9 else chain.event(1 + n % 3, ALICE, CAROL if n % 3 else BOB)
        for n in range(count)
    ]
    return await chain.commit(*events)


@pytest.mark.parametrize("query", ["all=true", f"users={BOB}", f"streams=2&users={CAROL}"])
async def test_a_resume_from_the_first_event_gets_every_event_once(  # noqa: PLR0917 - fixtures
    start: StartReplica,
    chain: Chain,
    archive: JournalArchive,
    redis: Redis,
    keys: Keys,
    clients: list[SseClient],
    query: str,
) -> None:
    await mixed(chain, 300)
    await archive.append(size=70)
    await mixed(chain, 100)
    everything = await journal(redis, keys)
    await archive.append()
    await archive.trim(50)
    replica = await start(ring_events=20, archive_url=archive.url)
    topics = [part.split("=")[1] for part in query.split("&")]
    topics = ["*" if t == "true" else f"user:{t}" if t[0] == "G" else t for t in topics]
    expected = for_topics(everything, topics)
    asked = ["0-0", everything[0].position, everything[210].position, everything[349].position]
    for since in asked:
        client = await replica.subscribe(query, since=since)
        clients.append(client)
    expected.append(await live_event(chain))
    for client, since in zip(clients, asked, strict=True):
        await client.wait_id(expected[-1])
        missed = [p for p in expected if since == "0-0" or int(p[:-2]) > int(since[:-2])]
        assert client.positions == missed
        assert client.named("gap") == client.named("reset") == []


async def live_event(chain: Chain) -> str:
    (position,) = await chain.commit(chain.broadcast())
    return position


async def test_only_what_neither_has_is_a_gap(
    start: StartReplica, chain: Chain, archive: JournalArchive, clients: list[SseClient]
) -> None:
    first = await chain.commit_many(10)
    await archive.append()
    lost = await chain.commit_many(10)
    await archive.trim(1)  # before the archiver has them
    kept = [lost[-1], *await chain.commit_many(5)]
    await archive.append()
    later = await chain.commit_many(30)
    await archive.append()
    await archive.trim(10)
    replica = await start(ring_events=3, archive_url=archive.url)
    for query in ("all=true", "streams=7"):
        client = await replica.subscribe(query, since=first[3])
        clients.append(client)
        await client.wait_id(later[-1])
        assert client.positions == [*first[4:], *kept, *later]
        (gap,) = client.named("gap")
        assert (gap.json["from"], gap.json["to"]) == (first[-1], lost[-2])


async def test_events_that_were_archived_after_the_last_look_are_no_gap(
    start: StartReplica, chain: Chain, archive: JournalArchive, clients: list[SseClient]
) -> None:
    """The reader looks for new segments only every two seconds."""
    positions = await chain.commit_many(20)
    await archive.append()
    await archive.trim(10)
    replica = await start(ring_events=3, archive_url=archive.url)
    for _ in range(2):
        client = await replica.subscribe("streams=7", since=positions[0])
        clients.append(client)
        await client.wait_id(positions[-1])
        assert client.positions == positions[1:]
        positions += await chain.commit_many(30)
        await archive.append()
        await archive.trim(10)
        await replica.at(positions[-1])


async def test_a_long_resume_continues_on_the_next_connection(
    start: StartReplica, chain: Chain, archive: JournalArchive, clients: list[SseClient]
) -> None:
    """At REPLAY_EVENTS the connection ends with the position to continue from, not with a gap."""
    positions = await chain.commit_many(260)
    rare = await chain.commit(chain.fee(), chain.fee())
    await archive.append()
    await archive.trim(5)
    replica = await start(ring_events=1, archive_url=archive.url, replay_events=100, retry_ms=100)
    for query, expected in (
        ("all=true", [*positions, *rare]),
        ("all=true&types=stream.fee_collected", rare),
    ):
        since, got, connections = "0-0", list[str](), 0
        while rare[-1] not in got:
            client = await replica.subscribe(query, since=since)
            clients.append(client)
            connections += 1
            if connections < 3:
                (goodbye,) = await client.wait(1, "goodbye")
                assert goodbye.json["reason"] == "resume_limit"
            else:
                await client.wait_id(rare[-1])
            got, since = got + client.positions, client.last_id
            assert client.named("gap") == []
        assert got == expected
        assert connections == 3
    assert await replica.metric("replays_total", outcome="limit") >= 4


async def test_an_archive_that_cannot_be_read_is_an_overload(
    start: StartReplica, chain: Chain, archive: JournalArchive, clients: list[SseClient]
) -> None:
    positions = await chain.commit_many(50)
    await archive.append()
    await archive.trim(10)
    replica = await start(ring_events=3, archive_url=archive.url)
    away = archive.folder.rename(archive.folder.with_name("away"))
    archive.folder.write_text("a file where the folder was")
    client = await replica.subscribe("all=true", since=positions[3])
    clients.append(client)
    (overload,) = await client.wait(1, "overload")
    assert overload.json["retry"] >= 1000
    assert client.named("gap") == []
    archive.folder.unlink()
    shutil.move(away, archive.folder)
    client = await replica.subscribe("all=true", since=client.last_id)
    clients.append(client)
    await client.wait_id(positions[-1])
    assert client.positions == positions[4:]
    recent = await replica.subscribe("all=true", since=positions[-2])
    clients.append(recent)
    await recent.wait_id(positions[-1])


@pytest.mark.parametrize("is_away", [False, True])
async def test_a_feed_that_is_behind_the_journals_start_reads_the_archive(
    start_behind_proxy: StartReplica,
    chain: Chain,
    archive: JournalArchive,
    proxy: TcpProxy,
    clients: list[SseClient],
    *,
    is_away: bool,
) -> None:
    """If the archive is away, live events go on after a gap."""
    (first,) = await chain.commit()
    replica = await start_behind_proxy(ring_events=3, archive_url=archive.url)
    await replica.at(first)
    client = await replica.subscribe("all=true")
    clients.append(client)
    proxy.refusing = True
    proxy.cut()
    positions = await chain.commit_many(40)
    await archive.append()
    await archive.trim(5)
    if is_away:
        archive.folder.rename(archive.folder.with_name("away"))
        archive.folder.write_text("a file where the folder was")
    proxy.refusing = False
    positions += await chain.commit_many(3)
    await client.wait_id(positions[-1])
    gaps = [(gap.json["from"], gap.json["to"]) for gap in client.named("gap")]
    assert gaps == ([(first, positions[34])] if is_away else [])
    assert client.positions == (positions[35:] if is_away else positions)
