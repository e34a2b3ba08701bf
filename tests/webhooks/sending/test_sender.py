"""What a delivery looks like to a receiver, and what its answer means."""

from __future__ import annotations

import asyncio
import time

import pytest
from aiohttp import web
from standardwebhooks import Webhook
from structlog.testing import capture_logs

from services.webhooks.metrics import Outcome
from shared import __version__
from shared.webhooks.attempts import AttemptKind
from tests.support.pace import last
from tests.support.web import serving
from tests.webhooks.sending.samples import SECRET, endpoint, message, sending

pytestmark = pytest.mark.io

BODY = '{"type":"stream.created","metadata":"é"}'.encode()


async def test_a_delivery_is_a_signed_post_of_the_very_body() -> None:
    came: list[web.Request] = []

    async def take(request: web.Request) -> web.Response:
        Webhook(SECRET).verify(await request.read(), dict(request.headers))
        came.append(request)
        assert await request.read() == BODY
        return web.Response(status=202, text="thank you")

    async with serving(web.post("/hook", take)) as port, sending() as sender:
        before = time.time()
        url = f"http://127.0.0.1:{port}/hook?key=a%2Fb"
        result = await sender.send(endpoint(url), message(7, BODY))
    attempt = result.attempt
    assert result.outcome is Outcome.TAKEN
    assert (attempt.status, attempt.answer, attempt.error) == (202, "thank you", "")
    assert (attempt.message_id, attempt.events, attempt.kind) == ("7-1", 1, AttemptKind.EVENT)
    assert before <= attempt.at <= time.time()
    assert 0 < attempt.seconds <= time.time() - before
    assert came[0].raw_path == "/hook?key=a%2Fb"
    assert {name.lower(): value for name, value in came[0].headers.items()} == {
        "host": f"127.0.0.1:{port}",
        "content-type": "application/json",
        "content-length": str(len(BODY)),
        "user-agent": f"Headrace/{__version__}",
        "accept-encoding": "identity",
        **{name: value for name, value in came[0].headers.items() if name.startswith("webhook-")},
    }


async def test_a_connection_is_used_again_and_cookies_are_not() -> None:
    peers, cookies = set(), []

    async def take(request: web.Request) -> web.Response:
        assert request.transport
        peers.add(request.transport.get_extra_info("peername"))
        cookies.append(request.headers.get("Cookie"))
        return web.Response(headers={"Set-Cookie": "a=b"})

    async with serving(web.post("/", take)) as port, sending() as sender:
        for number in range(5):
            await sender.send(endpoint(f"http://127.0.0.1:{port}/"), message(number))
    assert (len(peers), cookies) == (1, [None] * 5)


@pytest.mark.parametrize(
    ("status", "outcome", "words"),
    [
        (200, Outcome.TAKEN, ""),
        (204, Outcome.TAKEN, ""),
        (302, Outcome.REFUSED, "redirect"),
        (404, Outcome.REFUSED, "answered 404: expected 2xx"),
        (410, Outcome.GONE, "410 (Gone)"),
        (503, Outcome.REFUSED, "answered 503"),
    ],
)
async def test_only_2xx_acknowledges(status: int, outcome: Outcome, words: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Retry-After": "120", "Location": "/other"})

    async with serving(web.post("/", answer)) as port, sending() as sender:
        result = await sender.send(endpoint(f"http://127.0.0.1:{port}/?key=hidden"), message())
    assert (result.outcome, result.attempt.status) == (outcome, status)
    assert words in result.attempt.error
    assert "hidden" not in result.attempt.error
    assert result.retry_after == (None if outcome is Outcome.TAKEN else 120)


async def test_the_beginning_of_the_answer_is_kept_as_text() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=500, body="\x00é".encode() + b"x" * 9_000)

    async with serving(web.post("/", answer)) as port, sending() as sender:
        result = await sender.send(endpoint(f"http://127.0.0.1:{port}/"), message())
    assert result.attempt.answer == "\ufffdé" + "x" * 253


async def test_a_defect_that_a_receiver_finds_is_a_failed_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is logged with its traceback. Without an attempt, there would be no pause and no end."""

    def defect(*_: object) -> None:
        raise TypeError("a defect")

    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=503)

    monkeypatch.setattr("services.webhooks.sending.sender.retry_after", defect)
    async with serving(web.post("/", refuse)) as port, sending() as sender:
        to = endpoint(f"http://127.0.0.1:{port}/")
        with capture_logs() as logs:
            result = await sender.send(to, message())
    assert result.outcome is Outcome.UNREACHABLE
    assert result.attempt.error == "the request to 127.0.0.1 failed (TypeError)"
    [line] = logs
    assert (line["event"], line["webhook"]) == ("webhook_attempt_failed", to.id)
    assert line["exc_info"]


@pytest.mark.parametrize(
    "url",
    [
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://2130706433/",
        "https://127.1/",
        "https://127.0.0.1./",
        "https://127.0.0.0x1/",
        "https://[::1%25eth0]/",
        "http://shop.example/",
        "https://user:password@shop.example/",
        "https://shop.example\\@10.0.0.1/",
        "https://",
    ],
)
async def test_a_stored_url_that_may_not_be_used_is_not_used(url: str) -> None:
    async with sending(webhook_allowed_networks="") as sender:
        result = await sender.send(endpoint(url), message())
    assert result.outcome is Outcome.FORBIDDEN
    assert result.attempt.status is None
    assert "password" not in result.attempt.error.replace("a password", "")


async def test_a_cancelled_delivery_gives_its_place_back() -> None:
    async def hang(request: web.Request) -> web.Response:
        if request.query:
            await asyncio.Event().wait()
        return web.Response()

    async with (
        serving(web.post("/", hang)) as port,
        sending(webhook_connections=1, webhook_slow_connections=1) as sender,
    ):
        url = f"http://127.0.0.1:{port}/"
        tasks = [
            asyncio.create_task(sender.send(endpoint(url + "?hang"), message())) for _ in range(3)
        ]
        await last(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (await sender.send(endpoint(url), message())).outcome is Outcome.TAKEN


async def test_a_secret_that_cannot_be_read_sends_nothing() -> None:
    from shared.webhooks.endpoint import SealedSecret  # noqa: PLC0415

    async with sending() as sender:
        lost = endpoint("http://127.0.0.1:1/", SealedSecret("fernet:gAAAA"))
        result = await sender.send(lost, message())
    assert result.outcome is Outcome.UNSIGNED
    assert "WEBHOOK_SECRET_KEYS" in result.attempt.error
