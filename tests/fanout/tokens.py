"""Tokens for the fanout's tests, and requests that use them."""

from __future__ import annotations

import time
import uuid
from typing import Any

import jwt

from tests.fanout.replicas import SUBSCRIBE, Replica
from tests.support.sse_client import SseClient

SECRET = "a secret of the fanout's tests, 32 bytes or more"
REQUIRED: dict[str, Any] = {"auth_mode": "required", "jwt_secret": SECRET}


def claims(account: str, **more: Any) -> dict[str, Any]:
    """Valid claims, changed by `more`. None removes a claim."""
    now = int(time.time())
    good = {
        "iss": "headrace",
        "aud": "headrace",
        "sub": account,
        "iat": now,
        "exp": now + 86_400,
        "jti": uuid.uuid4().hex,
    }
    return {name: value for name, value in (good | more).items() if value is not None}


def token(account: str, **more: Any) -> str:
    """A token signed with SECRET."""
    return jwt.encode(claims(account, **more), SECRET, algorithm="HS256")


def bearer(value: str) -> dict[str, str]:
    """The Authorization header for a token."""
    return {"Authorization": f"Bearer {value}"}


async def ask(replica: Replica, query: str, **more: Any) -> SseClient:
    """Send a request to subscribe and wait for the response headers."""
    client = await SseClient.connect(replica.port, f"{SUBSCRIBE}?{query}", **more)
    return await client.answered()


async def status(replica: Replica, query: str, **more: Any) -> int:
    """The status of the response; 0 for an overload event with status 200."""
    client = await ask(replica, query, **more)
    try:
        if client.status == 200:
            (first, *_) = await client.wait(1)
            return 0 if first.name == "overload" else 200
        return client.status
    finally:
        client.close()


async def ask_first_event(replica: Replica, query: str, **more: Any) -> SseClient:
    """A handshake, and its first event."""
    client = await ask(replica, query, **more)
    await client.wait(1)
    return client


def count_connected(clients: list[SseClient]) -> int:
    """How many of the clients are connected, and not turned away."""
    return sum(client.events[0].name == "message" for client in clients)
