"""A receiver on loopback: it verifies each delivery, and answers as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer
from standardwebhooks.webhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLwSw"


class Delivery(NamedTuple):
    """One request. `path` tells the endpoint."""

    path: str
    id: str
    body: bytes

    @property
    def ids(self) -> list[str]:
        """The ids of the events in the body."""
        document = orjson.loads(self.body)
        events = document.get("events", [document])
        return [each["id"] for each in events if "id" in each]  # a gap and a reset have none


class Receiver:
    """`answer` returns the status of each answer. `taken` has what was answered with 2xx."""

    def __init__(self) -> None:
        self.answer: Callable[[Delivery], int | web.Response] = lambda _: 200
        self.asked: list[Delivery] = []
        self.taken: list[Delivery] = []
        self.hold = asyncio.Event()  # answers wait for it
        self.hold.set()
        self.base = ""

    def url(self, name: str = "hook") -> str:
        """The URL of an endpoint."""
        return f"{self.base}/{name}"

    def ids(self, name: str = "hook") -> list[str]:
        """The ids of the events that this endpoint has acknowledged, in order."""
        return [own for each in self.taken if each.path == f"/{name}" for own in each.ids]

    def kinds(self, name: str = "hook") -> list[str]:
        """The types of all deliveries that this endpoint has acknowledged, in order."""
        bodies = [orjson.loads(each.body) for each in self.taken if each.path == f"/{name}"]
        return [str(each["type"]) for each in bodies]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Take one delivery."""
        body = await request.read()
        Webhook(SECRET).verify(body, dict(request.headers))
        delivery = Delivery(request.path, request.headers["webhook-id"], body)
        self.asked.append(delivery)
        answer = self.answer(delivery)
        await self.hold.wait()
        response = web.Response(status=answer) if isinstance(answer, int) else answer
        if 200 <= response.status < 300:
            self.taken.append(delivery)
        return response


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that listens on a free port."""
    receiver, app = Receiver(), web.Application()
    app.router.add_post("/{name}", receiver.handle)
    async with TestServer(app) as server:
        receiver.base = str(server.make_url("")).rstrip("/")
        yield receiver
