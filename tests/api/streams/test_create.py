"""Create and read streams; invalid bodies."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from shared.journal.keys import Keys
from tests.api.samples import I128_MAX, RECIPIENT, SENDER, T0, TOKEN, Clock, made, on_chain, order
from tests.support.web_client import WebClient


async def test_a_created_stream_can_be_read_at_its_location(
    client: WebClient, clock: Clock
) -> None:
    response = await client.post(
        "/v1/streams", json=order(metadata={"label": "Rent", "tags": ["a"]})
    )
    document = await response.json()
    assert response.status == 201
    assert response.headers["Location"] == f"/v1/streams/{document['id']}"
    assert response.headers["ETag"] == '"1"'
    assert document["startTime"] == document["lastUpdateTime"] == T0
    assert document["endTime"] == T0 + 100
    assert document["metadata"] == {"label": "Rent", "tags": ["a"]}
    assert (document["origin"], document["status"], document["version"]) == ("api", "active", 1)

    again = await client.get(response.headers["Location"])
    assert (again.status, again.headers["ETag"]) == (200, '"1"')
    assert await again.json() == document
    assert again.headers["Headrace-Position"] == document["position"]

    clock.now += 7
    later = await (await client.get(f"/streams/{document['id']}")).json()
    assert later == document | {"claimable": {"amount": "70", "asOf": T0 + 7}}


async def test_the_location_keeps_the_unversioned_path(client: WebClient) -> None:
    response = await client.post("/streams", json=order())
    assert response.headers["Location"].startswith("/streams/api-")
    assert (await client.get(response.headers["Location"])).status == 200


async def test_the_largest_amounts_are_accepted_and_the_end_is_a_json_number(
    client: WebClient,
) -> None:
    document = await made(client, ratePerSecond="1", depositedAmount=str(I128_MAX))
    assert document["depositedAmount"] == str(I128_MAX)
    response = await client.post(f"/v1/streams/{document['id']}/top-up", json={"amount": "1"})
    assert (response.status, (await response.json())["type"]) == (409, "/problems/refused")


async def test_a_start_time_can_be_in_the_future(client: WebClient) -> None:
    document = await made(client, startTime=T0 + 50)
    assert (document["startTime"], document["endTime"]) == (T0 + 50, T0 + 150)
    assert document["claimable"]["amount"] == "0"


async def test_a_sender_can_be_the_recipient_and_contracts_can_be_parties(
    client: WebClient,
) -> None:
    document = await made(client, sender=TOKEN, recipient=TOKEN)
    assert document["sender"] == document["recipient"] == TOKEN


async def test_every_invalid_field_is_named_at_once(client: WebClient) -> None:
    body = {
        "sender": SENDER[:-1] + "A",
        "recipient": 5,
        "ratePerSecond": 10,
        "depositedAmount": str(I128_MAX + 1),
        "startTime": 1_770_000_000_000,
        "metadata": {"label": "x" * 201, "tags": ["ok", ""], "a/b~c": 1},
        "amount": "1",
    }
    response = await client.post("/v1/streams", json=body)
    document = await response.json()
    assert response.status == 422
    assert response.content_type == "application/problem+json"
    assert (document["type"], document["status"]) == ("/problems/invalid", 422)
    details = {e["pointer"]: e["detail"] for e in document["errors"]}
    assert set(details) == {
        "/sender", "/recipient", "/tokenAddress", "/ratePerSecond", "/depositedAmount",
        "/startTime", "/metadata/label", "/metadata/tags/1", "/metadata/a~1b~0c", "/amount",
    }  # fmt: skip
    assert "JSON string" in details["/ratePerSecond"]
    assert details["/tokenAddress"] == "is required"
    assert details["/amount"] == "unknown field"


@pytest.mark.parametrize(
    "amount",
    [
        "0",
        "-1",
        "1.5",
        "1e3",
        "",
        " 1",
        "007",
        "٣",
        "1_000",
        "9" * 60_000,
        1,
        1.0,
        True,
        None,
        ["1"],
    ],
)
async def test_invalid_amounts_are_rejected(
    client: WebClient, amount: bool | float | list[str] | str | None
) -> None:
    response = await client.post("/v1/streams", json=order(ratePerSecond=amount))
    assert response.status == 422
    (error,) = (await response.json())["errors"]
    assert error["pointer"] == "/ratePerSecond"


@pytest.mark.parametrize("when", ["1770000000", 1.5, -1, True, 1 << 70])
async def test_invalid_start_times_are_rejected(
    client: WebClient, when: bool | float | str
) -> None:
    response = await client.post("/v1/streams", json=order(startTime=when))
    (error,) = (await response.json())["errors"]
    assert (response.status, error["pointer"]) == (422, "/startTime")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"metadata": {"tags": ["x"] * 21}}, "/metadata/tags"),
        ({"metadata": {"tags": ["x" * 51]}}, "/metadata/tags/0"),
        ({"metadata": {"note": "x" * 2001}}, "/metadata/note"),
        ({"metadata": {"label": 5}}, "/metadata/label"),
        ({"metadata": []}, "/metadata"),
        ({"tokenAddress": SENDER}, "/tokenAddress"),
        ({"sender": RECIPIENT + "\n"}, "/sender"),
        ({"status": "active"}, "/status"),
    ],
)
async def test_invalid_fields_are_rejected(
    client: WebClient, change: dict[str, Any], pointer: str
) -> None:
    response = await client.post("/v1/streams", json=order(**change))
    (error,) = (await response.json())["errors"]
    assert (response.status, error["pointer"]) == (422, pointer)


JSON = {"Content-Type": "application/json"}
BOMB = gzip.compress(b" " * 10_000_000, mtime=0)  # one test id for all workers of pytest-xdist


@pytest.mark.parametrize(
    ("body", "headers", "status", "slug"),
    [
        (b"{", JSON, 400, "malformed"),
        (b"", JSON, 400, "malformed"),
        (b"\xff\xfe", JSON, 400, "malformed"),
        (b'{"sender":"\\ud800"}', JSON, 400, "malformed"),
        (b"[" * 3000, JSON, 400, "malformed"),
        (b"no gzip", JSON | {"Content-Encoding": "gzip"}, 400, "malformed"),
        (b"[]", JSON, 422, "invalid"),
        (b"null", JSON, 422, "invalid"),
        (b"{}", {"Content-Type": "text/plain"}, 415, "unsupported-media-type"),
        (b"{}", {"Content-Type": "nonsense"}, 415, "unsupported-media-type"),
        (b" " * 65537, JSON, 413, "too-large"),
        (BOMB, JSON | {"Content-Encoding": "gzip"}, 413, "too-large"),
    ],
)
async def test_unreadable_bodies_are_rejected(
    client: WebClient, body: bytes, headers: dict[str, str], status: int, slug: str
) -> None:
    response = await client.post("/v1/streams", data=body, headers=headers)
    document = await response.json(content_type="application/problem+json")
    assert (response.status, document["type"]) == (status, f"/problems/{slug}")


async def test_a_body_with_thousands_of_errors_gets_a_short_response(client: WebClient) -> None:
    body = orjson.dumps({f"f{n}": 1 for n in range(5000)})
    response = await client.post("/v1/streams", data=body, headers=JSON)
    assert response.status == 422
    assert len((await response.json())["errors"]) == 100


@pytest.mark.parametrize("path", ["7", "api-x", "007", "0", str(1 << 64), "%2e%2e", "a%0ab", "ü"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_unknown_and_malformed_ids_are_not_found(
    client: WebClient, method: str, path: str
) -> None:
    response = await client.request(method, f"/v1/streams/{path}")
    document = await response.json(content_type="application/problem+json")
    assert (response.status, document["type"]) == (404, "/problems/not-found")


async def test_the_error_names_the_unknown_id(client: WebClient) -> None:
    document = await (await client.get("/v1/streams/77")).json(content_type=None)
    assert "'77'" in document["detail"]


async def test_a_chain_stream_accrues_until_the_last_ledger_that_was_read(
    client: WebClient, redis: Redis, keys: Keys, clock: Clock
) -> None:
    await on_chain(redis, keys, 7)
    clock.now += 60
    document = await (await client.get("/v1/streams/7")).json()
    assert document["claimable"] == {"amount": "600", "asOf": T0 + 60}  # no ledger known
    await on_chain(redis, keys, 8, ledger="9", closedAt="2026-02-02T02:40:20Z")
    document = await (await client.get("/v1/streams/7")).json()
    assert document["claimable"] == {"amount": "200", "asOf": T0 + 20}


async def test_a_burst_of_creations_all_succeed(client: WebClient) -> None:
    documents = await asyncio.gather(*(made(client) for _ in range(300)))
    assert len({d["id"] for d in documents}) == 300
    assert len({d["position"] for d in documents}) == 300
