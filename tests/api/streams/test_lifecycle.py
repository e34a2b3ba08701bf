"""Actions on streams: allowed, not allowed, and concurrent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from shared.journal.commit import Committer
from shared.journal.commit_errors import ContentionError, JournalBehindError
from shared.journal.keys import Keys
from tests.api.samples import T0, TOKEN, Clock, made, on_chain, order
from tests.support.web_client import StartApi, WebClient


async def step(client: WebClient, stream_id: str, name: str, status: int = 200, **more: Any) -> Any:
    response = await client.post(f"/v1/streams/{stream_id}/{name}", **more)
    document = await response.json(content_type=None)
    assert response.status == status, document
    if status == 200:
        assert response.headers["ETag"] == f'"{document["version"]}"'
    return document


async def test_a_stream_from_creation_to_cancellation(client: WebClient, clock: Clock) -> None:
    stream_id = (await made(client))["id"]
    clock.now = T0 + 30
    document = await step(client, stream_id, "withdraw")
    assert (document["withdrawnAmount"], document["lastUpdateTime"]) == ("300", T0 + 30)
    document = await step(client, stream_id, "top-up", json={"amount": "500"})
    assert (document["depositedAmount"], document["endTime"]) == ("1500", T0 + 150)
    clock.now = T0 + 40
    assert (await step(client, stream_id, "pause"))["pausedAt"] == T0 + 40
    clock.now = T0 + 90
    document = await step(client, stream_id, "resume")
    assert (document["status"], document["endTime"]) == ("active", T0 + 200)
    clock.now = T0 + 100
    document = await step(client, stream_id, "cancel")
    assert document["status"] == "cancelled"
    assert (document["withdrawnAmount"], document["refundedAmount"]) == ("500", "1000")
    assert document["version"] == 6
    assert document == await (await client.get(f"/v1/streams/{stream_id}")).json()


async def test_the_last_withdrawal_completes_the_stream(client: WebClient, clock: Clock) -> None:
    stream_id = (await made(client))["id"]
    clock.now += 1000
    document = await step(client, stream_id, "withdraw")
    assert (document["status"], document["version"]) == ("completed", 3)
    assert document == await (await client.get(f"/v1/streams/{stream_id}")).json()


async def test_delete_cancels_the_stream(client: WebClient) -> None:
    stream_id = (await made(client))["id"]
    response = await client.delete(f"/streams/{stream_id}")
    assert (response.status, (await response.json())["status"]) == (200, "cancelled")


@pytest.mark.parametrize(
    ("before", "name", "message"),
    [
        ((), "withdraw", "nothing to withdraw"),
        ((), "resume", "not paused"),
        (("pause",), "pause", "already paused"),
        (("pause",), "withdraw", "is paused"),
        (("cancel",), "withdraw", "is cancelled"),
        (("cancel",), "pause", "is cancelled"),
        (("cancel",), "resume", "is cancelled"),
        (("cancel",), "cancel", "is cancelled"),
    ],
)
async def test_actions_that_the_rules_do_not_allow(
    client: WebClient, before: tuple[str, ...], name: str, message: str
) -> None:
    stream_id = (await made(client))["id"]
    for earlier in before:
        await step(client, stream_id, earlier)
    document = await step(client, stream_id, name, 409)
    assert document["type"] == "/problems/refused"
    assert message in document["detail"]


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("top-up", "top_up_stream"),
        ("withdraw", "withdraw"),
        ("pause", "pause_stream"),
        ("resume", "resume_stream"),
        ("cancel", "cancel_stream"),
    ],
)
async def test_the_api_does_not_move_money_of_a_chain_stream(
    client: WebClient, redis: Redis, keys: Keys, name: str, function: str
) -> None:
    await on_chain(redis, keys, 7)
    body = {"json": {"amount": "1"}} if name == "top-up" else {}
    document = await step(client, "7", name, 409, **body)
    assert document["type"] == "/problems/chain-owned"
    assert document["call"] == {"contractId": TOKEN, "function": function}
    assert function in document["detail"]
    assert TOKEN in document["detail"]


async def test_metadata_of_a_chain_stream_can_change(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    await on_chain(redis, keys, 7)
    response = await client.patch("/v1/streams/7", json={"metadata": {"label": "Rent"}})
    document = await response.json()
    assert (response.status, document["metadata"]) == (200, {"label": "Rent"})
    assert (document["origin"], document["version"]) == ("chain", 2)


async def test_patch_replaces_the_metadata(client: WebClient) -> None:
    stream_id = (await made(client, metadata={"label": "a", "note": "b"}))["id"]
    url = f"/v1/streams/{stream_id}"
    assert (await (await client.patch(url, json={"metadata": {"label": "c"}})).json())[
        "metadata"
    ] == {"label": "c"}
    for body in ({}, {"metadata": None}, {"metadata": {}, "status": "paused"}):
        assert (await client.patch(url, json=body)).status == 422


async def test_calls_without_a_body_accept_an_empty_object(client: WebClient) -> None:
    stream_id = (await made(client))["id"]
    await step(client, stream_id, "pause", json={})
    await step(client, stream_id, "resume", data=b"")
    document = await step(client, stream_id, "cancel", 422, json={"amount": "5"})
    assert document["errors"][0]["pointer"] == "/amount"
    await step(client, stream_id, "cancel", 415, data=b"now")


async def test_a_top_up_needs_a_valid_amount(client: WebClient) -> None:
    stream_id = (await made(client))["id"]
    for body in ({}, {"amount": 5}, {"amount": "0"}):
        document = await step(client, stream_id, "top-up", 422, json=body)
        assert [e["pointer"] for e in document["errors"]] == ["/amount"]


@pytest.mark.parametrize("tags", ['"1"', 'W/"1"', '"9", "1"', "*", '"x,y" ,"1"'])
async def test_if_match_with_the_current_version(client: WebClient, tags: str) -> None:
    stream_id = (await made(client))["id"]
    await step(client, stream_id, "pause", headers={"If-Match": tags})


@pytest.mark.parametrize("tags", ['"2"', '"01"', '""', '"2", W/"3"'])
async def test_if_match_with_another_version(client: WebClient, tags: str) -> None:
    stream_id = (await made(client))["id"]
    response = await client.delete(f"/v1/streams/{stream_id}", headers={"If-Match": tags})
    document = await response.json(content_type=None)
    assert (response.status, document["type"]) == (412, "/problems/stale-version")
    assert (document["version"], response.headers["ETag"]) == (1, '"1"')


@pytest.mark.parametrize("tags", ["1", '"1', "", '"1" "2"', '*, "1"', '"1",'])
async def test_malformed_if_match(client: WebClient, tags: str) -> None:
    stream_id = (await made(client))["id"]
    document = await step(client, stream_id, "pause", 400, headers={"If-Match": tags})
    assert document["type"] == "/problems/malformed"


async def test_of_two_changes_with_one_etag_one_is_stale(client: WebClient) -> None:
    stream_id = (await made(client))["id"]
    url = f"/v1/streams/{stream_id}"
    statuses = await asyncio.gather(
        *(patched(client, url, {"label": str(n)}, {"If-Match": '"1"'}) for n in range(2))
    )
    assert sorted(statuses) == [200, 412]


async def patched(
    client: WebClient, url: str, metadata: object, headers: dict[str, str] | None = None
) -> int:
    response = await client.patch(url, json={"metadata": metadata}, headers=headers)
    return response.status


async def test_concurrent_changes_without_if_match_all_succeed(client: WebClient) -> None:
    url = f"/v1/streams/{(await made(client))['id']}"
    statuses = await asyncio.gather(*(patched(client, url, {"label": str(n)}) for n in range(10)))
    assert statuses == [200] * 10
    assert (await (await client.get(url)).json())["version"] == 11


@pytest.mark.parametrize("attempt", range(5))
async def test_withdrawals_during_a_cancellation_lose_no_money(
    client: WebClient, start: StartApi, clock: Clock, attempt: int
) -> None:
    clients = [client, await start()]
    stream_id = (await made(client))["id"]
    clock.now += 33
    calls = ["withdraw", "cancel", "withdraw", "cancel", "withdraw"]
    responses = await asyncio.gather(
        *(clients[n % 2].post(f"/v1/streams/{stream_id}/{call}") for n, call in enumerate(calls))
    )
    assert [r.status for r, c in zip(responses, calls, strict=True) if c == "cancel"].count(
        200
    ) == 1
    assert {r.status for r in responses} <= {200, 409}
    document = await (await client.get(f"/v1/streams/{stream_id}")).json()
    assert (document["withdrawnAmount"], document["refundedAmount"]) == ("330", "670")


async def test_concurrent_top_ups_add_up(client: WebClient, start: StartApi) -> None:
    clients = [client, await start()]
    stream_id = (await made(client))["id"]
    await asyncio.gather(
        *(step(clients[n % 2], stream_id, "top-up", json={"amount": "7"}) for n in range(20))
    )
    document = await (await client.get(f"/v1/streams/{stream_id}")).json()
    assert document["depositedAmount"] == str(1000 + 20 * 7)


@pytest.mark.parametrize(
    ("error", "slug"), [(ContentionError, "contended"), (JournalBehindError, "unavailable")]
)
async def test_errors_that_can_be_retried_have_retry_after(
    client: WebClient, monkeypatch: pytest.MonkeyPatch, error: type[Exception], slug: str
) -> None:
    async def change(*_: object, **__: Any) -> None:
        raise error("later")

    monkeypatch.setattr(Committer, "change", change)
    response = await client.post("/v1/streams", json=order())
    document = await response.json(content_type=None)
    assert (response.status, document["type"]) == (503, f"/problems/{slug}")
    assert int(response.headers["Retry-After"]) >= 1
