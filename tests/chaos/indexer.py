"""Random faults of the network, and indexers that are killed at random times."""

from __future__ import annotations

import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from deploy.simulator.chain import accounts
from deploy.simulator.faults.faults import FaultKind, kinds_for
from deploy.simulator.settings import SimulatorSettings
from shared.domain.position import toid
from shared.journal.keys import Keys
from tests.support.processes import ServiceProcess, running, start
from tests.support.waiting import until

HORIZON = (*["stream"] * 8, "root", "ledger")
RPC = (*["getEvents", "getTransaction"] * 4, "getHealth", "getNetwork", "getLatestLedger")
RPC += ("getLedgers",)
SURFACES = {"horizon": (*HORIZON, "getTransaction"), "rpc": RPC, "auto": HORIZON + RPC}
WITH_META = ("stream", "getTransaction")
FINAL = {FaultKind.PASSPHRASE}
"""The faults after which an indexer stops for good."""
OF_ONE = {
    "stream": [FaultKind.EMPTY_META],
    "root": [FaultKind.STARTING],
    "getHealth": [FaultKind.UNHEALTHY],
    "getEvents": [FaultKind.PROCESSING_LIMIT],
}
"""The faults that only one surface has."""
CALLS: tuple[dict[str, object], ...] = (
    {"op": "emit"},
    {"op": "foreign"},
    {"op": "fail"},
    {"op": "create", "amount": 10**9, "duration": 900},
    {"op": "pause"},
    {"op": "resume"},
    {"op": "withdraw"},
    {"op": "cancel"},
    {"op": "top_up", "amount": 10**8},
    {"op": "transfer_recipient", "recipient": "carol"},
)


