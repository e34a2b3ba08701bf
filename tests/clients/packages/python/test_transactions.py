"""The calls for transactions, against a server that plays the API.

tests/docs/test_transactions_guide.py runs some of them against a real one.
"""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from headrace_client import (
    Client,
    Fee,
    InvalidRequestError,
    NotFoundError,
    ProtocolError,
    ServerError,
    TransactionFailure,
)
from pytest_aiohttp import AiohttpServer

from tests.clients.packages.python.conftest import Connect

HASH = "ab" * 32
PREPARED: dict[str, Any] = {
    "action": "top_up",
    "contract": "C1",
    "function": "top_up_stream",
    "arguments": {"sender": "G1", "stream_id": "7", "amount": "5"},
    "source": "G1",
    "sequence": "9007199254740993",
    "xdr": "AAAA",
    "hash": HASH,
    "networkPassphrase": "Simulated",
    "fee": {"inclusion": "100", "resource": "5000", "total": "5100"},
    "timeBounds": {"minTime": 0, "maxTime": 1_770_000_300},
    "returns": None,
    "events": [{"type": "stream.topped_up"}],
    "stream": None,
}


def state(status: str, **more: Any) -> dict[str, Any]:
    unknown = dict.fromkeys(("ledger", "closedAt", "fee", "error"))
    known = {"hash": HASH, "status": status, "expiresAt": 1_770_000_300, "events": []}
    return {**known, **unknown, **more}


class Server:
    """Gives its answers one after the other, and records the requests."""

    def __init__(self, *answers: dict[str, Any] | web.Response | None) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, Any]] = []

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        self.asked.append((request.method, request.path, body))
        answer = self.answers.pop(0)
        if answer is None:
            assert request.transport
            request.transport.abort()
            return web.Response()
        return answer if isinstance(answer, web.Response) else web.json_response(answer)


@pytest.fixture
def serving(
    aiohttp_server: AiohttpServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """Makes a client of a server with these answers. Nobody waits long."""
    for name in ("_SOONEST", "_LATEST"):
        monkeypatch.setattr(f"headrace_client.transactions.{name}", 0.01)
    monkeypatch.setattr("headrace_client.http.wait_seconds", lambda *_: 0.01)

    async def serving(*answers: dict[str, Any] | web.Response | None) -> tuple[Client, Server]:
        server, app = Server(*answers), web.Application()
        app.router.add_route("*", "/{path:.*}", server.answer)
        return connect((await aiohttp_server(app)).port), server

    return serving


def problem(status: int, detail: str) -> web.Response:
    return web.json_response({"type": "/problems/x", "detail": detail}, status=status)


async def test_each_call_sends_what_the_api_expects(serving: Any) -> None:
    client, server = await serving(PREPARED, state("pending"), state("succeeded", ledger=7))
    prepared = await client.prepare_transaction("top_up", stream_id="7", amount=5, source=None)
    assert (prepared.fee, prepared.max_time) == (Fee(100, 5000, 5100), 1_770_000_300)
    assert prepared.sequence == 9_007_199_254_740_993
    assert (prepared.stream_id, prepared.amount, prepared.stream) == (None, None, None)
    assert not (await client.submit_transaction("BBBB")).is_settled
    assert (await client.transaction(HASH)).ledger == 7
    path = "/v1/transactions"
    assert server.asked == [
        ("POST", path, {"action": "top_up", "streamId": "7", "amount": "5"}),
        ("POST", f"{path}/submit", {"xdr": "BBBB"}),
        ("GET", f"{path}/{HASH}", None),
    ]


async def test_what_the_contract_would_return(serving: Any) -> None:
    for returns, expected in (({"streamId": "8"}, ("8", None)), ({"amount": "12"}, (None, 12))):
        client, server = await serving({**PREPARED, "returns": returns})
        prepared = await client.prepare_transaction(
            "create", source="G1", recipient="G2", token="C2", amount=10, duration=60
        )
        assert (prepared.stream_id, prepared.amount) == expected
    sent = {"source": "G1", "recipient": "G2", "token": "C2", "amount": "10", "duration": 60}
    assert server.asked[0][2] == {"action": "create", **sent}


async def test_a_transaction_is_followed_until_it_is_settled(serving: Any) -> None:
    for final in ("succeeded", "failed", "expired"):
        client, server = await serving(state("pending"), state("pending"), state(final))
        assert (await client.follow_transaction(HASH)).status == final
        assert len(server.asked) == 3
    error = {"code": "StreamInactive", "detail": "The stream has ended."}
    client, _ = await serving(state("failed", error=error, fee="5100"))
    failed = await client.follow_transaction(HASH)
    assert failed.error == TransactionFailure("StreamInactive", "The stream has ended.")
    assert failed.fee == 5100


async def test_a_server_that_is_away_is_asked_again(serving: Any) -> None:
    away = [problem(503, "away") for _ in range(6)]
    client, server = await serving(*away, None, state("succeeded"))
    assert (await client.follow_transaction(HASH)).status == "succeeded"
    assert len(server.asked) == 8
    client, server = await serving(None, problem(503, "later"), state("pending"))
    assert (await client.submit_transaction("BBBB")).status == "pending"
    assert {body["xdr"] for _, _, body in server.asked} == {"BBBB"}, "the same, sent again"


async def test_refusals_are_typed_errors(serving: Any) -> None:
    client, _ = await serving(
        problem(422, "no"), problem(404, "not known"), problem(500, "broken"), {"xdr": "AAAA"}
    )
    with pytest.raises(InvalidRequestError, match="no"):
        await client.prepare_transaction("pause", stream_id="7")
    with pytest.raises(NotFoundError, match="not known"):
        await client.follow_transaction(HASH)
    with pytest.raises(ServerError, match="broken"):
        await client.submit_transaction("BBBB")
    with pytest.raises(ProtocolError, match="has no field"):
        await client.prepare_transaction("pause", stream_id="7")
