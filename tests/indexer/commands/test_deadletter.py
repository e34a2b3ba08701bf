"""The command `deadletter`: list, retry and drop events that could not be decoded."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from deploy.simulator.chain.operations import Operation, Proposal
from services.indexer.commands.deadletter import arguments
from shared.chain.decode.contracts import WatchedContracts
from shared.chain.decode.dead_letters import StillUndecodableError, reread
from shared.chain.decode.records import HorizonTransaction
from shared.chain.decode.transactions import dead_letter, decode_transaction
from shared.domain.events import Event, EventType
from shared.domain.position import Position
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from tests.indexer.handmade import (
    DEEP,
    NOW,
    WATCHED,
    created,
    event,
    fields,
    meta_v4,
    proof,
    proven,
    record,
    result,
    withdrawn,
)
from tests.indexer.ingest.test_ingest import Bench
from tests.indexer.installed import Site
from tests.indexer.simulated import journal, simulated

pytestmark = pytest.mark.timeout(60)

OURS = WatchedContracts.of(WATCHED.address)


@pytest.fixture
async def site(redis: Redis, redis_url: str, keys: Keys) -> AsyncIterator[Site]:
    async with simulated(ledgers=1) as sim:
        yield Site(sim, redis, redis_url, keys)


async def put(site: Site, *letters: dict[str, object]) -> list[str]:
    entries: list[Any] = [
        await site.redis.xadd(site.keys.dead_letters, {"letter": orjson.dumps(letter)})
        for letter in letters
    ]
    return [entry.decode() for entry in entries]


def of_event(raw: bytes, order: int = 1) -> dict[str, object]:
    """The letter of one event, the second of its transaction, as an older decoder wrote it."""
    transaction = proven(created(), event("stream_paused", 7, DEEP), order=order)
    [letter] = decode_transaction(transaction, OURS).dead
    return letter | {"xdr": base64.b64encode(raw).decode()}


def of_meta(transaction: HorizonTransaction) -> dict[str, object]:
    return dead_letter(transaction, "unknown type 99", transaction.meta or b"")


async def streams(site: Site, *transactions: HorizonTransaction) -> None:
    events = [event for each in transactions for event in decode_transaction(each, OURS).events]
    await Committer(site.redis, site.keys).record(events, progress={"cursor": "1"})


async def letters(site: Site) -> list[Any]:
    return (await site.command("deadletter", "list"))[1]


async def test_list_prints_each_letter(site: Site) -> None:
    assert await site.command("deadletter", "list") == (0, [], "")
    transaction = proven(created(), order=2)
    ids = await put(site, of_event(withdrawn()), of_meta(transaction))
    first, second = await letters(site)
    assert first == {
        "id": ids[0],
        "kind": "event",
        "position": f"{proven().toid}-1",
        "ledger": 1000,
        "txHash": proven().hash,
        "contractId": WATCHED.address,
        "why": first["why"],
    }
    assert (second["kind"], second["position"]) == ("meta", f"{transaction.toid}-0")
    assert (second["txHash"], second["why"]) == (transaction.hash, "unknown type 99")


async def test_an_event_that_can_be_decoded_now_is_committed_if_its_position_is_free(
    site: Site,
) -> None:
    await streams(site, proven(created()))
    await put(site, of_event(withdrawn(1100)))
    code, [line], stderr = await site.command("deadletter", "retry")
    assert (code, stderr) == (0, "1 done, 0 dead letters remain\n")
    assert f"committed {proven().toid}-1 (stream.withdrawn)" in line
    assert await letters(site) == []
    [_, entry] = await journal(site.redis, site.keys)
    body = orjson.loads(entry.body)
    assert (body["txHash"], body["verified"], body["amount"]) == (proven().hash, True, "1100")
    assert body["ledgerClosedAt"] == proven().closed_at
    assert body["stream"]["withdrawnAmount"] == "1100"
    assert await site.redis.hget(site.keys.progress, "cursor") == b"1"


async def test_a_whole_meta_is_decoded_again_with_its_proof(site: Site) -> None:
    await put(site, of_meta(proven(created(), withdrawn())))
    code, [line], _ = await site.command("deadletter", "retry")
    assert code == 0
    assert line.endswith(
        f"{proven().toid}-0 (stream.created), {proven().toid}-1 (stream.withdrawn)"
    )
    bodies = [orjson.loads(e.body) for e in await journal(site.redis, site.keys)]
    assert [body["verified"] for body in bodies] == [True, True]


async def test_an_undecodable_event_of_a_retried_meta_becomes_a_new_letter(site: Site) -> None:
    await put(site, of_meta(proven(created(), event("stream_paused", 7, DEEP))))
    code, [line], stderr = await site.command("deadletter", "retry")
    assert (code, stderr) == (0, "1 done, 1 dead letters remain\n")
    assert "1 of its events became new dead letters" in line
    [letter] = await letters(site)
    assert (letter["kind"], letter["position"]) == ("event", f"{proven().toid}-1")


async def test_an_event_below_the_top_stays_a_letter_and_the_reason_is_printed(site: Site) -> None:
    await streams(site, proven(created()), proven(withdrawn(5), order=2))
    before = await journal(site.redis, site.keys)
    [entry] = await put(site, of_event(withdrawn()))
    code, [line], stderr = await site.command("deadletter", "retry")
    assert (code, stderr) == (1, "0 done, 1 dead letters remain\n")
    assert line.startswith(f"{entry}: {proven().toid}-1 (stream.withdrawn) can be decoded now, but")
    assert "cannot insert earlier ones" in line
    assert await journal(site.redis, site.keys) == before
    assert len(await letters(site)) == 1


async def test_an_event_in_the_trimmed_part_stays_a_letter(site: Site) -> None:
    await streams(site, proven(created()), *(proven(withdrawn(5), order=n) for n in (2, 3)))
    [first, second, _] = await journal(site.redis, site.keys)
    await site.redis.xdel(site.keys.journal, first.position, second.position)
    await put(site, of_event(withdrawn()))
    code, [line], _ = await site.command("deadletter", "retry")
    assert code == 1
    assert "cannot insert earlier ones" in line


async def test_an_event_of_the_api_does_not_occupy_the_position(site: Site) -> None:
    await streams(site, proven(created()))
    committer = Committer(site.redis, site.keys)
    note = Event(EventType.STREAM_UPDATED, "7", NOW, {"metadata": {}})
    await committer.change(["7"], lambda _: [note])
    await put(site, of_event(withdrawn(), order=2))
    assert (await site.command("deadletter", "retry")).code == 0
    assert len(await journal(site.redis, site.keys)) == 3


async def test_a_letter_whose_event_is_in_the_journal_is_done(site: Site) -> None:
    await streams(site, proven(created(), withdrawn()), proven(withdrawn(5), order=2))
    await put(site, of_event(withdrawn()), of_meta(proven(created(), withdrawn())))
    code, lines, _ = await site.command("deadletter", "retry")
    assert code == 0
    assert [line.partition(": ")[2] for line in lines] == [
        "1 event(s) already in the journal",
        "2 event(s) already in the journal",
    ]
    assert await letters(site) == []


FORGED = record(meta_v4([withdrawn(1)]), result(proof([withdrawn(2)])))
STILL: dict[str, tuple[dict[str, object], str]] = {
    "not decodable": (of_event(event("stream_paused", 7, DEEP)), "nested more than"),
    "without what it needs": (of_event(event("tokens_withdrawn", 7, fields())), "tokens_withdrawn"),
    "of another contract": (of_event(b"\0" * 8 + withdrawn()[8:]), "CONTRACTS does not contain"),
    "a meta not decodable": (
        of_meta(record(b"\0\0\0\x09", result(proof([])))),
        "unknown version 9",
    ),
    "without proof": (of_meta(FORGED), "do not match the hash in its result"),
    "no base64": (of_event(b"") | {"xdr": "?"}, "base64"),
    "of an older version": (
        {"position": None, "ledger": 1, "why": "x", "xdr": ""},
        "missing or wrong",
    ),
}


@pytest.mark.parametrize("name", STILL)
async def test_a_letter_that_still_cannot_be_decoded_stays(site: Site, name: str) -> None:
    letter, word = STILL[name]
    await put(site, letter)
    code, [line], _ = await site.command("deadletter", "retry")
    assert code == 1
    assert "still undecodable: " in line
    assert word in line
    assert len(await letters(site)) == 1
    assert not await site.redis.exists(site.keys.journal)


def test_a_meta_without_a_watched_contract_is_refused() -> None:
    with pytest.raises(StillUndecodableError, match="touches none of the contracts"):
        reread(of_meta(proven(created())) | {"envelope": ""}, OURS)


async def test_letters_are_retried_or_dropped_by_id(site: Site) -> None:
    ids = await put(site, *(of_event(withdrawn(), order=n) for n in (1, 2, 3)))
    code, lines, _ = await site.command("deadletter", "drop", ids[1])
    assert (code, lines) == (0, [f"{ids[1]}: dropped"])
    code, _, stderr = await site.command("deadletter", "drop", ids[1], ids[0])
    assert code == 1
    assert f"{ids[1]}: no such dead letter" in stderr
    assert [each["id"] for each in await letters(site)] == [ids[2]]
    assert (await site.command("deadletter", "retry", ids[2])).code == 0
    await put(site, of_event(withdrawn()), of_event(withdrawn(), order=9))
    code, lines, stderr = await site.command("deadletter", "drop", "--all")
    assert (code, len(lines), stderr) == (0, 2, "2 done, 0 dead letters remain\n")


@pytest.mark.parametrize("words", [["drop"], ["drop", "--all", "1-1"], [], ["forget"]])
def test_wrong_arguments_exit_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        arguments(words)
    assert "python -m services.indexer deadletter" in capsys.readouterr().err


async def test_the_command_as_a_process_on_a_letter_of_the_indexer(site: Site) -> None:
    site.sim.network.submit(Proposal(operations=(Operation(op="emit"),), future="unknown_type"))
    site.sim.close()
    bench = Bench(site.sim, site.redis, site.keys)
    async with bench.running():
        await bench.caught_up()
    code, [letter], stderr = await site.process("deadletter", "list")
    assert (code, stderr, letter["kind"]) == (0, "", "meta")
    assert letter["position"] == str(
        Position(site.sim.network.chain.latest.transactions[0].toid, 0)
    )
    code, [line], _ = await site.process("deadletter", "retry", letter["id"])
    assert (code, "unknown type 99" in line) == (1, True)
    assert (await site.process("deadletter", "drop", "--all")).code == 0
    assert (await site.process("deadletter", "--help")).code == 0
