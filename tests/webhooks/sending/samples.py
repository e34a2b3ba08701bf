"""Settings, endpoints and messages for the tests of the HTTP side."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from services.webhooks.sending.sender import Message, Sender
from services.webhooks.settings import DispatcherSettings
from shared.domain.topics import Subscription
from shared.webhooks.attempts import AttemptKind
from shared.webhooks.endpoint import Endpoint, SealedSecret
from shared.webhooks.secrets import new_secret
from shared.webhooks.store import new_endpoint_id

CONTRACT = "CCJZ5DGASBWQXR5MPFCJXMBI333XE5U3FSJTNQU7RIKE3P5GN2K2WYD5:stream"
SECRET = new_secret()
LOOPBACK = "127.0.0.0/8"


def settings(**options: Any) -> DispatcherSettings:
    """The settings of a dispatcher that may reach this machine."""
    return DispatcherSettings(
        **{"contracts": CONTRACT, "webhook_allowed_networks": LOOPBACK, **options}
    )


def endpoint(url: str, *secrets: SealedSecret) -> Endpoint:
    """An endpoint with a new id. Without `secrets`, it has SECRET."""
    return Endpoint(
        id=new_endpoint_id(),
        account="GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ",
        url=url,
        subscription=Subscription(("all",), frozenset()),
        secrets=secrets or (SealedSecret(f"plain:{SECRET}"),),
        created=1_790_000_000,
        begins_after=None,
    )


def message(number: int = 1, body: bytes = b'{"type":"stream.created"}') -> Message:
    """A message with one event."""
    return Message(f"{number}-1", body, 1, AttemptKind.EVENT)


@asynccontextmanager
async def sending(**options: Any) -> AsyncIterator[Sender]:
    """A Sender with these settings."""
    sender = Sender(settings(**options), time.time)
    try:
        yield sender
    finally:
        await sender.aclose()
