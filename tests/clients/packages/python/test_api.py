"""The calls of the API, against a real one: typed answers and typed errors."""

from __future__ import annotations

import re
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from headrace_client import (
    Client,
    InvalidRequestError,
    NotFoundError,
    ProblemError,
    ProtocolError,
    RateLimitedError,
    RefusedError,
    ServerError,
    ServerUnreachableError,
    StaleVersionError,
)
from headrace_client.errors import _ADVICE
from pytest_aiohttp import AiohttpServer

from tests.api.conftest import clock, start
from tests.clients.packages.python.conftest import Connect
from tests.fanout.replicas import ALICE, BOB, CONTRACT
from tests.support.waiting import free_port
from tests.support.web_client import StartApi
from tests.test_architecture import ROOT

__all__ = ["clock", "start"]


@pytest.fixture
async def client(start: StartApi, connect: Connect) -> Client:
    api = await start(tokens=(f"{CONTRACT}=USDC:7",))
    return connect(api.port)


async def create(client: Client, **more: Any) -> Any:
    given: dict[str, Any] = {
        "sender": ALICE,
        "recipient": BOB,
        "token_address": CONTRACT,
        "rate_per_second": 11,
        "deposited_amount": 995_000,
    }
    return await client.create_stream(**(given | more))


async def test_the_life_of_a_stream(client: Client) -> None:
    made = await create(client, metadata={"label": "rent"})
    assert (made.version, made.status, made.deposited_amount) == (1, "active", 995_000)
    assert made.claimable
    assert made.metadata == {"label": "rent"}
    assert made.schedule.kind == "linear"
    changed = await client.set_metadata(made.id, {"note": "x"}, version=1)
    assert (changed.version, changed.metadata) == (2, {"note": "x"})
    assert (await client.top_up(made.id, 5, idempotency_key="invoice-7")).version == 3
    assert (await client.top_up(made.id, 5, idempotency_key="invoice-7")).version == 3
    assert (await client.accept(made.id)).acceptance == "accepted"
    assert (await client.pause(made.id)).status == "paused"
    assert (await client.resume(made.id)).status == "active"
    assert (await client.hide(made.id)).acceptance == "hidden"
    assert (await client.cancel(made.id)).status == "cancelled"
    now = await client.stream(made.id)
    assert (now.id, now.status, now.deposited_amount) == (made.id, "cancelled", 995_005)


async def test_pages_of_streams_and_events(client: Client) -> None:
    made = [(await create(client)).id for _ in range(5)]
    page = await client.stream_page(sender=ALICE, limit=2, order="asc")
    assert [stream.id for stream in page.items] == sorted(made)[:2], "made in the same second"
    assert page.next
    assert page.tokens[CONTRACT].symbol == "USDC"
    listed = [stream.id async for stream in client.streams(user=ALICE, order="asc")]
    assert listed == sorted(made)
    events = [event async for event in client.history(users=[BOB], order="asc")]
    assert [event.stream_id for event in events] == made
    assert [event.type for event in events] == ["stream.created"] * 5
    assert events[0].stream == await client.stream(made[0])
    short = await client.event_page(streams=[made[1]], types=["stream.created"], limit=1)
    assert [event.stream_id for event in short.items] == [made[1]]
    newest = [event.id async for event in client.history(all=True)]
    assert newest == [event.id for event in reversed(events)]


async def test_tokens_and_summaries(client: Client) -> None:
    made = await create(client, recipient=ALICE, sender=BOB)
    await client.accept(made.id)
    token = await client.token(CONTRACT)
    assert token.show(125_000_000) == "12.50 “USDC”"
    summary = await client.summary(ALICE)
    assert summary.api.streams == 1
    assert summary.api.tokens[0].received["remaining"] == 995_000
    assert summary.api.counts["received"]["active"] == 1
    assert summary.tokens == {CONTRACT: token}
    info = await client.info()
    assert info["authMode"] == "open"


