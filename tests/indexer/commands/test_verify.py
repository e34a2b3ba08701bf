"""The command `verify`: unaltered journals and streams are equal, altered ones are reported."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from deploy.simulator.chain.operations import Operation, Proposal
from services.indexer.commands.verify import arguments
from shared.domain.events import Event, EventType
from shared.domain.position import parse_position
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from tests.indexer.commands.verifying import FIRST, index, rewrite, thirty_ledgers
from tests.indexer.installed import Site
from tests.indexer.simulated import journal

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def site(redis: Redis, redis_url: str, keys: Keys) -> AsyncIterator[Site]:
    async with thirty_ledgers(redis, redis_url, keys) as site:
        yield site


async def verify(site: Site, first: int = FIRST, last: int = FIRST + 29, **env: object) -> Any:
    code, lines, stderr = await site.command("verify", "--from", first, "--to", last, **env)
    assert code == (1 if lines else 0), stderr
    return lines, stderr


@pytest.mark.parametrize("source", ["horizon", "rpc", "auto"])
async def test_an_unaltered_journal_is_all_equal(site: Site, source: str) -> None:
    lines, text = await verify(site, SOURCE=source)
    assert lines == []
    total = len([p for p in site.sim.positions() if parse_position(p).ledger <= FIRST + 29])
    streams = len(await site.redis.keys(site.keys.stream("*")))
    assert text.startswith(f"{total} events and {streams} streams of ledgers {FIRST} to")
    assert "all equal" in text
    assert (await verify(site, FIRST + 11, FIRST + 17, SOURCE=source))[0] == []


@pytest.mark.parametrize("source", ["horizon", "rpc"])
async def test_a_deleted_entry_is_reported(site: Site, source: str) -> None:
    entries = await journal(site.redis, site.keys)
    before, gone, after = entries[20:23]
    await site.redis.xdel(site.keys.journal, gone.position)
    lines, text = await verify(site, SOURCE=source)
    missing, order = sorted(lines, key=lambda each: each["what"])
    assert (missing["where"], missing["what"]) == (gone.position, "missing")
    expected = orjson.loads(gone.body)
    del expected["publishedAt"]
    assert missing["expected"] == expected
    assert order == {
        "where": after.position,
        "what": "order",
        "expected": before.position,
        "found": gone.position,
    }
    assert "2 differences" in text


ALTERATIONS: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "an amount": ("b", lambda b: b.replace(b'"amount":"', b'"amount":"1', 1), "amount"),
    "the state": ("b", lambda b: b.replace(b'"version":', b'"version":9', 1), "stream.version"),
    "the hash": ("b", lambda b: b.replace(b'"txHash":"', b'"txHash":"0', 1), "txHash"),
    "a field more": ("b", lambda b: b[:-1] + b',"more":1}', "more"),
    "the proof": ("b", lambda b: b.replace(b'"verified":true', b'"verified":false'), "verified"),
    "its topics": ("h", lambda h: h + b" user:GNOBODY", "head"),
    "its type": ("h", lambda h: h.replace(b"stream.withdrawn", b"stream.paused"), "head"),
    "what precedes it": ("p", lambda p: b"1-1", "order"),
}


@pytest.mark.parametrize("name", ALTERATIONS)
async def test_an_altered_entry_is_reported(site: Site, name: str) -> None:
    at, change, field = ALTERATIONS[name]
    entries = await journal(site.redis, site.keys)
    victim = next(e for e in entries[10:] if e.type == EventType.STREAM_WITHDRAWN)
    await rewrite(site, victim.position, change, at)
    lines, _ = await verify(site)
    assert {each["where"] for each in lines} >= {victim.position}
    found = [each for each in lines if each["where"] == victim.position]
    assert [each["what"] for each in found] == [field]
    assert found[0]["expected"] != found[0]["found"]
    # Its stored document is compared with the altered event in the journal.
    assert all(each["where"].startswith("stream ") for each in lines if each not in found)


async def test_an_extra_entry_is_reported(site: Site) -> None:
    [*_, last] = await journal(site.redis, site.keys)
    head, _, n = last.position.partition("-")
    forged = f"{head}-{int(n) + 1}"
    body = last.body.replace(last.position.encode(), forged.encode())
    fields: Any = {"p": last.position, "h": " ".join((last.type, *last.topics)), "b": body}
    await site.redis.xadd(site.keys.journal, fields, id=forged)
    ledger = parse_position(last.position).ledger
    site.sim.close(2)
    await index(site)
    lines, _ = await verify(site, FIRST, ledger)
    assert (forged, "extra") in [(each["where"], each["what"]) for each in lines]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda d: d.replace(b'"depositedAmount":"', b'"depositedAmount":"7'), "depositedAmount"),
        (lambda d: d.replace(b'"status":"', b'"status":"un'), "status"),
        (None, "missing"),
    ],
)
@pytest.mark.parametrize("span", [(FIRST, FIRST + 29), (FIRST, FIRST + 8)])
async def test_an_altered_stored_stream_is_reported(
    site: Site, change: Callable[[bytes], bytes] | None, what: str, span: tuple[int, int]
) -> None:
    key = site.keys.stream("1")
    if change:
        stored: Any = await site.redis.get(key)
        await site.redis.set(key, change(stored))
    else:
        await site.redis.delete(key)
    lines, _ = await verify(site, *span)
    assert [(each["where"], each["what"]) for each in lines] == [("stream 1", what)]


async def test_events_of_the_api_are_applied_too(site: Site) -> None:
    committer = Committer(site.redis, site.keys)
    label = {"metadata": {"label": "rent"}}
    for _ in range(2):
        notes = [Event(EventType.STREAM_UPDATED, "2", 1_770_000_300, label)]
        await committer.change(["2"], partial(lambda notes, _: notes, notes))
        site.sim.close(4)
        await index(site)
    tip = site.sim.network.chain.latest.sequence
    assert (await verify(site, FIRST, tip - 1))[0] == []
    [note, *_] = [e for e in await journal(site.redis, site.keys) if e.type == "stream.updated"]
    await rewrite(
        site, note.position, lambda b: b.replace(b'"metadata":{', b'"metadata":{"a":1,', 1)
    )
    lines, _ = await verify(site, FIRST, tip - 1)
    assert [(each["where"], each["what"]) for each in lines][:1] == [
        (note.position, "stream.metadata")
    ]


async def test_a_trimmed_journal_is_compared_from_its_first_entry(site: Site) -> None:
    entries = await journal(site.redis, site.keys)
    kept = entries[-25:]
    for gone in entries[:-25]:  # trimmed as the commit does it
        for topic in gone.topics or ("",):
            member = parse_position(gone.position).padded
            await site.redis.zrem(site.keys.topic(topic), member)
        await site.redis.xdel(site.keys.journal, gone.position)
    lines, text = await verify(site)
    assert lines == []
    assert f"{len(entries) - 25} events are older than the journal" in text
    await site.redis.xdel(site.keys.journal, kept[10].position)
    lines, _ = await verify(site)
    assert kept[10].position in [each["where"] for each in lines if each["what"] == "missing"]


async def test_damage_in_transit_is_read_again_and_a_failed_source_is_reported(site: Site) -> None:
    await site.sim.arm("corrupt_meta", times=1)
    await site.sim.arm("cut", after=3)
    assert (await verify(site))[0] == []
    await site.sim.arm("503", surface="*", times=1_000_000)
    code, lines, text = await site.command("verify", "--from", FIRST, "--to", FIRST + 3)
    assert (code, lines) == (2, [])
    assert "the source failed: status_503" in text


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        (FIRST, FIRST + 40, f"has only read up to ledger {FIRST + 29}"),
        (1, FIRST, f"horizon has ledgers {FIRST} to {FIRST + 30}, not 1 to {FIRST}"),
    ],
)
async def test_ledgers_that_cannot_be_compared_exit_with_2(
    site: Site, first: int, last: int, text: str
) -> None:
    code, lines, stderr = await site.command("verify", "--from", first, "--to", last)
    assert (code, lines) == (2, [])
    assert text in stderr


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [(9, 5, "--from L must not be above --to M"), ("x", 5, "'x' is not a"), (0, 1, "'0' is")],
)
def test_wrong_arguments_exit_with_2(
    first: object, last: object, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        arguments(["--from", str(first), "--to", str(last)])
    assert text in capsys.readouterr().err


async def test_the_command_as_a_process(site: Site) -> None:
    range_ = ("verify", "--from", FIRST, "--to", FIRST + 3)
    code, lines, stderr = await site.process(*range_)
    assert (code, lines) == (0, [])
    assert "all equal" in stderr
    code, lines, stderr = await site.process(*range_, REDIS_URL="redis://127.0.0.1:1/0")
    assert (code, lines) == (2, [])
    assert "Redis does not answer" in stderr
    assert len(stderr.splitlines()) == 1


async def test_an_event_that_became_decodable_is_reported_as_missing(site: Site) -> None:
    """The event was a dead letter; today it can be decoded, but the journal does not have it."""
    site.sim.network.submit(Proposal(operations=(Operation(op="emit"),)))
    site.sim.close(2)
    ledger = site.sim.network.chain.latest.sequence - 1
    lost = [p for p in site.sim.positions() if parse_position(p).ledger == ledger]
    await site.redis.hset(site.keys.progress, "cursor", str(site.sim.tip))
    lines, _ = await verify(site, ledger, ledger)
    assert [each["where"] for each in lines if each["what"] == "missing"] == lost
