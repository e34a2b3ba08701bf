"""`webhook.disabled` in the history, in exports and in the archive: only its owner sees it."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
from redis.asyncio import Redis

from shared.journal.commit import Committer
from shared.journal.keys import Keys
from tests.api.auth.samples import ADMIN, ALICE, BOB, REQUIRED, writer
from tests.api.samples import on_chain
from tests.shared.samples import webhook_disabled
from tests.support.archived import JournalArchive
from tests.support.web_client import StartApi, WebClient

pytestmark = pytest.mark.io


async def types_of(client: WebClient, headers: dict[str, str], **query: str) -> list[str]:
    async with client.get("/v1/events", params=query, headers=headers) as response:
        page = await response.json()
    assert response.status == 200, page
    return [item["type"] for item in page["items"]]


async def test_only_the_owner_and_those_who_see_all_read_it(
    start: StartApi, redis: Redis, keys: Keys, tmp_path: Path
) -> None:
    archive = JournalArchive(redis, keys, tmp_path / "archive")
    client = await start(**REQUIRED, archive_url=archive.url)
    await Committer(redis, keys).change([], lambda _: [webhook_disabled(ALICE.public_key)])
    await on_chain(redis, keys, 7)

    async def check() -> None:
        assert await types_of(client, writer(ALICE)) == ["webhook.disabled"]
        assert await types_of(client, writer(BOB)) == []
        assert "webhook.disabled" in await types_of(client, ADMIN, all="true")

    await check()
    await archive.append()
    await archive.trim(1)
    await check()


async def test_it_is_in_every_export(client: WebClient, redis: Redis, keys: Keys) -> None:
    await Committer(redis, keys).change([], lambda _: [webhook_disabled(ALICE.public_key)])

    async def export(kind: str) -> bytes:
        query = {"users": ALICE.public_key, "format": kind}
        async with client.get("/v1/events/export", params=query) as response:
            return await response.read()

    (line,) = (await export("ndjson")).splitlines()
    event: dict[str, Any] = orjson.loads(line)
    assert event["webhookId"].startswith("wh_")
    (row,) = csv.DictReader(io.StringIO((await export("csv")).decode()))
    assert (row["id"], row["streamId"]) == (event["id"], "")
    assert orjson.loads(row["more"])["reason"] == "failed"
    (parquet,) = pq.read_table(io.BytesIO(await export("parquet"))).to_pylist()
    assert (parquet["type"], parquet["stream"]) == ("webhook.disabled", None)
    assert orjson.loads(parquet["body"]) == event
