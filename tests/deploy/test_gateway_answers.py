"""What each gateway answers itself: who may read it, when to come back, how long a head may be.

For each of them the API is a fanout too: it has the services' own CORS.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from services.fanout.subscribe.last_event_id import RESUME_PARAMETERS
from shared.journal.keys import Keys
from tests.clients.raw_client import RawClient
from tests.deploy.fanouts import PORT, Fanouts
from tests.deploy.gateways import Gateway, gateway, local_gateway
from tests.fanout.replicas import SUBSCRIBE
from tests.support.name_server import name_server
from tests.support.sse_parser import Parser
from tests.support.waiting import until

pytestmark = [pytest.mark.timeout(90), pytest.mark.asyncio(loop_scope="module")]

GATEWAYS = ("deployment", "nginx", "caddy")
PAGE = "https://app.example"
ACCESS = {
    "AUTH_MODE": "required",
    "JWT_SECRET": "x" * 32,
    "CORS_ORIGINS": f"{PAGE},https://b.example",
}
PREFLIGHT = {
    "Access-Control-Request-Method": "GET",
    "Access-Control-Request-Headers": "last-event-id",
}
NOBODY = "127.0.0.1:1"
BY_EVENT = f"{SUBSCRIBE}?all=true"
BY_STATUS = f"{BY_EVENT}&on_overload=status"


@asynccontextmanager
async def each_gateway(folder: Path, behind: str) -> AsyncIterator[dict[str, Gateway]]:
    """All three gateways, with this address and port as their only fanout and as their API."""
    address, _, port = behind.partition(":")
    async with AsyncExitStack() as stack:
        names = await stack.enter_async_context(name_server({"behind": [address]}))
        to = {"FANOUT": f"behind:{port}", "API": f"behind:{port}"}
        fronts = {}
        with pytest.MonkeyPatch.context() as environment:
            for name, value in ACCESS.items():
                environment.setenv(name, value)
            for kind in GATEWAYS:
                (folder / kind).mkdir()
                fronts[kind] = await stack.enter_async_context(
                    gateway(folder / kind, names, **to)
                    if kind == "deployment"
                    else local_gateway(kind, folder / kind, [behind], behind)
                )
        yield fronts


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def deserted(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Gateway]]:
    """Each gateway without any service behind it."""
    async with each_gateway(tmp_path_factory.mktemp("deserted"), NOBODY) as fronts:
        yield fronts


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fanout(redis_url: str) -> AsyncIterator[str]:
    """The address and port of a fanout."""
    keys = Keys(f"test-{secrets.token_hex(6)}")
    async with name_server({}) as names, Fanouts(redis_url, keys, names) as fanouts:
        yield f"{await fanouts.start(CORS_ORIGINS=ACCESS['CORS_ORIGINS'])}:{PORT}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def peopled(
    tmp_path_factory: pytest.TempPathFactory, fanout: str
) -> AsyncIterator[dict[str, Gateway]]:
    """Each gateway with a fanout behind it."""
    async with each_gateway(tmp_path_factory.mktemp("peopled"), fanout) as fronts:
        yield fronts


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(20)) as session:
        yield session


@pytest.fixture(params=GATEWAYS)
def empty(request: pytest.FixtureRequest, deserted: dict[str, Gateway]) -> str:
    """The URL of a gateway without any service behind it."""
    return f"http://127.0.0.1:{deserted[request.param].port}"


@pytest.fixture(params=GATEWAYS)
def port(request: pytest.FixtureRequest, peopled: dict[str, Gateway]) -> int:
    """The port of a gateway with a fanout behind it."""
    return peopled[request.param].port


def cors(response: aiohttp.ClientResponse) -> dict[str, str]:
    found = {k: v for k, v in response.headers.items() if k.startswith("Access-Control-")}
    return found | {"Vary": response.headers["Vary"]}


@pytest.mark.parametrize("path", ["/v1/streams", BY_STATUS])
async def test_an_allowed_page_can_read_a_503_and_its_retry_after(
    http: aiohttp.ClientSession, empty: str, path: str
) -> None:
    async with http.get(empty + path, headers={"Origin": PAGE}) as response:
        assert response.status == 503
        assert response.content_type == "application/problem+json"
        assert (await response.json())["type"] == "/problems/unavailable"
        assert response.headers.getall("X-Content-Type-Options") == ["nosniff"]
        assert 4 <= int(response.headers["Retry-After"]) <= 7
        assert cors(response) == {
            "Access-Control-Allow-Origin": PAGE,
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": "Retry-After",
            "Vary": "Origin",
        }


@pytest.mark.parametrize("path", ["/v1/streams", BY_STATUS, BY_EVENT])
async def test_pages_of_other_origins_read_nothing(
    http: aiohttp.ClientSession, empty: str, path: str
) -> None:
    async def read(origin: str) -> None:
        async with http.get(empty + path, headers={"Origin": origin} if origin else {}) as response:
            assert "Access-Control-Allow-Origin" not in response.headers
            assert "Access-Control-Allow-Credentials" not in response.headers
            assert response.headers["Vary"] == "Origin"

    await asyncio.gather(*map(read, ("", "https://evil.example", f"{PAGE}.evil.example", "null")))


async def test_an_event_source_gets_overload_in_band(
    http: aiohttp.ClientSession, empty: str
) -> None:
    async with http.get(empty + BY_EVENT, headers={"Origin": PAGE}) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        assert response.headers["Cache-Control"] == "no-store, no-transform"
        assert cors(response) == {
            "Access-Control-Allow-Origin": PAGE,
            "Access-Control-Allow-Credentials": "true",
            "Vary": "Origin",
        }
        parser = Parser()
        (event,) = parser.feed(await response.read())
        assert event.name == "overload"
        assert event.json == {
            "reason": "no replica can take this connection now",
            "retry": parser.retry,
        }
        assert parser.faults == []
        assert event.own_id is None


@pytest.mark.parametrize("where", ["header", *RESUME_PARAMETERS])
async def test_overload_has_the_requested_id(
    http: aiohttp.ClientSession, empty: str, where: str
) -> None:
    async def told(given: str) -> str | None:
        headers = {"Last-Event-ID": given} if where == "header" else {}
        query = {} if where == "header" else {where: given}
        async with http.get(empty + BY_EVENT, headers=headers, params=query) as response:
            parser = Parser()
            (event,) = parser.feed(await response.read())
            assert parser.faults == []
            return event.own_id

    position = "103079219200-0"
    forged = "1-0\tx" if where == "header" else "1-0\nid: 9-9"
    asked = await asyncio.gather(*map(told, (position, "1-0\u00e9", "x" * 200, forged)))
    assert asked == [position, None, None, None]


async def test_clients_refused_together_get_different_retry_times(
    http: aiohttp.ClientSession, empty: str
) -> None:
    async def wait(path: str) -> int:
        async with http.get(empty + path) as response:
            if path == BY_STATUS:
                return int(response.headers["Retry-After"])
            return int((await response.text()).partition("retry: ")[2].partition("\n")[0])

    waits = await asyncio.gather(*(wait(BY_EVENT) for _ in range(60)))
    assert all(4000 <= each < 8000 for each in waits)
    assert len(set(waits)) > 50
    assert max(waits) - min(waits) > 2000
    assert len(set(await asyncio.gather(*(wait(BY_STATUS) for _ in range(40))))) >= 3


@pytest.mark.parametrize("path", ["/v1/streams", BY_EVENT, BY_STATUS])
async def test_a_preflight_is_answered_as_the_services_do(
    http: aiohttp.ClientSession, empty: str, fanout: str, path: str
) -> None:
    """Otherwise a page could not even read when to come back."""
    async with http.options(
        f"http://{fanout}{path}", headers={"Origin": PAGE} | PREFLIGHT
    ) as response:
        status, expected = response.status, cors(response)
    async with http.options(empty + path, headers={"Origin": PAGE} | PREFLIGHT) as response:
        assert (response.status, cors(response)) == (status, expected)


@pytest.mark.parametrize("host", ["stage.example", "[::1]:3001"])
async def test_any_host_header_is_accepted(
    http: aiohttp.ClientSession, port: int, host: str
) -> None:
    async with http.get(f"http://127.0.0.1:{port}/livez", headers={"Host": host}) as response:
        assert (response.status, await response.text()) == (200, "ok\n")


def head(port: int, target: str, header: str, size: int) -> bytes:
    """A request of this size: either its target or its header is that long."""

    def request(filler: str) -> str:
        in_target, in_header = ("", f"{header}{filler}\r\n") if header else (f"&x={filler}", "")
        return f"GET {target}{in_target} HTTP/1.1\r\nHost: localhost:{port}\r\n{in_header}\r\n"

    return request("x" * (size - len(request("")))).encode()


@pytest.mark.parametrize("header", ["", "Authorization: Bearer ", "Cookie: a="])
@pytest.mark.parametrize("target", [BY_EVENT, "/livez?a=b"])
async def test_request_heads_of_64_kb_reach_the_service(
    port: int, target: str, header: str
) -> None:
    client = await RawClient.connect(port, head(port, target, header, 1 << 16))
    await until(lambda: client.status, what="an answer")
    assert client.status == 200, bytes(client.received)[:300]
    client.close()


@pytest.mark.parametrize("header", ["", "Authorization: Bearer "])
async def test_longer_request_heads_get_414_or_431(port: int, header: str) -> None:
    client = await RawClient.connect(port, head(port, BY_EVENT, header, 200_000))
    await client.wait_closed()
    assert client.status in (414, 431)
