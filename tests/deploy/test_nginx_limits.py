"""The deployment's gateway limits each address, and informs the clients that it refuses."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from shared.journal.keys import Keys
from tests.deploy.fanouts import PORT, Fanouts
from tests.deploy.gateways import Gateway, gateway, overloads
from tests.deploy.test_gateway_answers import BY_STATUS, PAGE, PREFLIGHT
from tests.support.name_server import NameServer, name_server
from tests.support.waiting import until

pytestmark = [pytest.mark.timeout(90), pytest.mark.asyncio(loop_scope="module")]


async def test_the_sixth_connection_of_an_address_is_refused(
    tmp_path: Path, names: NameServer, fanouts: Fanouts
) -> None:
    async with gateway(tmp_path, names, CONNECTIONS_PER_IP=5) as front:
        five = [await front.subscribe() for _ in range(5)]
        for client in five:
            await client.wait(1)

        by_event = await front.subscribe(headers={"Origin": "https://app.example"})
        assert by_event.status == 200, "any other status is final for an EventSource"
        await by_event.wait(1, "overload")
        assert by_event.headers["access-control-allow-origin"] == "https://app.example"
        (told,) = overloads(by_event)
        assert 4000 <= told["retry"] < 8000
        assert by_event.parser.retry == told["retry"]
        assert by_event.parser.last_id == "", "no cursor is moved"

        by_status = await front.subscribe("all=true&on_overload=status")
        assert by_status.status == 429
        assert int(by_status.headers["retry-after"]) > 0
        assert json.loads(await by_status.whole())["type"] == "/problems/overloaded"

        assert all(client.events and not client.closed.is_set() for client in five)
        five[0].close()

        async def there_is_room() -> bool:
            client = await front.subscribe()
            await client.wait(1)
            return not overloads(client)

        await until(there_is_room)


async def test_a_limit_of_the_fanout_is_reported_as_its_own(
    tmp_path: Path, redis_url: str, module_keys: Keys
) -> None:
    limit: dict[str, Any] = {"CONNECTIONS_PER_IP": 1, "TRUSTED_PROXIES": "127.0.0.0/8"}
    async with (
        name_server({}) as own_names,
        Fanouts(redis_url, module_keys, own_names) as fanouts,
        gateway(tmp_path, own_names) as front,
    ):
        await fanouts.start(**limit)
        await (await front.subscribe()).wait(1)
        second = await front.subscribe()
        (told,) = await second.wait(1, "overload")
        assert told.json["reason"] == "this account or address has reached its limit of connections"


async def test_the_limit_counts_clients_not_the_proxy_before_us(
    tmp_path: Path, names: NameServer, fanouts: Fanouts
) -> None:
    async def turned_away(front: Gateway, forwarded: str) -> bool:
        client = await front.subscribe(headers={"X-Forwarded-For": forwarded})
        await client.wait(1)
        return bool(overloads(client))

    async with gateway(
        tmp_path, names, CONNECTIONS_PER_IP=1, TRUSTED_PROXIES="127.0.0.0/8,10.0.0.0/8"
    ) as front:
        assert not await turned_away(front, "203.0.113.5")
        assert not await turned_away(front, "203.0.113.6, 10.1.2.3")
        assert await turned_away(front, "198.51.100.1, 203.0.113.6"), "what it says itself is not"
        assert not await turned_away(front, "2001:db8:1:2::1")
        assert not await turned_away(front, "2001:db8:1:3::1")
        assert await turned_away(front, "2001:db8:1:2::2"), "a client of IPv6 is a /64 network"


async def test_x_forwarded_for_is_ignored_without_trusted_proxies(
    tmp_path: Path, names: NameServer, fanouts: Fanouts
) -> None:
    async with gateway(tmp_path, names, CONNECTIONS_PER_IP=1) as front:
        answers = [
            await front.subscribe(headers={"X-Forwarded-For": f"203.0.113.{n}"}) for n in (5, 6)
        ]
        for client in answers:
            await client.wait(1)
        assert [bool(overloads(client)) for client in answers] == [False, True]


async def test_pages_can_read_the_answers_at_limits(
    tmp_path: Path, names: NameServer, fanouts: Fanouts
) -> None:
    """The API is a fanout here: it has the CORS of the services."""
    settings = {"API": f"fanout:{PORT}", "AUTH_MODE": "required", "CORS_ORIGINS": PAGE}
    limits = {"CONNECTIONS_PER_IP": 1, "REQUESTS_PER_IP": "1r/m"}
    async with (
        aiohttp.ClientSession() as http,
        gateway(tmp_path, names, **settings, **limits) as front,
    ):
        url = f"http://127.0.0.1:{front.port}"
        await (await front.subscribe()).wait(1)

        async def limited() -> bool:
            async with http.get(url + "/livez", headers={"Origin": PAGE}) as response:
                return response.status == 429

        async def used_up() -> bool:
            return all(await asyncio.gather(*(limited() for _ in range(20))))

        await until(used_up, what="429 for all")
        for path in ("/livez", BY_STATUS):
            async with http.get(url + path, headers={"Origin": PAGE}) as response:
                assert response.status == 429
                assert (await response.json())["type"] == "/problems/overloaded"
                assert int(response.headers["Retry-After"]) >= 4
                assert response.headers["Access-Control-Allow-Origin"] == PAGE
                assert response.headers["Access-Control-Expose-Headers"] == "Retry-After"
            async with http.options(url + path, headers={"Origin": PAGE} | PREFLIGHT) as response:
                assert response.status == 204
                assert response.headers["Access-Control-Allow-Origin"] == PAGE
        by_event = await front.subscribe(headers={"Origin": PAGE})
        (event,) = await by_event.wait(1, "overload")
        assert event.json["reason"] == "too many connections or requests from this address"
        assert by_event.headers["access-control-allow-origin"] == PAGE


async def test_several_people_at_one_address_load_the_console(
    tmp_path: Path, names: NameServer, fanouts: Fanouts
) -> None:
    """The API is a fanout here, which knows no file."""
    async with (
        aiohttp.ClientSession() as http,
        gateway(tmp_path, names, API=f"fanout:{PORT}", REQUESTS_PER_IP="1r/m") as front,
    ):
        url = f"http://127.0.0.1:{front.port}/console/js/app.js"

        async def load() -> int:
            async with http.get(url) as response:
                return response.status

        assert {await load() for _ in range(5 * 60)} == {404}
