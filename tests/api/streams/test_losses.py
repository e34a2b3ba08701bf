"""Loss of data in Redis, as the API handles it."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from services.api.app import DATA_LOSS
from shared.domain.position import journal_start, toid
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.losses import DataLossDetector, LossReport, read_reports, write_report
from shared.runtime.metrics import LOST_DOCUMENT
from tests.api.samples import made, on_chain, order
from tests.fanout.journals import restore
from tests.support.waiting import until
from tests.support.web_client import WebClient


async def test_an_idle_api_detects_an_emptied_redis_and_changes_nothing(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    """The API has written nothing itself. It has only seen the journal."""
    progress = {"cursor": str(toid(5)), "began": str(journal_start(toid(5), 1 << 50))}
    await Committer(redis, keys).record([], progress=progress)
    await on_chain(redis, keys, 7, cursor=str(toid(8)))
    await until(lambda: client.app[DATA_LOSS].top.ledger == 7, what="the API's look")
    await restore(redis, keys, {})

    async def reported() -> list[LossReport]:
        return await read_reports(redis, keys)

    (report,) = await until(reported)
    assert (report.cursor, report.top.ledger) == (toid(8), 7)

    async def noted() -> bool:
        return "Redis was emptied" in await (await client.get("/readyz")).text()

    await until(noted)
    answer = await client.post("/v1/streams", json=order())
    assert answer.status == 503
    assert "Retry-After" in answer.headers
    text = await (await client.get("/metrics")).text()
    assert 'headrace_losses_total{what="everything"} 0.0' not in text


async def test_without_an_indexer_an_empty_journal_is_accepted(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    lost = await made(client)
    await until(lambda: str(client.app[DATA_LOSS].top) == lost["position"])
    await restore(redis, keys, {})
    await made(client)
    await until(lambda: str(client.app[DATA_LOSS].top) > lost["position"])
    assert not client.app[DATA_LOSS].lost


async def test_a_lost_document_is_rebuilt_from_the_journal(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    stream = await made(client)
    await redis.delete(keys.stream(stream["id"]))
    answer = await client.get(f"/v1/streams/{stream['id']}")
    document = await answer.json()
    assert (answer.status, document["version"]) == (200, 1)
    again = await client.post(f"/v1/streams/{stream['id']}/pause")
    assert (again.status, (await again.json())["version"]) == (200, 2)


async def test_an_api_started_after_the_loss_waits_because_of_reports(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    place = journal_start(toid(9), 1 << 50)
    await write_report(redis, keys, "a fanout", DataLossDetector(top=place, cursor=toid(9)))

    async def refused() -> bool:
        return (await client.post("/v1/streams", json=order())).status == 503

    await until(refused, what="the API's look")
    read = {"cursor": str(toid(10)), "began": str(journal_start(toid(10), 1 << 51))}
    await Committer(redis, keys).record([], progress=read)
    assert (await client.post("/v1/streams", json=order())).status == 201


async def test_lists_and_summaries_include_a_stream_with_a_lost_document(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    counted = LOST_DOCUMENT._value.get()
    kept, gone = await made(client), await made(client)
    sums = await summary_of(client, gone["sender"])
    await redis.delete(keys.stream(gone["id"]))
    for _ in range(2):
        page = await (await client.get("/v1/streams")).json()
        assert {each["id"] for each in page["items"]} == {kept["id"], gone["id"]}
        again = await summary_of(client, gone["sender"])
        assert (again["api"]["streams"], again["api"]) == (2, sums["api"])
    assert LOST_DOCUMENT._value.get() == counted + 1, "once, however often it is read"


async def summary_of(client: WebClient, account: str) -> dict[str, Any]:
    return await (await client.get(f"/v1/users/{account}/summary")).json()
