"""One run: start all services and clients, inject random faults, check at the end."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, nullcontext, suppress
from itertools import count
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError

from deploy.simulator.chain import accounts
from shared.domain.position import START, Position, parse_position
from shared.journal.wire import JournalEntry, entry_of
from shared.runtime.tasks import cancel
from tests.attacks.helpers import flooding
from tests.chaos.api_callers import ApiCallers
from tests.chaos.checker import Kind, ReceivedFrame, SubscriberView, Violation
from tests.chaos.clients import Client
from tests.chaos.clocks import ClockFaults
from tests.chaos.external import ExternalFaults
from tests.chaos.failovers import losses_of, shuffled
from tests.chaos.faults import ALONE, Faults
from tests.chaos.flood import behind_proxies
from tests.chaos.insist import insist
from tests.chaos.judge import FinalCheck, ReadJournal
from tests.chaos.link_faults import faults_of
from tests.chaos.redis_single import RedisSingle
from tests.chaos.report import InjectedFault, Report
from tests.chaos.webhook_settling import WebhookSettling
from tests.chaos.world import KEYS, MakeRedis, World, world
from tests.support.pace import last
from tests.support.waiting import until

_RECOVERY = 20.0
"""Seconds within which events must flow again after any fault."""


async def run(
    folder: Path,
    *,
    seed: int,
    seconds: float,
    only: Collection[str] = (),
    settle: float = 30.0,
    flood: bool = False,
    redis: MakeRedis = RedisSingle,
    archive: str = "",
    webhooks: bool = False,
    **environment: str,
) -> Report:
    """Run with this seed. `only`: names of faults, each of which happens at least once.

    `settle` is the time in seconds for clients to catch up at the end. With `flood`, one account
    floods the system during all faults. `archive` is the kind of the archive (tests.chaos.world).
    With `webhooks`, events are delivered to receivers too. `environment` is for the services.
    """
    rng = random.Random(seed)
    report = Report(seed, seconds)
    source = rng.choice(("horizon", "rpc", "auto"))
    environment = {"SOURCE": source} | environment
    async with world(folder, seed, redis, archive, webhooks, **environment) as world_:
        run_ = Run(world_, rng, report)
        async with run_.connected_clients():
            external = ExternalFaults(world_, run_.draws(), run_.clients, run_.api_callers)
            faults = Faults(world_, run_.draws(), external, seconds)
            async with flooding(behind_proxies(world_)) if flood else nullcontext():
                await run_.inject(faults, seconds, only)
            await run_.judge(settle)
    return report


class Run:
    """The clients and API callers of one run, and the faults."""

    def __init__(self, world_: World, rng: random.Random, report: Report) -> None:
        self._world = world_
        self._rng = rng
        self._report = report
        self._began = time.monotonic()
        self._set_back: list[tuple[float, str]] = []
        self._jumps: ClockFaults | None = None
        self._before = 0  # number of ledger events before all clients were connected

    def draws(self) -> random.Random:
        """A new random generator, so that the speed of one task does not change another's draws."""
        return random.Random(self._rng.random())

    @asynccontextmanager
    async def connected_clients(self) -> AsyncIterator[None]:
        """The time in which the clients are connected."""
        self.clients = [self._client(*each) for each in await self._audience()]
        self.clients += self._natives()
        self.api_callers = ApiCallers(self._world, self.draws())
        watch = asyncio.create_task(self._watch_cursor())
        transfers = asyncio.create_task(self._transfer_streams(self.draws()))
        try:
            await until(lambda: all(c.frames for c in self.clients), seconds=150, what="greetings")
            self._before = len(await self._world.held())
            yield
        finally:
            await cancel(watch, transfers)
            for client in self.clients:
                await client.close()

    async def _audience(self) -> list[tuple[str, str, SubscriberView]]:
        streams = await until(self._known_streams, seconds=90, what="three streams")
        alice = accounts.address("alice")
        found = [(f"all-{n}", "all=true", SubscriberView(everything=True)) for n in (1, 2, 3)]
        for name in ("alice", "bob", "carol"):
            address = accounts.address(name)
            asked = SubscriberView(accounts=frozenset({address}), holder=address)
            found.append((name, f"users={address}", asked))
        for stream in streams[:3]:  # streams that get other recipients
            one = SubscriberView(streams=frozenset({stream["id"]}), holder=stream["recipient"])
            found.append((f"party-{stream['id']}", f"streams={stream['id']}", one))
        both = SubscriberView(accounts=frozenset({alice}), streams=frozenset({"2", "3"}))
        return [*found, ("mixed", f"users={alice}&streams=2,3", both)]

    def _natives(self) -> list[Client]:
        """One native client behind each gateway."""
        asked = SubscriberView(everything=True)
        return [
            self._client(f"native-{kind}", "all=true", asked, kind) for kind in self._world.gateways
        ]

    async def _known_streams(self) -> list[dict[str, str]]:
        """The ledger's streams that Redis has; none while there are fewer than three."""
        redis, streams, known = self._world.redis, await self._streams(), []
        with suppress(RedisError, OSError):  # asked again
            known = [each for each in streams if await redis.exists(KEYS.stream(each["id"]))]
        return known if len(known) > 2 else []

    async def _streams(self) -> list[dict[str, str]]:
        streams: list[dict[str, str]] = (await self._world.network("GET", "streams"))["streams"]
        return streams

    def _client(self, name: str, query: str, asked: SubscriberView, gateway: str = "") -> Client:
        return Client(
            name,
            query,
            asked,
            self._world,
            rng=self.draws(),
            began=self._began,
            gateway=gateway,
        )

    # ── during the run ──

    async def inject(self, faults: Faults, seconds: float, only: Collection[str]) -> None:
        """Inject one fault after the other, sometimes two at once. Wait for recovery after each."""
        self._jumps = faults.jumps
        possible = faults_of(faults, self._world, self.draws)
        chosen = {name: act for name, act in possible.items() if not only or name in only}
        end = time.monotonic() + seconds
        deck: list[str] = []
        while time.monotonic() < end or (only and deck):
            if not deck:  # all faults happen before one is repeated
                deck = shuffled(chosen, self._rng)
            two = self._rng.random() < 0.3 and not ALONE & set(deck[-2:])
            names = [deck.pop() for _ in range(min(len(deck), 1 + two))]
            at = time.monotonic() - self._began
            faults.external.alone = len(names) == 1
            notes = await asyncio.gather(*(chosen[name]() for name in names))
            recovery = await self._recovered()
            pairs = zip(names, notes, strict=True)
            alone = len(names) == 1
            self._report.injected += [InjectedFault(*each, at, recovery, alone) for each in pairs]
            await self._world.restarted()
            if recovery is None:
                violation = Violation(
                    Kind.STUCK, "all", f"{at:.1f} s", (f"after {' and '.join(names)}",)
                )
                self._report.violations.append(violation)
                await self._world.heal()

    async def _recovered(self) -> float | None:
        """Seconds until a subscriber gets an event of a ledger that closed after this call."""
        began = time.monotonic()
        tip = parse_position((await self._world.held())[-1]["id"]).ledger
        everyone = [client for client in self.clients if client.asked.everything]
        with suppress(AssertionError):
            await until(
                lambda: any(_newest(client.frames).ledger > tip for client in everyone),
                seconds=_RECOVERY,
            )
            return time.monotonic() - began
        return None

    async def _watch_cursor(self) -> None:
        """Record when the cursor moves back: a replaced indexer would do that.

        0 means it was deleted.
        """
        top = 0
        while True:
            with suppress(RedisError, OSError):
                cursor = int(await self._world.redis.hget(KEYS.progress, "cursor") or 0)
                if 0 < cursor < top:
                    self._set_back.append((time.time(), f"cursor {top} moved back to {cursor}"))
                top = cursor
            await last(0.01)

    async def _transfer_streams(self, rng: random.Random) -> None:
        """Give streams on the chain other recipients, the first stream three times first."""
        for n in count():
            await last(rng.uniform(1, 3))
            streams = [each for each in await self._streams() if each["active"]]
            if streams:
                stream = streams[0] if n < 3 else rng.choice(streams)
                others = [
                    a for a in map(accounts.address, accounts.NAMES) if a not in stream.values()
                ]
                call = {"op": "transfer_recipient", "streamId": stream["id"]}
                call["recipient"] = rng.choice(others)
                await self._world.network("POST", "operations", operations=[call])
                self._report.transfers += 1

    async def judge(self, settle: float, journal: ReadJournal | None = None) -> None:
        """Check the run (tests.chaos.judge)."""
        judge = FinalCheck(self._world, self._report, self._began, self.clients, self.api_callers)
        judge.set_back, judge.before = self._set_back, self._before
        if self._jumps:
            judge.wrong, judge.clock_of_redis = self._jumps.wrong, self._jumps.of_redis
        await judge.judge(settle, journal)
        if webhooks := self._world.webhooks:
            entries = await insist(self._entries)
            lost = bool(losses_of(self._world))
            settling = WebhookSettling(self._world, webhooks)
            self._report.violations += await settling.settle(entries)
            deleted = bool(self._world.lost.entries)
            self._report.violations += webhooks.check(entries, lost=lost, deleted=deleted)
            self._report.webhooks = webhooks.counts()

    async def _entries(self) -> list[JournalEntry]:
        rows: Any = await self._world.redis.xrange(KEYS.journal)
        return [entry_of(*row) for row in rows]


def _newest(violation: list[ReceivedFrame]) -> Position:
    """The position of the last event that was received."""
    return next((each.position for each in reversed(violation) if "." in each.name), START)
