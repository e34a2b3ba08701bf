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


async def unready(client: WebClient, **expected: str) -> dict[str, str]:
    """The reasons in /readyz, as soon as exactly these parts have reasons with these texts.

    Without parts: as soon as the API is ready.
    """
    found: dict[str, str] = {}

    async def so() -> bool:
        response = await client.get("/readyz")
        parts = (await response.json())["parts"]
        found.clear()
        found.update({part: reason for part, reason in parts.items() if reason != "ok"})
        assert (response.status == 200) == (not found)
        return found.keys() == expected.keys() and all(
            text in found[part] for part, text in expected.items()
        )

    await until(so, what=lambda: f"{expected or 'ready'}, but it is {found}")
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
        wrong = url(other, "/readyz")
        reason = (await unready(client, **{wrong: "elsewhere"}))[wrong]
        assert keys.namespace in reason
        assert "NAMESPACE" in reason
        await unready(await start(**{setting: url(same, where)}))


async def test_an_unreachable_fanout_does_not_make_the_api_unready(start: StartApi) -> None:
    await unready(await start(fanout_urls="http://127.0.0.1:1"))


async def test_api_and_fanout_report_other_contracts_than_the_indexers(
    start: StartApi, redis: Redis, redis_url: str, keys: Keys
) -> None:
    client = await start()
    await unready(client)
    await NamespaceClaim(redis, CommonSettings(namespace=keys.namespace, contracts=OTHER)).hold(
        begin=True
    )
    reason = (await unready(client, namespace=OTHER))["namespace"]
    assert TOKEN in reason
    async with (
        fanout(redis_url, keys.namespace) as wrong,
        fanout(redis_url, keys.namespace, OTHER) as right,
    ):
        checks = await start(contracts=OTHER, ready_urls=url(right, "/readyz"))
        await unready(checks)
        beside = await start(contracts=OTHER, ready_urls=url(wrong, "/readyz"))
        part = url(wrong, "/readyz")
        assert await unready(beside, **{part: "answers 503"}) == {part: "answers 503"}


async def test_an_api_of_another_contract_changes_nothing(
    client: WebClient, redis: Redis, keys: Keys
) -> None:
    stream = await made(client)
    await NamespaceClaim(redis, CommonSettings(namespace=keys.namespace, contracts=OTHER)).hold(
        begin=True
    )
    await unready(client, namespace=OTHER)
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
