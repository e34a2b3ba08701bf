"""Acceptance: what a stranger makes is apart from what the recipient has accepted."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from redis.asyncio import Redis
from stellar_sdk import Keypair

from shared.domain.events import Event, EventType, Provenance
from shared.domain.position import Position, toid
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.streams import StoredStreams
from tests.api.auth.samples import ALICE, BOB, bearer, token_of
from tests.api.samples import RECIPIENT, SENDER, T0, TOKEN, Clock, made, on_chain, order
from tests.shared.journal.audit import check
from tests.support.web_client import StartApi, WebClient

OTHER = Keypair.random().public_key


async def answer(client: WebClient, stream_id: str, name: str, **more: Any) -> dict[str, Any]:
    response = await client.post(f"/v1/streams/{stream_id}/{name}", **more)
    document: dict[str, Any] = await response.json()
    assert response.status == 200, document
    return document


async def listed(client: WebClient, **query: str) -> list[tuple[str, str]]:
    page = await (await client.get("/v1/streams", params=query)).json()
    assert page["total"] in (None, len(page["items"]))
    return sorted((each["id"], each["acceptance"]) for each in page["items"])


async def test_a_new_stream_waits_for_its_recipient(client: WebClient) -> None:
    assert (await made(client))["acceptance"] == "pending"
    assert (await made(client, recipient=SENDER))["acceptance"] == "accepted"


async def test_the_recipient_accepts_and_hides_and_each_change_is_one_event(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    one = (await made(client))["id"]
    for name, acceptance in (("accept", "accepted"), ("hide", "hidden"), ("accept", "accepted")):
        first, again = [await answer(client, one, name) for _ in range(2)]
        assert first["acceptance"] == acceptance
        assert (again["version"], again["position"]) == (first["version"], first["position"])
        assert await (await client.get(f"/v1/streams/{one}")).json() == again
    events = (await (await client.get(f"/v1/streams/{one}/events?order=asc")).json())["items"]
    assert [(each["type"], each["stream"]["acceptance"]) for each in events] == [
        ("stream.created", "pending"),
        ("stream.accepted", "accepted"),
        ("stream.hidden", "hidden"),
        ("stream.accepted", "accepted"),
    ]
    await check(redis, keys)


async def test_a_repeated_answer_with_its_key_gets_the_first_response(client: WebClient) -> None:
    one, key = (await made(client))["id"], {"Idempotency-Key": "a"}
    first = await answer(client, one, "hide", headers=key)
    assert await answer(client, one, "hide", headers=key) == first


async def test_an_ended_stream_can_still_be_hidden(client: WebClient) -> None:
    one = (await made(client))["id"]
    await client.delete(f"/v1/streams/{one}")
    assert (await answer(client, one, "hide"))["acceptance"] == "hidden"


async def test_a_withdrawal_accepts_the_stream(client: WebClient, clock: Clock) -> None:
    one = (await made(client))["id"]
    clock.now += 10
    assert (await answer(client, one, "withdraw"))["acceptance"] == "accepted"


async def test_a_stream_to_oneself_cannot_be_hidden(client: WebClient) -> None:
    one = (await made(client, recipient=SENDER))["id"]
    assert (await client.post(f"/v1/streams/{one}/hide")).status == 409


@pytest.mark.parametrize("name", ["accept", "hide"])
async def test_only_the_recipient_answers(secure: WebClient, name: str) -> None:
    a, b = (bearer(token_of(each.public_key, "streams:write")) for each in (ALICE, BOB))
    body = order(sender=ALICE.public_key, recipient=BOB.public_key)
    made = await (await secure.post("/v1/streams", json=body, headers=a)).json()
    path = f"/v1/streams/{made['id']}/{name}"
    assert (await secure.post(path, headers=a)).status == 403
    assert (await secure.post(path, headers=b)).status == 200


async def test_lists_keep_what_was_not_accepted_apart(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    await on_chain(redis, keys, 7)
    await on_chain(redis, keys, 8)
    kept, waits, gone = [(await made(client))["id"] for _ in range(3)]
    await answer(client, kept, "accept")
    await answer(client, gone, "hide")
    await answer(client, "8", "hide")
    accepted, pending = [("7", "accepted"), (kept, "accepted")], [(waits, "pending")]
    hidden = [("8", "hidden"), (gone, "hidden")]
    everything = sorted(accepted + pending + hidden)
    for own in ({"user": RECIPIENT}, {"recipient": RECIPIENT}):
        assert await listed(client, acceptance="accepted", **own) == accepted
        assert await listed(client, acceptance="pending", **own) == pending
        assert await listed(client, acceptance="hidden", **own) == hidden
        assert await listed(client, acceptance="hidden", origin="chain", **own) == hidden[:1]
        assert await listed(client, acceptance="hidden", sort="updated", **own) == hidden
    assert await listed(client, user=RECIPIENT) == accepted
    assert await listed(client, user=RECIPIENT, sort="updated") == accepted
    for query in ({"recipient": RECIPIENT}, {"user": SENDER}, {"sender": SENDER}, {}):
        assert await listed(client, **query) == everything, "marked, but not left out"
    both = {"sender": SENDER, "recipient": RECIPIENT}
    assert await listed(client, acceptance="pending", **both) == pending
    assert await listed(client, acceptance="pending", user=SENDER) == []


async def test_without_an_account_the_filter_finds_the_streams_of_all(client: WebClient) -> None:
    own, waits = (await made(client, recipient=SENDER))["id"], (await made(client))["id"]
    for query in ({"sender": SENDER}, {}, {"sender": SENDER, "status": "active"}):
        assert await listed(client, acceptance="pending", **query) == [(waits, "pending")]
        assert await listed(client, acceptance="accepted", **query) == [(own, "accepted")]
        assert await listed(client, acceptance="hidden", **query) == []


async def test_the_history_of_a_recipient_has_no_events_while_a_stream_is_hidden(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    one = (await made(client))["id"]
    await answer(client, one, "hide")
    await client.patch(f"/v1/streams/{one}", json={"metadata": {"label": "spam"}})
    await answer(client, one, "pause")
    await answer(client, one, "accept")
    await answer(client, one, "resume")
    histories = [
        (await (await client.get(f"/v1/events?users={who}&order=asc")).json())["items"]
        for who in (SENDER, RECIPIENT)
    ]
    of_sender, of_recipient = [
        [each["type"].removeprefix("stream.") for each in items] for items in histories
    ]
    assert of_sender == ["created", "hidden", "updated", "paused", "accepted", "resumed"]
    assert of_recipient == ["created", "hidden", "accepted", "resumed"]
    await check(redis, keys)


async def test_a_chain_stream_stays_hidden_until_it_has_a_new_recipient(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    await on_chain(redis, keys, 7)
    await answer(client, "7", "hide")
    source = Provenance(TOKEN, 8, "2026-07-21T18:01:15Z", "ab" * 32, True)
    facts: dict[str, object] = {"recipient": RECIPIENT, "amount": "10", "timestamp": T0 + 1}
    given: dict[str, object] = {"oldRecipient": RECIPIENT, "newRecipient": OTHER}
    steps: list[tuple[EventType, dict[str, object], str]] = [
        (EventType.STREAM_WITHDRAWN, facts, "hidden"),
        (EventType.STREAM_RECIPIENT_TRANSFERRED, given, "accepted"),
    ]
    for n, (kind, more, acceptance) in enumerate(steps):
        event = Event(kind, "7", T0 + 1, more, Position(toid(8, 1), n), source)
        await Committer(redis, keys).record([event], progress={})
        assert (await (await client.get("/v1/streams/7")).json())["acceptance"] == acceptance
    assert await listed(client, user=OTHER) == [("7", "accepted")]
    await check(redis, keys)


async def test_a_stream_that_an_earlier_version_stored_counts_as_accepted(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    one = (await made(client, recipient=SENDER))["id"]
    stored = orjson.loads(await redis.get(keys.stream(one)) or b"")
    del stored["acceptance"]
    await redis.set(keys.stream(one), orjson.dumps(stored))
    read = await (await client.get(f"/v1/streams/{one}")).json()
    assert read["acceptance"] == "accepted"
    assert await listed(client, user=SENDER) == [(one, "accepted")]
    assert (await StoredStreams(redis, keys).load([one]))[one] is not None


async def test_without_api_streams_none_is_made_but_old_ones_can_end(
    client: WebClient, start: StartApi
) -> None:
    one = (await made(client))["id"]
    off = await start(api_streams="off")
    response = await off.post("/v1/streams", json=order())
    problem = await response.json()
    assert (response.status, problem["type"]) == (404, "/problems/not-found")
    assert "API_STREAMS=off" in problem["detail"]
    assert (await off.get(f"/v1/streams/{one}")).status == 200
    assert (await off.post(f"/v1/streams/{one}/accept")).status == 200
    assert (await off.delete(f"/v1/streams/{one}")).status == 200
    assert [(await (await each.get("/")).json())["apiStreams"] for each in (client, off)] == [
        True,
        False,
    ]
