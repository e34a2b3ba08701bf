"""The main promise: every client receives exactly the ledger's events, whatever is killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.simulator.chain import accounts
from shared.domain.position import parse_position
from tests.support.installation import Client, Installation, create_stream, installation
from tests.support.waiting import until

pytestmark = [pytest.mark.io, pytest.mark.timeout(240)]


async def oracle(whole: Installation) -> list[dict[str, Any]]:
    """All events of the stream contract in the ledger, in order."""
    _, answer = await whole.get(whole.ports.network, "/sim/events")
    return [e for e in answer["events"] if e["contractId"] == accounts.STREAMS]


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(map(str.capitalize, rest))


def agrees(event: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Whether a received event equals the ledger's: position, provenance and every field."""
    facts = {camel(k): str(v) for k, v in expected["data"].items() if k != "stream_id"}
    return (
        event["id"] == expected["id"]
        and event["txHash"] == expected["txHash"]
        and event["ledger"] == expected["ledger"]
        and event["ledgerClosedAt"] == expected["closedAt"]
        and event["verified"] is True
        and event["streamId"] == expected["streamId"]
        and {k: str(event.get(k)) for k in facts} == facts
    )


def parties(event: dict[str, Any]) -> set[str]:
    """The parties of the event and of the stream after it."""
    return {
        account
        for source in (event, event.get("stream") or {})
        for account in (source.get("sender"), source.get("recipient"))
        if account
    }


def after(ids: list[str], position: str | None) -> list[str]:
    """The ids above a position."""
    assert position is not None
    return [i for i in ids if parse_position(i) > parse_position(position)]


async def test_clients_receive_every_event_although_the_indexer_is_killed(
    tmp_path: Path,
) -> None:
    async with installation(tmp_path, CLOSE_SECONDS="0.2") as whole:
        gateway, (first, second) = whole.ports.gateway, whole.ports.fanouts
        alice = accounts.address("alice")
        everything = Client(whole, "all=true", gateway)
        restless = Client(whole, "all=true", first, second)
        hers = Client(whole, f"users={alice}", first)
        two = Client(whole, "streams=1&streams=2", second)
        await until(lambda: len(restless.events) > 10, what="the first events")

        for round_ in (1, 2, 3):
            whole.kill("indexer")
            count = len(await oracle(whole))
            await restless.cut()
            more_events = count + 8
            await until(lambda n=more_events: _longer(whole, n), what="ledgers meanwhile")
            whole.start("indexer")
            seen = len(restless.events)
            await until(
                lambda n=seen: len(restless.events) > n + 5,
                seconds=60,
                what=f"events after {round_}",
            )
        made = await create_stream(whole.session, whole.url(whole.ports.gateway))

        held_events = await oracle(whole)
        last = held_events[-1]["id"]
        for client in (everything, restless):
            await until(lambda c=client: last in c.ids, what="the ledger's last event")
            await until(lambda c=client: [e for e in c.events if e["streamId"] == made["id"]])
        for client in (everything, restless, hers, two):
            await client.close()

    for client in (restless, everything):
        chain = [e for e in client.events if e["origin"] == "chain"]
        chain = chain[: [e["id"] for e in chain].index(last) + 1]
        by_id = {e["id"]: e for e in held_events}
        assert [e["id"] for e in chain] == after(list(by_id), client.began)
        assert all(agrees(event, by_id[event["id"]]) for event in chain)
        assert len(set(client.ids)) == len(client.ids)
    assert restless.connections >= 4

    created = next(e for e in everything.events if e["streamId"] == made["id"])
    assert created["type"] == "stream.created"
    assert created["origin"] == "api"
    assert created["stream"] == made

    by_id = {e["id"]: e for e in restless.events}
    for client, wanted in (
        (hers, lambda e: alice in parties(e) or e["streamId"] is None),
        (two, lambda e: e["streamId"] in ("1", "2", None)),
    ):
        mine = [i for i in client.ids if i in by_id]
        span = after(list(by_id), client.began)
        assert mine == [i for i in span[: span.index(mine[-1]) + 1] if wanted(by_id[i])]


async def _longer(whole: Installation, count: int) -> bool:
    return len(await oracle(whole)) >= count


async def test_a_client_that_reconnects_receives_exactly_what_it_missed(tmp_path: Path) -> None:
    async with installation(tmp_path, CLOSE_SECONDS="0.2") as whole:
        witness = Client(whole, "all=true", whole.ports.gateway)
        await until(lambda: witness.events)  # so that it misses nothing that the client gets
        client = Client(whole, "all=true", whole.ports.gateway)
        await until(lambda: len(client.events) >= 5)
        await client.close()
        left = client.ids[-1]
        await until(lambda: left in witness.ids and witness.ids.index(left) + 15 < len(witness.ids))
        await client.cut()
        target = witness.ids[-1]
        await until(lambda: target in client.ids)
        await client.close()
        await witness.close()
    missed = after(witness.ids, client.began)
    assert client.ids[: client.ids.index(target) + 1] == missed[: missed.index(target) + 1]
    assert len(set(client.ids)) == len(client.ids)
