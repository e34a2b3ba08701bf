"""/v1/system/connections: the connections of several real fanouts, listed and ended by the API."""

from __future__ import annotations

from structlog.testing import capture_logs

from tests.api.auth.samples import ADMIN, ALICE, BOB, REQUIRED, SECRET, bearer, token_of
from tests.api.system.fanouts import PATH, StartFanouts, id_of, page_of, urls
from tests.support.sse_client import SseClient
from tests.support.waiting import until
from tests.support.web_client import StartApi


async def test_the_connections_of_all_fanouts_are_listed_once(
    start: StartApi, fanouts: StartFanouts, clients: list[SseClient]
) -> None:
    one, two = await fanouts()
    # A fanout that two settings name is asked once. This API's own address is no fanout.
    client = await start(fanout_urls=urls(one), ready_urls=f"{urls(one, two)}/readyz")
    clients += [await one.subscribe(), await one.subscribe("streams=7"), await two.subscribe()]
    page = await page_of(client)
    held = {each["url"]: each["connections"] for each in page["replicas"]}
    assert held == {f"127.0.0.1:{one.port}": 2, f"127.0.0.1:{two.port}": 1}
    assert {item["id"] for item in page["items"]} == {id_of(each) for each in clients}
    (first, *_) = [each["replica"] for each in page["replicas"]]
    own = {item["id"] for item in page["items"] if item["replica"] == first}
    assert own == {id_of(each) for each in clients[:2]}
    assert page["next"] is None
    (found,) = (await page_of(client, "topic=7"))["items"]
    assert found["id"] == id_of(clients[1])


async def test_pages_have_each_connection_once(
    start: StartApi, fanouts: StartFanouts, clients: list[SseClient]
) -> None:
    one, two = await fanouts()
    client = await start(fanout_urls=urls(one, two))
    clients += [await one.subscribe() for _ in range(5)]
    clients += [await two.subscribe() for _ in range(2)]
    found, asked = [], []
    query = "limit=2"
    while query:
        page = await page_of(client, query)
        assert len(page["items"]) <= 2
        found += [item["id"] for item in page["items"]]
        asked.append(len(page["replicas"]))
        query = f"limit=2&cursor={page['next']}" if page["next"] else ""
    assert sorted(found) == sorted(map(id_of, clients))
    assert asked == [2, 2, 1, 1], "a fanout is not asked again after its last page"


async def test_an_ended_client_is_told_to_reconnect(
    start: StartApi, fanouts: StartFanouts, clients: list[SseClient]
) -> None:
    (one, two) = await fanouts()
    client = await start(fanout_urls=urls(one, two))
    clients += [await one.subscribe(), await two.subscribe()]
    items = (await page_of(client))["items"]
    (item,) = [each for each in items if each["id"] == id_of(clients[1])]
    (other,) = [each for each in items if each is not item]
    wrong = await client.delete(f"{PATH}/{other['replica']}/{item['id']}")
    assert wrong.status == 404, "it is not a connection of this fanout"
    with capture_logs() as lines:
        ended = await client.delete(f"{PATH}/{item['replica']}/{item['id']}")
    assert ended.status == 204
    path = f"{PATH}/{item['replica']}/{item['id']}"
    assert [line["path"] for line in lines if line["event"] == "audit"][-1] == path
    await until(clients[1].closed.is_set, what="the end")
    assert clients[1].events[-1].json["reason"] == "ended_by_admin"
    assert not clients[0].closed.is_set()
    again = await client.delete(path)
    assert again.status == 404
    assert (await again.json(content_type=None))["detail"] == "This connection has ended already."


async def test_only_admins_may_list_and_end_and_the_fanouts_check_it_too(
    start: StartApi, fanouts: StartFanouts, clients: list[SseClient]
) -> None:
    one, two = await fanouts(auth_mode="required", jwt_secret=SECRET)
    client = await start(**REQUIRED, fanout_urls=urls(one, two))
    alice = bearer(token_of(ALICE.public_key, "events:all"))
    clients.append(await one.subscribe("all=true", headers=alice))
    (item,) = (await page_of(client, headers=ADMIN))["items"]
    assert item["account"] == ALICE.public_key
    (found,) = (await page_of(client, f"account={ALICE.public_key}", headers=ADMIN))["items"]
    assert found["id"] == item["id"]
    assert (await page_of(client, f"account={BOB.public_key}", headers=ADMIN))["items"] == []
    path = f"{PATH}/{item['replica']}/{item['id']}"
    cookie = {"Cookie": ADMIN["Authorization"].replace("Bearer ", "headrace_token=")}
    for headers, status in (({}, 401), (alice, 403)):
        assert (await client.get(PATH, headers=headers)).status == status
        assert (await client.delete(path, headers=headers)).status == status
    assert len((await page_of(client, headers=cookie))["items"]) == 1
    assert (await client.delete(path, headers=cookie)).status == 401, "a cookie may only read"
    assert not clients[0].closed.is_set()
    assert (await client.delete(path, headers=ADMIN)).status == 204


async def test_an_api_key_of_an_admin_is_exchanged_for_a_token(
    start: StartApi, fanouts: StartFanouts, clients: list[SseClient]
) -> None:
    (one,) = await fanouts(1, auth_mode="required", jwt_secret=SECRET)
    client = await start(**REQUIRED, fanout_urls=urls(one))
    made = await client.post("/v1/keys", json={"name": "x", "scopes": ["admin"]}, headers=ADMIN)
    key = bearer((await made.json())["key"])
    clients.append(await one.subscribe(headers=ADMIN))
    (item,) = (await page_of(client, headers=key))["items"]
    ended = await client.delete(f"{PATH}/{item['replica']}/{item['id']}", headers=key)
    assert ended.status == 204
