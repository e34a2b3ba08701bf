"""Services with different namespaces or contracts: /readyz shows both names."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

from shared.journal.keys import Keys
from shared.journal.namespace import NamespaceClaim
from shared.journal.settings import CommonSettings
from tests.api.samples import TOKEN, made, order
from tests.support.processes import ServiceProcess, running
from tests.support.waiting import until
from tests.support.web_client import StartApi, WebClient

OTHER = "CDLZFC3SYJYDZT7K67VZ75HPJVIEUVNIXF47ZG2FB2RMQQVU2HHGCYSC"


def fanout(redis_url: str, namespace: str, contracts: str = TOKEN) -> Any:
    return running("services.fanout", REDIS_URL=redis_url, CONTRACTS=contracts, NAMESPACE=namespace)


async def parts(client: WebClient, ready: bool) -> dict[str, str]:
    """The parts in /readyz, as soon as it is ready (or unready)."""

    async def so() -> dict[str, str] | None:
        response = await client.get("/readyz")
        document = await response.json()
        started = "starting" not in document["parts"].values()
        return document["parts"] if started and (response.status == 200) is ready else None

    found: dict[str, str] = await until(so, what=f"ready: {ready}")
    return found


def url(process: ServiceProcess, path: str = "") -> str:
    return f"http://127.0.0.1:{process.port}{path}"


@pytest.mark.parametrize("setting", ["ready_urls", "fanout_urls"])
async def test_a_fanout_of_another_namespace_makes_the_api_unready(
    start: StartApi, redis_url: str, keys: Keys, setting: str
) -> None:
    where = "/readyz" if setting == "ready_urls" else ""
    async with (
        fanout(redis_url, keys.namespace) as same,
        fanout(redis_url, "elsewhere") as other,
    ):
        client = await start(**{setting: f"{url(same, where)},{url(other, where)}"})
        found = await parts(client, ready=False)
        wrong = {part: reason for part, reason in found.items() if reason != "ok"}
        assert set(wrong) == {url(other, "/readyz")}
        (reason,) = wrong.values()
        assert "elsewhere" in reason
        assert keys.namespace in reason
        assert "NAMESPACE" in reason
        alike = await start(**{setting: url(same, where)})
        await parts(alike, ready=True)


async def test_an_unreachable_fanout_does_not_make_the_api_unready(start: StartApi) -> None:
    client = await start(fanout_urls="http://127.0.0.1:1")
    await parts(client, ready=True)


async def test_api_and_fanout_report_other_contracts_than_the_indexers(
    start: StartApi, redis: Redis, redis_url: str, keys: Keys
) -> None:
    client = await start()
    await parts(client, ready=True)
    await NamespaceClaim(redis, CommonSettings(namespace=keys.namespace, contracts=OTHER)).hold(
        begin=True
    )
    reason = (await parts(client, ready=False))["namespace"]
    assert OTHER in reason
    assert TOKEN in reason
    async with (
        fanout(redis_url, keys.namespace) as wrong,
        fanout(redis_url, keys.namespace, OTHER) as right,
    ):
        checks = await start(contracts=OTHER, ready_urls=url(right, "/readyz"))
        await parts(checks, ready=True)
        beside = await start(contracts=OTHER, ready_urls=url(wrong, "/readyz"))
        assert (await parts(beside, ready=False))[url(wrong, "/readyz")] == "answers 503"


async def test_an_api_of_another_contract_changes_nothing(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    stream = await made(client)
    await NamespaceClaim(redis, CommonSettings(namespace=keys.namespace, contracts=OTHER)).hold(
        begin=True
    )
    await parts(client, ready=False)
    before = await redis.xlen(keys.journal)
    for path in ("", f"/{stream['id']}/pause"):
        answer = await client.post(f"/v1/streams{path}", json=order() if not path else None)
        assert answer.status == 503
        assert "Retry-After" in answer.headers
        assert OTHER in (await answer.json())["detail"]
    assert await redis.xlen(keys.journal) == before
    assert (await client.get(f"/v1/streams/{stream['id']}")).status == 200


async def test_every_service_shows_its_namespace(client: WebClient, keys: Keys) -> None:
    document = await (await client.get("/readyz")).json()
    assert document["namespace"] == keys.namespace
    text = await (await client.get("/metrics")).text()
    assert f'headrace_namespace{{name="{keys.namespace}"}} 1.0' in text
