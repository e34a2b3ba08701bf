"""Tokens for the fanout's tests, and what a replica answers to a request with one."""

from __future__ import annotations

import time
import uuid
from typing import Any

import jwt

from tests.fanout.rig import SUBSCRIBE, Replica
from tests.support.sse_client import SseClient

SECRET = "a secret of the fanout's tests, 32 bytes or more"
REQUIRED: dict[str, Any] = {"auth_mode": "required", "jwt_secret": SECRET}


def claims(account: str, **more: Any) -> dict[str, Any]:
    """Good ones, with what is given in their place; None leaves a claim out."""
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
    """A token signed with the secret."""
    return jwt.encode(claims(account, **more), SECRET, algorithm="HS256")


def bearer(value: str) -> dict[str, str]:
    """The header that carries it."""
    return {"Authorization": f"Bearer {value}"}


async def ask(replica: Replica, query: str, **more: Any) -> SseClient:
    """A client that has its answer, whatever it is."""
    client = await SseClient.connect(replica.port, f"{SUBSCRIBE}?{query}", **more)
    return await client.answered()


async def status(replica: Replica, query: str, **more: Any) -> int:
    """The answer's status; 0 when it is an in-band overload."""
    client = await ask(replica, query, **more)
    try:
        if client.status == 200:
            (first, *_) = await client.wait(1)
            return 0 if first.name == "overload" else 200
        return client.status
    finally:
        client.close()
