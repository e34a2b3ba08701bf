"""Client sessions use the proxy of the environment, except for the hosts in NO_PROXY."""

from __future__ import annotations

import ast
import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from structlog.testing import capture_logs
from yarl import URL

from shared.web import client as http
from tests.support.proxy import Proxy, proxying
from tests.support.web import serving
from tests.test_architecture import PARTS, ROOT, modules, name_of, offences, tree

pytestmark = pytest.mark.timeout(20)


@pytest.fixture
async def server() -> AsyncIterator[int]:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.host}{request.rel_url}")

    async with serving(web.get("/{path:.*}", hello)) as port:
        yield port


@pytest.fixture
async def proxy(server: int, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    for name in ("http_proxy", "https_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with proxying(horizon_example=server) as made:
        monkeypatch.setenv("HTTP_PROXY", made.url)
        monkeypatch.setenv("HTTPS_PROXY", made.url.replace("//", "//user:geheim@"))
        yield made


def _no_address(host: str, *_: object, **__: object) -> list[Any]:
    if host == "127.0.0.1":
        kind = (socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(socket.AF_INET, *kind, (host, 0))]
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.io
async def test_http_goes_through_the_proxy_with_path_and_query(proxy: Proxy) -> None:
    async with http.session() as session, session.get("http://horizon.example/p?k=v") as response:
        assert await response.text() == "horizon.example/p?k=v"
    assert proxy.asked == ["GET http://horizon.example/p?k=v"]


@pytest.mark.io
async def test_https_uses_a_tunnel_with_the_password_of_the_proxy(proxy: Proxy) -> None:
    async with http.session() as session:
        with pytest.raises(aiohttp.ClientHttpProxyError) as caught:
            await session.get("https://elsewhere.example/?api-key=geheim2")
    assert proxy.asked == ["CONNECT elsewhere.example:443"]
    assert "Proxy-Authorization: Basic" in proxy.heads[0]
    assert http.reason(caught.value) == "ClientHttpProxyError: 403 Forbidden"


@pytest.mark.io
async def test_traces_are_sent_through_the_proxy(proxy: Proxy) -> None:
    """The exporter of OpenTelemetry has its own client, which reads the same variables."""
    exporter = OTLPSpanExporter(endpoint="http://collector.example:4318/v1/traces")
    await asyncio.to_thread(exporter.export, [])
    assert proxy.asked == ["POST http://collector.example:4318/v1/traces"]


@pytest.mark.io
@pytest.mark.parametrize(
    "spared", ["127.0.0.1", "localhost, 127.0.0.1,::1", "*", "example,127.0.0.1"]
)
async def test_hosts_in_no_proxy_are_called_directly_at_any_port(
    proxy: Proxy, server: int, spared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", spared)
    url = f"http://127.0.0.1:{server}/"
    async with http.session() as session, session.get(url) as response:
        assert response.status == 200
    assert proxy.asked == []
    assert await http.proxy_of(URL(url)) is None


@pytest.mark.io
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("no_proxy", ["", "Example", "shop.example.", "shop.example:1", "*", ","])
@pytest.mark.parametrize("host", ["shop.example", "SHOP.example", "shop.example."])
async def test_a_session_uses_the_proxy_that_is_told(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, scheme: str, no_proxy: str, host: str
) -> None:
    """Whatever the environment has. aiohttp ignores a proxy whose URL is https."""
    monkeypatch.setenv("NO_PROXY", no_proxy)
    monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("http:", "https:"))
    monkeypatch.setattr("socket.getaddrinfo", _no_address)
    url = URL(f"{scheme}://{host}:1/")
    told = await http.proxy_of(url)
    async with http.session() as session:
        with suppress(aiohttp.ClientError):
            await session.get(url)
    assert bool(told) == bool(proxy.asked)
    assert told is None or str(told) == proxy.url


@pytest.mark.io
async def test_a_request_can_name_the_proxy_itself(proxy: Proxy) -> None:
    """With `trust_env` of False, the environment decides nothing."""
    url = URL("https://elsewhere.example/")
    async with http.session(trust_env=False) as session:
        with pytest.raises(aiohttp.ClientHttpProxyError):
            await session.get(url, proxy=await http.proxy_of(url))
        assert "Proxy-Authorization: Basic dXNlcjpnZWhlaW0=" in proxy.heads[0]
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get("https://127.0.0.1:9/")
    assert len(proxy.asked) == 1


@pytest.mark.io
async def test_loopback_uses_the_proxy_unless_it_is_in_no_proxy(proxy: Proxy, server: int) -> None:
    async with http.session() as session, session.get(f"http://127.0.0.1:{server}/") as response:
        assert response.status == 403
    assert proxy.asked == [f"GET http://127.0.0.1:{server}/"]


@pytest.mark.io
@pytest.mark.parametrize("entry", ["127.0.0.0/8", "127.0.0.1:{port}", "[::1]"])
async def test_networks_and_ports_in_no_proxy_match_nothing_and_are_logged(
    proxy: Proxy, server: int, entry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = entry.format(port=server)
    monkeypatch.setenv("NO_PROXY", f".svc,::1,{entry}")
    with capture_logs() as logs:
        async with http.session() as session:
            await session.get(f"http://127.0.0.1:{server}/")
    assert len(proxy.asked) == 1
    [line] = [each for each in logs if each["event"] == "no_proxy_ignored"]
    assert line["entries"] == [entry]


@pytest.mark.io
async def test_without_a_proxy_sessions_do_not_trust_the_environment(
    server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "getproxies", dict)
    async with http.session() as session:
        assert not session.trust_env
        async with session.get(f"http://127.0.0.1:{server}/") as response:
            assert response.status == 200


@pytest.mark.io
async def test_the_text_of_an_error_shows_no_url() -> None:
    async with http.session() as session:
        with pytest.raises(aiohttp.InvalidURL) as caught:
            await session.get("http://:8000/?api-key=geheim")
        assert "geheim" not in http.reason(caught.value)
        with pytest.raises(aiohttp.ClientConnectorError) as refused:
            await session.get("http://user:geheim@127.0.0.1:9/")
    assert "127.0.0.1:9" in http.reason(refused.value)
    assert "geheim" not in http.reason(refused.value)
    assert http.reason(TimeoutError()) == "TimeoutError"


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37+00:00"),
        ("Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37+00:00"),
        ("Sun Nov  6 08:49:37 1994", "1994-11-06T08:49:37+00:00"),
        ("Mon, 01 Jan 99999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2029 00:00:00 +99999999999999999", None),
        ("Mon, 01 Jan 2029 00:00:00 +2400", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_date_has_three_forms(text: str, date: str | None) -> None:
    parsed = http.http_date(text)
    assert (parsed and parsed.isoformat()) == date


_NUMBER = st.sampled_from(("0", "1", "59", "2029", "")) | st.integers().map(str)


@given(st.text() | st.builds("Mon, {} Jan {} {}:{}:00 {}".format, *[_NUMBER] * 5))
def test_no_text_of_a_date_raises(text: str) -> None:
    parsed = http.http_date(text)
    assert parsed is None or isinstance(parsed.timestamp(), float)


def calls(path: Path) -> Iterator[tuple[int, str]]:
    """The line and the last name of each call: `ClientSession` for `aiohttp.ClientSession(…)`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Attribute(attr=name) | ast.Name(id=name):
                    yield node.lineno, name


def test_sessions_are_created_in_one_module() -> None:
    """A session that is created elsewhere would ignore the proxy of the environment."""
    makers = {"ClientSession", "urlopen", "HTTPConnection", "HTTPSConnection"}
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}: use shared.web.client.session"
        for path in modules(*PARTS)
        if name_of(path) != "shared.web.client"
        and "helm" not in path.parts  # runs in a pod that has only Python's own library
        for line, name in calls(path)
        if name in makers
    ]
    assert found == []
    assert offences(modules(*PARTS), "requests", "httpx") == []
