"""The sample receiver of `make run`: what it takes, what it refuses, and what it prints."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from standardwebhooks import Webhook

from deploy.local import receiver
from deploy.local.receiver import Receiver
from shared.webhooks.secrets import new_secret

pytestmark = pytest.mark.io

SECRET = new_secret()
EVENT = {
    "id": "5-0",
    "publishedAt": 1_790_000_000_000_000,
    "type": "stream.paused",
    "streamId": "7",
}

Client = TestClient[web.Request, web.Application]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    app = web.Application()
    app.router.add_post("/", Receiver(SECRET).take)
    async with TestClient(TestServer(app)) as client:
        yield client


async def deliver(
    client: Client, message: Any, message_id: str, *, age: float = 0, secret: str = SECRET
) -> int:
    """The status of the answer to a delivery that was signed `age` seconds ago."""
    body, at = json.dumps(message), datetime.now(UTC) - timedelta(seconds=age)
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, at, body),
    }
    async with client.post("/", data=body, headers=headers) as response:
        return response.status


async def test_it_prints_a_line_for_each_event_once(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await deliver(client, EVENT, "5-0") == 204
    assert await deliver(client, EVENT, "5-0") == 204, "else it would come for ever"
    batch = {"events": [EVENT, EVENT | {"id": "6-0", "type": "stream.resumed"}]}
    assert await deliver(client, batch, "6-0") == 204
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "stream.paused" in line and "#7" in line] == lines[:1]
    assert lines[1:3] == ["  verified, and not new: 5-0"] * 2
    assert "stream.resumed" in lines[3]
    assert len(lines) == 4


async def test_it_takes_what_is_no_event(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    gap = {"type": "gap", "from": "1-0", "to": "4-0"}
    assert await deliver(client, gap, "gap-1-0-4-0") == 204
    assert capsys.readouterr().out == f"  verified  {gap}\n"


@pytest.mark.parametrize("wrong", [{"secret": new_secret()}, {"age": 600.0}])
async def test_it_refuses_a_wrong_or_old_signature(
    client: Client, capsys: pytest.CaptureFixture[str], wrong: dict[str, Any]
) -> None:
    assert await deliver(client, EVENT, "5-0", **wrong) == 401
    assert capsys.readouterr().out.startswith("  refused: ")
    async with client.post("/", data="{}") as response:
        assert response.status == 401, "no signature at all"


async def test_it_remembers_a_bounded_number_of_ids(
    client: Client, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver, "MOST_IDS", 2)
    for number in (1, 2, 3, 3, 1):
        assert await deliver(client, EVENT | {"id": f"{number}-0"}, f"{number}-0") == 204
    lines = capsys.readouterr().out.splitlines()
    assert [("not new" in line) for line in lines] == [False, False, False, True, False]