async def test_each_refusal_is_a_typed_error(client: Client) -> None:
    made = await create(client)
    with pytest.raises(NotFoundError, match=r"404 not-found: .* Check the id\."):
        await client.stream("999999")
    with pytest.raises(StaleVersionError) as stale:
        await client.pause(made.id, version=7)
    assert stale.value.advice == "Read the stream again, and use its version."
    with pytest.raises(RefusedError) as refused:
        await client.resume(made.id)
    assert (refused.value.status, refused.value.slug) == (409, "refused")
    with pytest.raises(InvalidRequestError) as invalid:
        await create(client, sender="G1", rate_per_second=-1)
    assert {error["pointer"] for error in invalid.value.errors} == {"/sender", "/ratePerSecond"}
    assert "/sender: " in str(invalid.value)
    assert invalid.value.title == "Invalid"
    assert invalid.value.request_id
    with pytest.raises(InvalidRequestError):
        await client.stream_page(limit=1000)


def test_there_is_advice_for_each_type_of_problem_in_the_page() -> None:
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    slugs = set(re.findall(r"^\| [\d, ]+ \| `([a-z-]+)` \|", page, re.M))
    assert slugs - {"method-not-allowed", "unsupported-media-type"} == set(_ADVICE)


class Flaky:
    """A server that fails a number of times before it answers."""

    def __init__(self, *failures: web.Response | None) -> None:
        self.failures = list(failures)
        self.keys: list[str | None] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.keys.append(request.headers.get("Idempotency-Key"))
        if not self.failures:
            return web.json_response({"address": CONTRACT})
        failure = self.failures.pop(0)
        if failure is None:
            assert request.transport
            request.transport.abort()
            return web.Response()
        return failure

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        return app


async def test_a_call_is_repeated_with_the_same_key(
    aiohttp_server: AiohttpServer, connect: Connect
) -> None:
    busy = web.json_response({"type": "/problems/unavailable"}, status=503)
    flaky = Flaky(None, busy)
    client = connect((await aiohttp_server(flaky.app())).port)
    with pytest.raises(ProtocolError, match="has no field 'id'"):
        await client.pause("7")
    assert len(flaky.keys) == 3
    assert len(set(flaky.keys)) == 1
    assert flaky.keys[0]


async def test_what_does_not_pass_by_itself_is_not_repeated(
    aiohttp_server: AiohttpServer, connect: Connect
) -> None:
    later = web.json_response(
        {"type": "/problems/rate-limited"}, status=429, headers={"Retry-After": "3600"}
    )
    html = web.Response(text="<html>", content_type="text/html")
    bad = web.Response(text="<html>", status=500)
    moved = web.Response(status=302, headers={"Location": "http://localhost/login"})
    flaky = Flaky(later, html, bad, moved)
    client = connect((await aiohttp_server(flaky.app())).port)
    expected: list[tuple[type[Exception], str]] = [
        (RateLimitedError, "429 rate-limited"),
        (ProtocolError, "did not answer with JSON"),
        (ServerError, "500 http: Internal Server Error"),
        (ProtocolError, "redirects to another place"),
    ]
    for number, (kind, text) in enumerate(expected, start=1):
        with pytest.raises(kind, match=text) as caught:
            await client.token(CONTRACT)
        assert len(flaky.keys) == number
        if isinstance(caught.value, RateLimitedError):
            assert caught.value.retry_after == 3600
        assert isinstance(caught.value, ProblemError | ProtocolError)


@pytest.mark.io
async def test_an_unreachable_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace_client.http._TRIES", 2)
    async with Client(f"http://127.0.0.1:{free_port()}") as client:
        with pytest.raises(ServerUnreachableError, match=r"GET http://127\.0\.0\.1:"):
            await client.info()


async def test_a_url_that_cannot_be_right_is_refused() -> None:
    for url in ("localhost:3001", "ftp://x", "https://", "https://x/?a=b", "https://u:p@x/"):
        async with aiohttp.ClientSession() as session:
            with pytest.raises(ValueError, match="URL of a server") as caught:
                Client(url, session=session)
            assert ":p@" not in str(caught.value)
