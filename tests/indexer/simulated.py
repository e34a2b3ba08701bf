"""The simulated network behind a real socket, and helpers for the indexer's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import aiohttp
from redis.asyncio import Redis

from deploy.simulator.app import running
from deploy.simulator.chain import accounts
from deploy.simulator.network import Network, start
from deploy.simulator.settings import SimulatorSettings
from services.indexer.sources.base import Batch, Source
from services.indexer.sources.horizon.source import HorizonSource
from services.indexer.sources.rpc.source import RpcSource
from shared.chain.decode.contracts import WatchedContracts
from shared.chain.errors import SourceError
from shared.chain.rpc import RpcClient
from shared.domain.position import parse_position
from shared.journal.keys import Keys
from shared.journal.wire import JournalEntry, entry_of

NOW = 1_770_000_000
PASSPHRASE = SimulatorSettings().network_passphrase


class Sim:
    """A network in this process; `asked` has the URLs that clients requested."""

    def __init__(self, network: Network, url: str, session: aiohttp.ClientSession) -> None:
        self.network = network
        self.url = url
        self.session = session
        self.asked: list[str] = []
        self._now = network.chain.latest.closed_at

    def close(self, ledgers: int = 1) -> None:
        """Close ledgers, five seconds apart."""
        for _ in range(ledgers):
            self._now += 5
            self.network.close(self._now)

    async def ask(self, method: str, path: str, **body: object) -> Any:
        async with self.session.request(method, f"{self.url}/sim/{path}", json=body) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def arm(self, kind: str, surface: str = "stream", **more: object) -> None:
        await self.ask("POST", "faults", kind=kind, surface=surface, **more)

    async def upgrade(self, server: str, **reported: object) -> None:
        """From now on, the server reports this `version`, `core` and `protocol` of itself."""
        await self.ask("POST", "versions", server=server, **reported)

    async def unspent(self) -> list[Any]:
        """The faults that have not struck."""
        armed: list[Any] = (await self.ask("GET", "faults"))["armed"]
        return armed

    @property
    def tip(self) -> int:
        """The TOID of the last transaction."""
        return max(each.toid for each in self.network.chain.latest.transactions)

    def positions(self, after: int = 0, contract: str = accounts.STREAMS) -> list[str]:
        """Canonical ids of all the contract's events, also of trimmed ledgers."""
        return [
            str(each.position)
            for each in self.network.events
            if each.event.contract_id == contract and each.position.toid > after
        ]

    def horizon(self, *, rpc: bool = True, seconds: float = 5.0, **more: Any) -> HorizonSource:
        return HorizonSource(
            self.session,
            self.url,
            passphrase=more.pop("passphrase", PASSPHRASE),
            contracts=more.pop("contracts", WatchedContracts.of(accounts.STREAMS)),
            rpc=RpcClient(self.session, f"{self.url}/rpc") if rpc else None,
            read_seconds=seconds,
            **more,
        )

    def rpc(self, *, poll: float = 0.02, seconds: float = 5.0, **more: Any) -> RpcSource:
        return RpcSource(
            RpcClient(self.session, f"{self.url}/rpc", seconds=seconds),
            passphrase=more.pop("passphrase", PASSPHRASE),
            contracts=more.pop("contracts", WatchedContracts.of(accounts.STREAMS)),
            poll_seconds=poll,
            **more,
        )


@asynccontextmanager
async def simulated(ledgers: int = 10, **settings: Any) -> AsyncIterator[Sim]:
    """A network that closes ledgers only on request, after `ledgers` of its script."""
    network = start(SimulatorSettings(close_seconds=0, **settings), NOW)
    asked: list[str] = []

    async def note(_: object, __: object, sent: aiohttp.TraceRequestStartParams) -> None:
        asked.append(str(sent.url))

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(note)
    async with running(network) as url, aiohttp.ClientSession(trace_configs=[trace]) as session:
        sim = Sim(network, url, session)
        sim.asked = asked
        sim.close(ledgers)
        yield sim


class Read:
    """What was read from a source, like Ingest does it but without waits."""

    def __init__(self, cursor: int) -> None:
        self.cursor = cursor
        self.batches: list[Batch] = []
        self.errors: list[SourceError] = []

    async def up_to(self, target: int, source: Source) -> Read:
        """Read until everything up to that TOID was read, whatever errors come."""
        while self.cursor < target:
            try:
                async with aclosing(source.batches(self.cursor)) as batches:
                    async for batch in batches:
                        self.batches.append(batch)
                        self.cursor = batch.cursor
                        if self.cursor >= target:
                            break
            except SourceError as error:
                self.errors.append(error)
        return self

    @property
    def positions(self) -> list[str]:
        return [str(event.position) for batch in self.batches for event in batch.events]

    @property
    def kinds(self) -> list[str]:
        return [error.kind for error in self.errors]


async def journal(redis: Redis, keys: Keys) -> list[Any]:
    """All entries of the journal."""
    rows: Any = await redis.xrange(keys.journal)
    return [entry_of(i, fields) for i, fields in rows]


def of_the_chain(entries: Sequence[JournalEntry]) -> list[JournalEntry]:
    """The entries without those that have no position on the chain, such as `stream.uncertain`."""
    return [each for each in entries if not parse_position(each.position).by_clock]


def as_stored(record: dict[str, Any]) -> dict[str, Any]:
    """A record of the simulated contract as we store it.

    After its end a stream has no pause and no anchor: they have no effect, and a cancelled stream
    can still be resumed.
    """
    expected = dict(record)
    active, status = expected.pop("active"), str(expected.pop("status")).lower()
    if not active:
        del expected["pausedAt"], expected["lastUpdateTime"]
    zombie = status == "active" and not active
    return expected | {"status": "cancelled" if zombie else status}
