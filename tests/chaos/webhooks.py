"""The webhooks of a world: dispatchers, and receivers with an endpoint each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from redis.asyncio import Redis

from shared.domain.position import START
from shared.domain.topics import ALL, Subscription
from shared.journal.keys import Keys
from shared.journal.wire import JournalEntry
from shared.webhooks.endpoint import Endpoint, SealedSecret
from shared.webhooks.secrets import new_secret
from shared.webhooks.store import EndpointStore, new_endpoint_id
from tests.chaos.checker import Violation
from tests.chaos.webhook_check import check_receiver, events_of
from tests.support.processes import ServiceProcess, start
from tests.support.tcp_proxy import TcpProxy
from tests.webhooks.receivers.receiving import WORKED, Record, records

DISPATCHERS = ("webhooks-1", "webhooks-2")
RECEIVERS = {
    "receiver-standard": ("with_standardwebhooks", 1),
    "receiver-svix": ("with_svix", 1),
    "receiver-batches": ("with_svix", 20),
}
"""The programs of the receivers, and how many events a delivery may have."""


class ChaosWebhooks:
    """`proxies` are the ways from the dispatchers to the receivers, by both ends.

    `ids` are those of the endpoints, by the name of the receiver.
    """

    def __init__(self, folder: Path) -> None:
        self.proxies = {("dispatchers", name): TcpProxy(0) for name in RECEIVERS}
        self.ids: dict[str, str] = {}
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
            self.ids[name] = endpoint.id

    def check(
        self, journal: Sequence[JournalEntry], *, lost: bool, deleted: bool
    ) -> Iterator[Violation]:
        """Check each receiver. `lost`: Redis lost writes in a failover. `deleted`: entries."""
        for name in RECEIVERS:
            records = self.records(name)
            yield from check_receiver(name, records, journal, lost=lost, deleted=deleted)

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
