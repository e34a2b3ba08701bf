"""Exports: all events of a range in one file, in three formats."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import duckdb
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from services.api.events import export as export_module
from services.api.events import history, parquet_export
from services.api.events.journal_part import JournalPart
from shared.domain.events import Event, EventType
from shared.domain.position import END, START, Position, toid
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.reader import Journal
from tests.api.auth.samples import ADMIN, CAROL, bearer, token_of
from tests.api.samples import RECIPIENT, T0, Clock, made
from tests.support.web_client import WebClient

pytestmark = pytest.mark.io

STEPS = 40


@pytest.fixture
async def stream_id(client: WebClient, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> str:
    """A stream with 41 events, one each second from T0 on. An export reads 7 events at a time."""
    monkeypatch.setattr(export_module, "_PAGE", 7)
    stream_id = str((await made(client))["id"])
    for n in range(STEPS):
        clock.now += 1
        await client.post(f"/v1/streams/{stream_id}/{'resume' if n % 2 else 'pause'}")
    return stream_id


async def fetch(client: WebClient, **query: Any) -> bytes:
    response = await client.get("/v1/events/export", params=query)
    body = await response.read()
    assert response.status == 200, body
    assert response.headers["Content-Disposition"].startswith("attachment; filename=")
    return body


async def bodies(redis: Redis, keys: Keys) -> list[bytes]:
    entries = await Journal(redis, keys).between(START, END, 1000, newest_first=False)
    return [entry.body for entry in entries]


async def test_every_format_has_all_events_oldest_first(
    client: WebClient, stream_id: str, redis: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_export, "_GROUP_ENTRIES", 20)
    expected = await bodies(redis, keys)
    assert len(expected) == 1 + STEPS
    assert (await fetch(client, all="true", format="ndjson")).splitlines() == expected
    file = pq.ParquetFile(pa.BufferReader(await fetch(client, streams=stream_id, format="parquet")))
    assert file.read().column("body").to_pylist() == expected
    assert file.metadata.metadata[b"headrace.gaps"] == b"[]"
    assert file.num_row_groups == 2, "an export does not wait for its end"
    text = (await fetch(client, users=RECIPIENT)).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["id"] for row in rows] == [orjson.loads(body)["id"] for body in expected]


async def test_the_range_of_times_is_inclusive(client: WebClient, stream_id: str) -> None:
    query = {"streams": stream_id, "from": T0 + 10, "to": T0 + 19, "format": "ndjson"}
    times = [
        orjson.loads(line)["timestamp"] for line in (await fetch(client, **query)).splitlines()
    ]
    assert times == list(range(T0 + 10, T0 + 20))
    query |= {"from": T0 + 1000, "to": T0 + 2000}
    assert await fetch(client, **query) == b""
    assert (await fetch(client, **query | {"format": "csv"})).startswith(b"id,time,type")
    empty = await fetch(client, **query | {"format": "parquet"})
    assert pq.read_table(pa.BufferReader(empty)).num_rows == 0


async def test_an_export_begins_near_its_first_event(
    client: WebClient, redis: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the last hour of a long history would need a read of all of it."""
    committer = Committer(redis, keys)
    for ledger in range(1, 41):
        event = Event(EventType.CONTRACT_UPGRADED, None, T0 + ledger, {}, None, None)
        place = Position(toid(ledger, 1), 0)
        await committer.record([replace(event, position=place)], progress={})
    entries = await Journal(redis, keys).between(START, END, 1000, newest_first=False)
    times = [orjson.loads(entry.body)["publishedAt"] for entry in entries]
    part = JournalPart(redis, keys, Journal(redis, keys))
    for n in (0, 1, 17, 39):
        found = await part.published_before(times[n])
        assert str(found) == (entries[n - 1].position if n else "0-0")
    assert str(await part.published_before(times[-1] + 1)) == entries[-1].position
    monkeypatch.setattr(history, "_EARLY_SECONDS", 0)
    query = {"all": "true", "format": "ndjson", "from": times[-1] // 1_000_000 + 1}
    assert await fetch(client, **query) == b""


async def test_a_search_without_a_match_is_not_silent(
    client: WebClient, stream_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_module, "SILENT_SECONDS", -1.0)
    monkeypatch.setattr(history, "MAX_READ", 10)
    query = {"all": "true", "types": "stream.cancelled"}
    lines = (await fetch(client, **query, format="ndjson")).splitlines()
    assert lines == [b""] * 5
    text = (await fetch(client, **query)).decode()
    assert list(csv.DictReader(io.StringIO(text, newline=""))) == []
    assert text.count("\r\n") == 5
    file = await fetch(client, **query, format="parquet")
    assert file.startswith(b"PAR1" + bytes(4))
    assert pq.read_table(pa.BufferReader(file)).num_rows == 0


async def test_a_parquet_file_with_fillers_is_read_like_one_without(
    client: WebClient, stream_id: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its row groups are far apart, because few events match."""
    monkeypatch.setattr(parquet_export, "_GROUP_ENTRIES", 20)
    query = {"streams": stream_id, "format": "parquet"}
    plain = await fetch(client, **query)
    monkeypatch.setattr(export_module, "SILENT_SECONDS", -1.0)
    filled = tmp_path / "events.parquet"
    filled.write_bytes(await fetch(client, **query))
    assert filled.stat().st_size > len(plain)
    assert pq.ParquetFile(filled).num_row_groups == 2
    assert pq.read_table(filled, page_checksum_verification=True).equals(
        pq.read_table(pa.BufferReader(plain))
    )
    rows = duckdb.execute("SELECT body FROM read_parquet(?)", [str(filled)]).fetchall()
    assert [body for (body,) in rows] == pq.read_table(filled).column("body").to_pylist()


async def test_missing_events_are_named_where_they_are_missing(
    client: WebClient, stream_id: str, redis: Redis, keys: Keys
) -> None:
    ids = [orjson.loads(body)["id"] for body in await bodies(redis, keys)]
    await redis.xdel(keys.journal, ids[10], ids[11])
    lines = [
        orjson.loads(x) for x in (await fetch(client, all="true", format="ndjson")).splitlines()
    ]
    gaps = [n for n, line in enumerate(lines) if line["type"] == "gap"]
    assert len(lines) == 1 + STEPS - 2 + len(gaps)
    assert {(lines[n]["from"], lines[n]["to"]) for n in gaps} == {(ids[9], ids[11])}
    text = (await fetch(client, all="true")).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert f'{{"from":"{ids[9]}","to":"{ids[11]}"}}' in [row["more"] for row in rows]
    file = pq.ParquetFile(pa.BufferReader(await fetch(client, all="true", format="parquet")))
    gap = {"from": ids[9], "to": ids[11]}
    assert orjson.loads(file.metadata.metadata[b"headrace.gaps"])[0] == gap


async def test_an_export_ends_at_the_journals_end_of_its_first_page(
    client: WebClient, stream_id: str, redis: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise an export could run for ever on a busy chain."""
    expected = await bodies(redis, keys)
    committer, send = Committer(redis, keys), export_module._send

    async def send_and_commit(*given: Any) -> None:
        await send(*given)
        event = Event(EventType.STREAM_UPDATED, stream_id, T0, {"metadata": {}}, None, None)
        await committer.change([stream_id], lambda _: [event])

    monkeypatch.setattr(export_module, "_send", send_and_commit)
    assert (await fetch(client, all="true", format="ndjson")).splitlines() == expected


@pytest.mark.parametrize("error", [RedisConnectionError("away"), RuntimeError("a defect")])
async def test_a_history_that_cannot_be_read_to_its_end_breaks_the_connection(
    client: WebClient, stream_id: str, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    send, sent = export_module._send, 0

    async def fail(*given: Any) -> None:
        nonlocal sent
        await send(*given)
        sent += 1
        if sent == 3:
            raise error

    monkeypatch.setattr(export_module, "_send", fail)
    response = await client.get("/v1/events/export?all=true")
    with pytest.raises(aiohttp.ClientError):
        await response.read()
    assert not client.app[export_module.EXPORT_SLOTS].locked()


async def test_exports_are_limited_in_number_and_by_rights(
    client: WebClient, secure: WebClient
) -> None:
    slots = client.app[export_module.EXPORT_SLOTS]
    for _ in range(export_module.MOST_EXPORTS):
        await slots.acquire()
    response = await client.get("/v1/events/export?all=true")
    assert (response.status, response.headers["Retry-After"]) == (503, "10")
    carol = bearer(token_of(CAROL.public_key))
    for query, headers, status in (
        ("all=true", ADMIN, 200),
        ("all=true", carol, 403),
        (f"users={RECIPIENT}", carol, 403),
        (f"users={CAROL.public_key}", carol, 200),
        ("", carol, 200),
        ("format=xlsx", carol, 422),
        ("from=-1", carol, 422),
    ):
        answer = await secure.get(f"/v1/events/export?{query}", headers=headers)
        assert answer.status == status, (query, await answer.text())