class Chaos:
    """One network, one namespace, at most two indexers, and one random generator."""

    def __init__(
        self, source: str, seed: int, session: aiohttp.ClientSession, url: str, **environment: str
    ) -> None:
        self.rng = random.Random(f"{source}/{seed}")
        self.source = source
        self.states: list[tuple[int, int, list[Any]]] = []
        self.killed = 0
        self.armed = 0
        self._session = session
        self._url = url
        self._environment = environment | {
            "SOURCE": source,
            "HORIZON_URL": url,
            "RPC_URL": f"{url}/rpc",
            "CONTRACTS": accounts.STREAMS,
            "NETWORK_PASSPHRASE": SimulatorSettings().network_passphrase,
            "START": "earliest",
            "SOURCE_READ_SECONDS": "0.7",
            "SOURCE_WAIT_SECONDS": "0.1",
            "RPC_POLL_SECONDS": "0.1",
            "LEASE_SECONDS": "0.5",
        }
        self.indexers: list[ServiceProcess] = []
        self.tip = 0
        self._now = 0

    async def ask(self, method: str, path: str, **body: object) -> Any:
        url = f"{self._url}/sim/{path}"
        async with self._session.request(method, url, json=body or None) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def close(self) -> None:
        """Close a ledger and record the contract's streams at that time."""
        ledger = await self.ask("POST", "close", now=self._now + self.rng.randint(1, 9))
        self._now = ledger["closedAt"]
        # Horizon omits failed transactions, so the cursor may stop at the last successful one.
        if done := [n for n, each in enumerate(ledger["transactions"], 1) if each["successful"]]:
            self.tip = toid(ledger["ledger"], done[-1])
        held = (await self.ask("GET", "streams"))["streams"]
        self.states.append((ledger["ledger"], ledger["closedAt"], held))

    async def submit(self) -> None:
        streams = self.states[-1][2] if self.states else []
        calls = []
        for _ in range(self.rng.choice((1, 1, 1, 2))):
            call: dict[str, object] = dict(self.rng.choice(CALLS))
            if call["op"] in ("emit", "foreign", "fail", "create"):
                calls.append(call)
            elif streams:
                calls.append(call | {"streamId": self.rng.choice(streams)["id"]})
        if calls:
            more = {"feeBump": self.rng.random() < 0.3, "meta": self.rng.choice((3, 4))}
            await self.ask("POST", "operations", operations=calls, **more)

    async def unspent(self) -> list[Any]:
        armed = (await self.ask("GET", "faults"))["armed"]
        return [fault for fault in armed if fault["kind"] != FaultKind.CORRUPT_META]

    async def spent(self) -> bool:
        return not await self.unspent()

    async def misbehave(self) -> None:
        if (
            len(await self.unspent()) > 4
        ):  # otherwise they queue up, and only the first kinds have an effect
            return
        surface = self.rng.choice(SURFACES[self.source])
        kinds = [*sorted(kinds_for(surface) - FINAL), FaultKind.CUT, FaultKind.MALFORMED]
        kinds += [FaultKind.NO_META] * (surface in WITH_META) + OF_ONE.get(surface, [])
        kind = self.rng.choice(kinds)
        pause = 0.001 if kind is FaultKind.SLOW else self.rng.choice((0.02, 0.1, 0.9))
        times, after = self.rng.randint(1, 2), self.rng.randrange(3)
        self.armed += times
        await self.ask(
            "POST", "faults", kind=kind, surface=surface, times=times, after=after, seconds=pause
        )

    async def alter(self) -> None:
        """Alter one transaction.

        The same alteration on a second read would rightly stop the indexer.
        """
        surface = "getTransaction" if self.source == "rpc" else "stream"
        await self.ask("POST", "faults", kind=FaultKind.CORRUPT_META, surface=surface)

    async def lag(self) -> None:
        server = self.rng.choice(("horizon", "rpc"))
        await self.ask(
            "POST", "faults", kind=FaultKind.LAG, surface=server, after=self.rng.randint(0, 5)
        )

    async def trim(self) -> None:
        """With two sources: RPC deletes ledgers that may not have been read.

        Horizon still has them.
        """
        if self.source == "auto":
            await self.ask("POST", "faults", kind=FaultKind.TRIM, surface="rpc", after=1)

    async def kill(self) -> None:
        if self.indexers:
            victim = self.indexers.pop(self.rng.randrange(len(self.indexers)))
            victim.signal(signal.SIGKILL)
            self.killed += 1
            await victim.ended()

    async def begin(self) -> None:
        if len(self.indexers) < 2:
            self.indexers.append(await start("services.indexer", **self._environment))

    async def reading(self) -> None:
        """Wait until an indexer reads.

        A process takes a while to start, and faults need a reader.
        """
        await self.begin()
        await until(
            lambda: any(
                each.log_lines("resuming") or each.log_lines("starting") for each in self.indexers
            ),
            seconds=30,
        )

    async def step(self) -> None:
        steps = (
            self.misbehave,
            self.submit,
            self.close,
            self.lag,
            self.kill,
            self.begin,
            self.trim,
        )
        for act in self.rng.choices(steps, weights=(24, 18, 12, 2, 0.6, 2, 0.6), k=5):
            await act()
        await self.close()


@asynccontextmanager
async def chaos(source: str, seed: int, redis_url: str, keys: Keys) -> AsyncIterator[Chaos]:
    quiet = {"CLOSE_SECONDS": 0, "STREAM_SECONDS": 0.2, "SEED": f"chaos/{seed}"}
    async with (
        running("deploy.simulator", **quiet) as network,
        aiohttp.ClientSession() as session,
    ):
        where = {"REDIS_URL": redis_url, "NAMESPACE": keys.namespace}
        run = Chaos(source, seed, session, f"http://127.0.0.1:{network.port}", **where)
        try:
            yield run
        except BaseException as error:
            error.add_note(f"repeat with SEED={seed} and the same SECONDS (SOURCE={source})")
            error.add_note(f"its log: {[each.log[-8:] for each in run.indexers]}")
            raise
        finally:
            while run.indexers:
                await run.kill()
