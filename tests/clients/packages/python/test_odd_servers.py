"""Servers that repeat themselves, answer with something else, or send what no Headrace sends."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import orjson
import pytest
from aiohttp import web
from headrace_client import Changed, Loaded, NotFoundError, ProtocolError
from pytest_aiohttp import AiohttpServer

from tests.clients.packages.python.conftest import Connect
from tests.clients.packages.python.reader import Reader
from tests.support.waiting import until

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CONNECTED = b'retry: 10\ndata: {"type":"connected"}\nid: 5-0\n\n'


def event(position: str) -> bytes:
    data = {
        "id": position,
        "type": "stream.paused",
        "streamId": "7",
        "timestamp": 1,
        "publishedAt": 1,
        "origin": "chain",
    }
    return b"event: stream.paused\ndata: %b\nid: %b\n\n" % (orjson.dumps(data), position.encode())


class Script:
    """Answers each connection with the next of these handlers or bodies; the last one again."""

    def __init__(self, *answers: bytes | Handler) -> None:
        self._answers = list(answers)
        self.ids: list[str | None] = []
        self.times: list[float] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.ids.append(request.headers.get("Last-Event-ID"))
        self.times.append(asyncio.get_running_loop().time())
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if callable(answer):
            return await answer(request)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(answer)
        return response

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/v1/events/subscribe", self.answer)
        return app


@pytest.fixture
async def serve(aiohttp_server: AiohttpServer) -> Callable[..., Awaitable[tuple[Script, int]]]:
    async def serve(*answers: bytes | Handler) -> tuple[Script, int]:
        script = Script(*answers)
        return script, (await aiohttp_server(script.app())).port or 0

    return serve


Serve = Callable[..., Awaitable[tuple[Script, int]]]


async def test_an_event_that_a_server_repeats_is_returned_once(
    serve: Serve, connect: Connect
) -> None:
    script, port = await serve(
        CONNECTED + event("5-1") + event("6-0") + event("5-1") + event("5-2"),
        CONNECTED + event("6-0") + event("10-0") + event("9-0"),
    )
    async with Reader(connect(port), all=True) as reader:
        await reader.has("10-0")
        await until(lambda: len(script.ids) >= 3, what="a third connection")
        assert reader.ids == ["5-1", "6-0", "10-0"]
    assert script.ids[:3] == [None, "6-0", "10-0"]


async def test_a_reset_moves_back(serve: Serve, connect: Connect) -> None:
    reset = b'event: reset\ndata: {"position":"3-0","reason":"lost"}\nid: 3-0\n\n'
    script, port = await serve(CONNECTED + event("5-1") + reset + event("4-0"), CONNECTED)
    async with Reader(connect(port), all=True, on_reset=lambda _: None) as reader:
        await reader.has("4-0")
        await until(lambda: len(script.ids) >= 2, what="a second connection")
    assert reader.ids == ["5-1", "4-0"]
    assert script.ids[1] == "4-0"


async def test_unknown_frames_and_types_of_tomorrow(serve: Serve, connect: Connect) -> None:
    tomorrow = event("6-0").replace(b"stream.paused", b"stream.teleported")
    unknown = b"event: weather\ndata: sunny\n\n".replace(b"sunny", b'"sunny"')
    _, port = await serve(CONNECTED + unknown + tomorrow)
    async with Reader(connect(port), all=True) as reader:
        await reader.has("6-0")
        assert reader.events[0].type == "stream.teleported"


async def test_what_is_no_event_stream_is_an_error(serve: Serve, connect: Connect) -> None:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<html>a login page</html>", content_type="text/html")

    async def circle(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "/v1/events/subscribe"})

    async def missing(_: web.Request) -> web.Response:
        return web.Response(status=404)

    broken = CONNECTED + b"event: sync\ndata: not JSON\n\n"
    cases: list[tuple[bytes | Handler, type[Exception], str]] = [
        (page, ProtocolError, "answered with text/html, expected text/event-stream"),
        (circle, ProtocolError, "redirects again and again"),
        (missing, NotFoundError, "404 http: Not Found"),
        (broken, ProtocolError, "the frame 'sync' cannot be read"),
    ]
    for answer, kind, text in cases:
        _, port = await serve(answer)
        async with Reader(connect(port), all=True) as reader:
            error = await reader.failed()
            assert isinstance(error, kind)
            assert text in str(error)


async def test_after_an_error_the_same_loop_can_go_on(serve: Serve, connect: Connect) -> None:
    broken = CONNECTED + event("6-0") + b"event: sync\ndata: not JSON\n\n" + event("8-0")
    script, port = await serve(broken, CONNECTED + event("7-0"))
    stream = connect(port).events(all=True)
    assert (await anext(stream)).id == "6-0"
    with pytest.raises(ProtocolError):
        await anext(stream)
    assert (await anext(stream)).id == "7-0"
    assert script.ids == [None, "6-0"]
    await stream.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_a_busy_server_is_asked_again_when_it_says(serve: Serve, connect: Connect) -> None:
    async def busy(_: web.Request) -> web.Response:
        return web.json_response(
            {"type": "/problems/overloaded"}, status=429, headers={"Retry-After": "4"}
        )

    async def failed(_: web.Request) -> web.Response:
        return web.Response(status=502, text="bad gateway")

    script, port = await serve(busy, failed, CONNECTED + event("6-0"))
    async with Reader(connect(port), all=True) as reader:
        await reader.has("6-0")
    first, second, third = script.times[:3]
    assert second - first >= 4
    assert third - second >= 0.5
    assert [reason.partition(".")[0] for reason in reader.reasons[:2]] == [
        "429 overloaded: the server gave no reason",
        "502 http: Bad Gateway",
    ]


async def test_connections_that_bring_nothing_come_less_and_less_often(
    serve: Serve, connect: Connect
) -> None:
    overload = b'retry: 10\nevent: overload\ndata: {"reason":"full","retry":10}\n\n'
    script, port = await serve(overload)
    async with Reader(connect(port), all=True) as reader:
        await until(lambda: len(script.times) >= 4, what="four connections")
    waits = [state.wait_seconds for state in reader.states if state.status == "waiting"]
    assert all(0.25 * 2**n <= wait <= 0.5 * 2**n for n, wait in enumerate(waits[:3]))
    gaps = [b - a for a, b in itertools.pairwise(script.times)]
    assert all(gap >= wait - 0.01 for gap, wait in zip(gaps, waits, strict=False))


async def test_followed_streams_are_loaded_again_after_a_reset(
    aiohttp_server: AiohttpServer, connect: Connect
) -> None:
    reset = b'event: reset\ndata: {"position":"3-0","reason":"lost"}\nid: 3-0\n\n'
    pages = iter(["5-0", "4-0"])

    async def page(_: web.Request) -> web.Response:
        return web.json_response({"items": [], "position": next(pages), "next": None})

    script = Script(CONNECTED + reset + event("4-0") + event("4-1"))
    app = script.app()
    app.router.add_get("/v1/streams", page)
    followed = connect((await aiohttp_server(app)).port).follow(all=True)
    steps = [await anext(followed) for _ in range(3)]
    assert steps[:2] == [Loaded("start", "5-0"), Loaded("reset", "4-0")]
    assert isinstance(steps[2], Changed)
    assert steps[2].event.id == "4-1", "the event 4-0 is in the second snapshot"
    assert script.ids == ["5-0"]
    await followed.aclose()


async def test_an_api_key_gets_a_ticket_for_each_connection(
    aiohttp_server: AiohttpServer, connect: Connect
) -> None:
    """Behind a gateway the fanout has the same address as the API, but knows no API key."""
    tickets = iter(["one", "two"])
    seen: list[tuple[str | None, str | None]] = []

    async def ticket(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer hr_key"
        return web.json_response({"ticket": next(tickets), "expiresIn": 30}, status=201)

    async def subscribe(request: web.Request) -> web.StreamResponse:
        seen.append((request.query.get("ticket"), request.headers.get("Authorization")))
        return await Script(CONNECTED + event(f"{len(seen)}0-0")).answer(request)

    app = web.Application()
    app.router.add_post("/v1/events/ticket", ticket)
    app.router.add_get("/v1/events/subscribe", subscribe)
    client = connect((await aiohttp_server(app)).port, token="hr_key")
    stream = client.events(all=True)
    assert [(await anext(stream)).id, (await anext(stream)).id] == ["10-0", "20-0"]
    assert seen == [("one", None), ("two", None)]
    await stream.aclose()


async def test_a_path_before_the_api(aiohttp_server: AiohttpServer, connect: Connect) -> None:
    script, app = Script(CONNECTED + event("6-0")), web.Application()
    app.add_subapp("/headrace/", script.app())
    port = (await aiohttp_server(app)).port
    for path in ("/headrace", "/headrace/"):
        assert (await anext(connect(port, path=path).events(all=True))).id == "6-0"
