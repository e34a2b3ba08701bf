"""The webhooks of a world: dispatchers, and receivers with an endpoint each."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from shared.domain.position import START, parse_position
from shared.domain.topics import ALL, Subscription
from shared.journal.keys import Keys
from shared.journal.wire import JournalEntry, entry_of
from shared.webhooks.endpoint import Endpoint, SealedSecret
from shared.webhooks.secrets import new_secret
from shared.webhooks.store import EndpointStore, new_endpoint_id
from tests.chaos.checker import Kind, Violation
from tests.chaos.insist import insist
from tests.chaos.webhook_check import check_receiver, events_of
from tests.support.processes import ServiceProcess, start
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import until
from tests.webhooks.receivers.receiving import WORKED, Record, records

DISPATCHERS = ("webhooks-1", "webhooks-2")
RECEIVERS = {
    "receiver-standard": ("with_standardwebhooks", 1),
    "receiver-svix": ("with_svix", 1),
    "receiver-batches": ("with_svix", 20),
}
"""The programs of the receivers, and how many events a delivery may have."""

_SETTLE = 90.0
"""Seconds: a receiver that failed several times is tried again after half a minute."""


class ChaosWebhooks:
    """`proxies` are the ways from the dispatchers to the receivers, by both ends."""

    def __init__(self, folder: Path) -> None:
        self.proxies = {("dispatchers", name): TcpProxy(0) for name in RECEIVERS}
        self._folder = folder
        self._secrets = {name: new_secret() for name in RECEIVERS}

    async def start(self, name: str) -> ServiceProcess:
        """Start a receiver."""
        program, _ = RECEIVERS[name]
        given = {"RECEIVER_FILE": self._file(name), "RECEIVER_SECRET": self._secrets[name]}
        return await start(f"tests.webhooks.receivers.{program}", PORT=0, **given)

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.jsonl"

    async def begin(self, redis: Redis, keys: Keys) -> None:
        """Store an endpoint for each receiver. It gets all events from the beginning."""
        store = EndpointStore(redis, keys)
        for name, (_, batch) in RECEIVERS.items():
            endpoint = Endpoint(
                id=new_endpoint_id(),
                account=name,
                url=f"http://127.0.0.1:{self.proxies['dispatchers', name].port}/hook",
                subscription=Subscription((ALL,)),
                secrets=(SealedSecret(f"plain:{self._secrets[name]}"),),
                created=1_790_000_000,
                begins_after=START,
                sees_all=True,
                batch=batch,
            )
            await store.create(endpoint, most=10)

    async def check(self, redis: Redis, keys: Keys, *, lost: bool) -> Sequence[Violation]:
        """Wait until each receiver has what the journal has now, then check each."""

        async def read() -> list[JournalEntry]:
            rows: Any = await redis.xrange(keys.journal)
            return [entry_of(*row) for row in rows]

        journal = await insist(read)
        found: list[Violation] = []
        for name in RECEIVERS:
            with suppress(AssertionError):
                await until(lambda name=name: self._has(name, journal[-1]), seconds=_SETTLE)
            got = self.records(name)
            if not self._has(name, journal[-1]):
                last = tuple(f"{each.kind} {each.id}" for each in got[-5:])
                found.append(Violation(Kind.STUCK, name, journal[-1].position, last))
            found += check_receiver(name, got, journal, lost=lost)
        return found

    def counts(self) -> str:
        """The deliveries whose work was done, and the events that came again, for the report."""
        deliveries = repeats = 0
        for name in RECEIVERS:
            worked = [each for each in self.records(name) if each.kind == WORKED]
            ids = [own for each in worked for own, _ in events_of(each)]
            deliveries += len(worked)
            repeats += len(ids) - len(set(ids))
        return f"{deliveries}, {repeats}"

    def records(self, name: str) -> list[Record]:
        """What a receiver has written."""
        return records(self._file(name))

    def _has(self, name: str, entry: JournalEntry) -> bool:
        """True if the receiver has this entry or a later one."""
        worked = [each for each in self.records(name)[-20:] if each.kind == WORKED]
        ids = [parse_position(own) for each in worked for own, _ in events_of(each)]
        return max(ids, default=START) >= parse_position(entry.position)
