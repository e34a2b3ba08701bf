"""Requests for the tests of the API, and a clock that the tests set."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from services.api.auth.routes import CLOCK
from shared.domain import commands
from shared.domain.events import Event, Provenance
from shared.domain.position import Position, toid
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from tests.support.waiting import until
from tests.support.web_client import WebClient

SENDER = "GCS2BKDSKSWQT6SMSLBAFLFURPY3ZL74CGURQ5QNE2S2KQOX6XKNNRJG"
RECIPIENT = "GB6QM3Z43JKXJD4MPY7P3VWTHPCPA7ESCAJB5W3KUY6SGHRLXQCE32XD"
TOKEN = "CA6ENHU5NRMHLU32IPZVHVHYRZQ7Z6ASYZXO4NCXIZNEBMG2IFJ6AUB2"
T0 = 1_770_000_000
I128_MAX = (1 << 127) - 1


@dataclass
class Clock:
    """A clock in Unix seconds that only moves when a test moves it."""

    now: float = field(default=T0)

    def __call__(self) -> float:
        return self.now


async def time_is_known(client: WebClient) -> WebClient:
    """Wait until the API knows the time of Redis. Until then it answers 503 to a login or token."""
    await until(client.app[CLOCK].now, what="the time of Redis")
    return client


async def is_ready(client: WebClient) -> bool:
    """True if /readyz answers 200."""
    return (await client.get("/readyz")).status == 200


def order(**more: Any) -> dict[str, Any]:
    """A valid body of POST /v1/streams: 10 a second, runs out after 100 seconds."""
    return {
        "sender": SENDER,
        "recipient": RECIPIENT,
        "tokenAddress": TOKEN,
        "ratePerSecond": "10",
        "depositedAmount": "1000",
        **more,
    }


async def made(client: WebClient, **more: Any) -> dict[str, Any]:
    """Create a stream and return it."""
    response = await client.post("/v1/streams", json=order(**more))
    assert response.status == 201, await response.text()
    document: dict[str, Any] = await response.json()
    return document


async def made_and_accepted(client: WebClient, **more: Any) -> dict[str, Any]:
    """Create a stream, accept it as its recipient, and return it."""
    document = await made(client, **more)
    response = await client.post(f"/v1/streams/{document['id']}/accept")
    accepted: dict[str, Any] = await response.json()
    assert (response.status, accepted["acceptance"]) == (200, "accepted")
    return accepted


async def on_chain(
    redis: Redis, keys: Keys, number: int, schedule: object = None, **progress: str
) -> None:
    """Write chain stream `number` to the journal, like the indexer."""
    (event,) = commands.create(
        stream_id=str(number), sender=SENDER, recipient=RECIPIENT, token=TOKEN, rate=10,
        deposited=1000, start_time=T0, now=T0,
    )  # fmt: skip
    position = Position(toid(7, number), 0)
    source = Provenance(TOKEN, 7, "2026-07-21T18:01:10Z", "ab" * 32, True)
    facts = {**event.facts, "schedule": schedule}
    seen = Event(event.type, event.stream_id, T0, facts, position, source)
    await Committer(redis, keys).record([seen], progress=progress)
