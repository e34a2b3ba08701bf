"""Event histories as CSV: the same events as in JSON, and no formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import pytest
from redis.asyncio import Redis
from stellar_sdk import Keypair

from shared.domain.events import Event, EventType, Provenance
from shared.domain.position import Position, toid
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from tests.api.samples import SENDER, T0, TOKEN, Clock, made
from tests.support.web_client import WebClient

OTHER = Keypair.random().public_key


async def fetch(client: WebClient, **query: Any) -> dict[str, Any]:
    return await (await client.get("/v1/events", params=query)).json()


async def table(
    client: WebClient, accept: str = "text/csv", **query: Any
) -> tuple[Mapping[str, str], list[dict[str, str]]]:
    response = await client.get("/v1/events", params=query, headers={"Accept": accept})
    assert (response.status, response.content_type) == (200, "text/csv")
    assert "attachment" in response.headers["Content-Disposition"]
    text = (await response.read()).decode()
    assert "\r\n" in text
    return response.headers, list(csv.DictReader(io.StringIO(text, newline="")))


async def test_a_history_as_csv(client: WebClient, clock: Clock) -> None:
    stream_id = (await made(client, recipient=OTHER))["id"]
    for step in ("pause", "resume", "pause", "resume", "pause", "resume"):
        clock.now += 2
        await client.post(f"/v1/streams/{stream_id}/{step}")
    page = await fetch(client, users=OTHER, limit=5)
    headers, rows = await table(client, users=OTHER, limit=5)
    assert [row["id"] for row in rows] == [e["id"] for e in page["items"]]
    assert headers["Headrace-Position"] == page["position"]
    assert headers["Headrace-Next"] == page["next"]
    first, event = rows[0], page["items"][0]
    assert (first["type"], first["sender"], first["recipient"]) == (event["type"], SENDER, OTHER)
    assert first["time"] == "2026-02-02T02:40:12Z"
    assert (first["status"], first["version"]) == ("active", str(event["stream"]["version"]))
    assert first["more"] == f'{{"newEndTime":{event["newEndTime"]}}}'
    headers, rows = await table(client, users=OTHER, before=page["items"][-1]["id"])
    assert "Headrace-Next" not in headers


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/csv;q=0.9, application/json;q=0.1", "text/csv"),
        ("application/json, text/csv;q=0.5", "application/json"),
        ("text/csv;q=0", "application/json"),
        ("text/csv;q=x", "application/json"),
        ("*/*", "application/json"),
        ("", "application/json"),
    ],
)
async def test_the_format_follows_the_accept_header(
    client: WebClient, accept: str, kind: str
) -> None:
    response = await client.get("/v1/events?all=true", headers={"Accept": accept})
    assert response.content_type == kind


EVIL = ["=HYPERLINK(1)", "+1", "-2+3", "@SUM(1)", "\t=1", "\r=1", " =1", "\uff1d1"]


@pytest.mark.parametrize("evil", EVIL)
async def test_no_cell_of_a_csv_is_a_formula(
    client: WebClient, redis: Redis, keys: Keys, evil: str
) -> None:
    source = Provenance(TOKEN, 7, "2026-07-21T18:01:10Z", "ab" * 32, True)
    facts = {"sender": SENDER, "amount": "-5", "feeAmount": evil, "token": '",\n"'}
    event = Event(
        EventType.STREAM_FEE_COLLECTED, "7", T0, facts, Position(toid(7, 1), 0), source
    )  # fmt: skip
    await Committer(redis, keys).record([event], progress={})
    _, (row,) = await table(client, streams="7")
    assert row["feeAmount"] == f"'{evil}"
    assert row["amount"] == "-5"
    assert row["more"] == '{"token":"\\",\\n\\""}'
    assert not any(cell[:1] in "=+@" for cell in row.values() if cell)
