"""Commit real `stream.withdrawn` events at a steady rate: `python -m tests.bench.publish --help`.

It uses the project's own commit, one event a call, and the Redis at REDIS_URL. Any load generator
can be the subscriber.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from stellar_sdk import StrKey

from shared.domain import commands
from shared.domain.events import Event, EventType, Provenance
from shared.domain.position import Position, toid
from shared.journal.commit import Committer
from shared.journal.keys import Keys
from shared.journal.namespace import begin_epoch
from shared.redis.client import connect_multiplexed

TOKEN = StrKey.encode_contract(b"\1" * 32)
CONTRACT = StrKey.encode_contract(b"\2" * 32)
_CREATE_AT_ONCE = 200


def account(number: int) -> str:
    """A valid account address that nobody owns."""
    return StrKey.encode_ed25519_public_key(number.to_bytes(32, "big"))


def sender(stream: int) -> str:
    """The sender of this stream."""
    return account(2_000_000 + stream)


def recipient(stream: int) -> str:
    """The recipient of this stream."""
    return account(1_000_000 + stream)


async def at_rate(rate: float, seconds: float, act: Callable[[], Awaitable[None]]) -> float:
    """Act `rate` times a second, one after the other. Return the rate that was reached."""
    began, count = time.monotonic(), round(rate * seconds)
    for n in range(count):
        if (wait := began + n / rate - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        await act()
    return count / (time.monotonic() - began)


class Publisher:
    """Creates streams, then publishes a withdrawal from each stream in turn."""

    def __init__(self, redis_url: str, keys: Keys, streams: int) -> None:
        self._redis = connect_multiplexed(redis_url)
        self._committer = Committer(self._redis, keys)
        self._streams = streams
        self._next = 0
        self.published: list[str] = []

    async def prepare(self) -> None:
        """Start the epoch and create the streams 1 to N. Their events are not in `published`."""
        await begin_epoch(self._redis, self._committer.keys)
        for first in range(1, self._streams + 1, _CREATE_AT_ONCE):
            numbers = range(first, min(first + _CREATE_AT_ONCE, self._streams + 1))
            await self._committer.record([self._created(n) for n in numbers], progress={})

    async def run(self, rate: float, seconds: float) -> float:
        """Publish `rate` events a second. Return the rate that was reached."""
        return await at_rate(rate, seconds, self.publish)

    async def publish(self, count: int = 1) -> None:
        """Commit this many events in one call."""
        commit = await self._committer.record(
            [self._withdrawn() for _ in range(count)], progress=_progress()
        )
        self.published += map(str, commit.positions)

    async def close(self) -> None:
        """Close the connections to Redis."""
        await self._redis.aclose()

    def _next_position(self, kind: int) -> Position:
        self._next += 1
        return Position(toid(kind + self._next // 1000, self._next % 1000 + 1), 0)

    def _created(self, number: int) -> Event:
        (event,) = commands.create(
            stream_id=str(number),
            sender=sender(number),
            recipient=recipient(number),
            token=TOKEN,
            rate=10,
            deposited=10**15,
            start_time=1_770_000_000,
            now=1_770_000_000,
        )
        return self._event(event.type, str(number), event.facts)

    def _withdrawn(self) -> Event:
        number = str(self._next % self._streams + 1)
        facts = {"recipient": recipient(int(number)), "amount": "10", "timestamp": 1_770_000_001}
        return self._event(EventType.STREAM_WITHDRAWN, number, facts)

    def _event(self, kind: EventType, stream_id: str, facts: object) -> Event:
        position = self._next_position(1_000_000)
        closed = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        source = Provenance(CONTRACT, position.ledger, closed, f"{position.toid:064x}", True)
        return Event(kind, stream_id, 1_770_000_001, facts, position, source)  # type: ignore[arg-type]


def _progress() -> dict[str, str]:
    closed = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"ledger": "1000001", "closedAt": closed}


async def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, required=True, help="events a second")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--streams", type=int, required=True)
    parser.add_argument("--namespace", default=f"bench-{int(time.time())}")
    arguments = parser.parse_args()
    url = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
    publisher = Publisher(url, Keys(arguments.namespace), arguments.streams)
    await publisher.prepare()
    print(
        f"namespace {arguments.namespace}: {arguments.streams} streams, publishing",
        flush=True,
    )
    rate = await publisher.run(arguments.rate, arguments.seconds)
    print(f"{len(publisher.published)} events at {rate:.0f}/s")
    await publisher.close()


if __name__ == "__main__":
    asyncio.run(_main())
