"""A client that is connected while a page is run, and what it and an operator ask the services."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deploy.simulator.chain import accounts
from services.api.auth.tokens import TokenIssuer
from services.api.settings import ApiSettings
from tests.operations.site import Site
from tests.support.installation import Client
from tests.support.waiting import until


def token(here: Site) -> str:
    """A token of an admin, as an API with the keys in .env signs it."""
    keys = here.settings["JWT_PRIVATE_KEY"]
    settings = ApiSettings(contracts=(accounts.STREAMS,), jwt_private_key=keys)
    issuer = TokenIssuer(settings, time.time)
    return issuer.issue(accounts.address("carol"), ["admin"], seconds=3600)[0]


@asynccontextmanager
async def nothing_is_missed(here: Site) -> AsyncIterator[Client]:
    """A subscriber of everything. It must get each event of the chain once, in order."""
    client = Client(here.composed, f"all=true&access_token={token(here)}", 8080)
    try:
        await until(lambda: _of_the_chain(client), what="a first event")
        yield client
        last = (await _on_chain(here))[-1]
        await until(
            lambda: last in _of_the_chain(client), seconds=30, what="the last event of the chain"
        )
    finally:
        await client.close()
    seen, everything = _of_the_chain(client), await _on_chain(here)
    first = everything.index(seen[0])
    assert seen == everything[first : first + len(seen)], "each event once, in order"
    assert len(set(client.ids)) == len(client.ids), "no event twice"
    assert not {"gap", "reset"} & set(client.names)


async def _on_chain(here: Site) -> list[str]:
    """Ids of the stream contract's events that the network has emitted."""
    events = json.loads(await here.composed.text("network", "/sim/events"))["events"]
    return [event["id"] for event in events if event["contractId"] == accounts.STREAMS]


def _of_the_chain(client: Client) -> list[str]:
    """Ids of the stream contract's events that a client has received."""
    return [event["id"] for event in client.events if event.get("contractId") == accounts.STREAMS]
