"""One run: a world, what lives in it, faults by chance, and the judgement at the end."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path

from redis.exceptions import RedisError

from deploy.simulator.chain import accounts
from shared.domain.position import START, Position, parse_position
from shared.runtime.tasks import cancel
from tests.chaos.checker import Asked, Kind, Told, Violation
from tests.chaos.clients import Client
from tests.chaos.clocks import Jumps
from tests.chaos.failovers import acts_of, dealt
from tests.chaos.faults import ALONE, Faults
from tests.chaos.judge import Judge, ReadJournal
from tests.chaos.orders import Orders
from tests.chaos.outside import Outside
from tests.chaos.redis_single import RedisSingle
from tests.chaos.report import Report, Struck
from tests.chaos.world import KEYS, MakeRedis, World, world
from tests.support.pace import last
from tests.support.waiting import until

_RECOVERY = 20.0
"""Seconds within which events flow again after any fault."""


async def run(
    folder: Path,
    *,
    seed: int,
    seconds: float,
    only: Collection[str] = (),
    settle: float = 30.0,
    redis: MakeRedis = RedisSingle,
    **environment: str,
) -> Report:
    """`only` limits the faults by name, and each comes; `environment` goes to the services."""
    chance = random.Random(seed)
    report = Report(seed, seconds)
    source = chance.choice(("horizon", "rpc", "auto"))
    async with world(folder, seed, redis, **({"SOURCE": source} | environment)) as whole:
        life = Life(whole, chance, report)
        async with life.lived():
            outside = Outside(whole, life.draws(), life.clients, life.orders)
            faults = Faults(whole, life.draws(), outside, seconds)
            await life.suffer(faults, seconds, only)
            await life.judge(settle)
    return report


class Life:
    """The clients and the callers of one run, and what befalls them."""

    def __init__(self, whole: World, chance: random.Random, report: Report) -> None:
        self._world = whole
        self._chance = chance
        self._report = report
        self._began = time.monotonic()
        self._set_back: list[tuple[float, str]] = []
        self._jumps: Jumps | None = None
        self._before = 0  # events of the ledger from before all were connected

    def draws(self) -> random.Random:
        """Chances of one's own, so that nobody's haste changes what befalls another."""
        return random.Random(self._chance.random())

    @asynccontextmanager
    async def lived(self) -> AsyncIterator[None]:
        """From the first subscription to the last."""
        self.clients = [self._client(*each) for each in await self._audience()]
        self.clients += self._natives()
        self.orders = Orders(self._world, self.draws())
        watch = asyncio.create_task(self._watch_cursor())
        hands = asyncio.create_task(self._change_hands(self.draws()))
        try:
            await until(lambda: all(c.told for c in self.clients), seconds=90, what="greetings")
            self._before = len(await self._world.held())
            yield
        finally:
            await cancel(watch, hands)
            for client in self.clients:
                await client.close()

    async def _audience(self) -> list[tuple[str, str, Asked]]:
        await until(self._known_streams, seconds=90, what="three streams")
        alice = accounts.address("alice")
        found = [(f"all-{n}", "all=true", Asked(everything=True)) for n in (1, 2, 3)]
        for name in ("alice", "bob", "carol"):
            address = accounts.address(name)
            asked = Asked(accounts=frozenset({address}), holder=address)
            found.append((name, f"users={address}", asked))
        for stream in (await self._known_streams())[:3]:  # which will change hands
            one = Asked(streams=frozenset({stream["id"]}), holder=stream["recipient"])
            found.append((f"party-{stream['id']}", f"streams={stream['id']}", one))
        both = Asked(accounts=frozenset({alice}), streams=frozenset({"2", "3"}))
        return [*found, ("mixed", f"users={alice}&streams=2,3", both)]

    def _natives(self) -> list[Client]:
        """One behind each gateway."""
        asked = Asked(everything=True)
        return [
            self._client(f"native-{kind}", "all=true", asked, kind) for kind in self._world.gateways
        ]

    async def _known_streams(self) -> list[dict[str, str]]:
        """Those of the ledger that Redis has, once there are three; none was made before START."""
        redis, streams = self._world.redis, await self._streams()
        known = [each for each in streams if await redis.exists(KEYS.stream(each["id"]))]
        return known if len(known) > 2 else []

    async def _streams(self) -> list[dict[str, str]]:
        streams: list[dict[str, str]] = (await self._world.network("GET", "streams"))["streams"]
        return streams

    def _client(self, name: str, query: str, asked: Asked, gateway: str = "") -> Client:
        return Client(
            name,
            query,
            asked,
            self._world,
            chance=self.draws(),
            began=self._began,
            gateway=gateway,
        )

    # ── while it goes on ──

    async def suffer(self, faults: Faults, seconds: float, only: Collection[str]) -> None:
        """Fault after fault, now and then two at once, each followed by a recovery."""
        self._jumps = faults.jumps
        possible = acts_of(faults, self._world, self.draws)
        acts = {name: act for name, act in possible.items() if not only or name in only}
        end = time.monotonic() + seconds
        deck: list[str] = []
        while time.monotonic() < end or (only and deck):
            if not deck:  # each comes before any comes again
                deck = dealt(acts, self._chance)
            two = self._chance.random() < 0.3 and not ALONE & set(deck[-2:])
            names = [deck.pop() for _ in range(min(len(deck), 1 + two))]
            at = time.monotonic() - self._began
            faults.outside.alone = len(names) == 1
            notes = await asyncio.gather(*(acts[name]() for name in names))
            recovery = await self._recovered()
            whom = zip(names, notes, strict=True)
            alone = len(names) == 1
            self._report.struck += [Struck(*each, at, recovery, alone) for each in whom]
            await self._world.restarted()
            if recovery is None:
                told = Violation(
                    Kind.STUCK, "all", f"{at:.1f} s", (f"after {' and '.join(names)}",)
                )
                self._report.violations.append(told)
                await self._world.heal()

    async def _recovered(self) -> float | None:
        """Seconds until an event of a ledger that closed after now has reached a subscriber."""
        began = time.monotonic()
        tip = parse_position((await self._world.held())[-1]["id"]).ledger
        everyone = [client for client in self.clients if client.asked.everything]
        with suppress(AssertionError):
            await until(
                lambda: any(_newest(client.told).ledger > tip for client in everyone),
                seconds=_RECOVERY,
            )
            return time.monotonic() - began
        return None

    async def _watch_cursor(self) -> None:
        """The cursor never moves back, but where it was deleted (0): a replaced one would do it."""
        top = 0
        while True:
            with suppress(RedisError, OSError):
                cursor = int(await self._world.redis.hget(KEYS.progress, "cursor") or 0)
                if 0 < cursor < top:
                    self._set_back.append((time.time(), f"cursor {top} moved back to {cursor}"))
                top = cursor
            await last(0.01)

    async def _change_hands(self, chance: random.Random) -> None:
        """Streams on the chain get other recipients, who see them from then on; the first first."""
        for n in count():
            await last(chance.uniform(1, 3))
            streams = [each for each in await self._streams() if each["status"] == "active"]
            if streams:
                stream = streams[0] if n < 3 else chance.choice(streams)
                others = [
                    a for a in map(accounts.address, accounts.NAMES) if a not in stream.values()
                ]
                call = {"op": "transfer_recipient", "streamId": stream["id"]}
                call["recipient"] = chance.choice(others)
                await self._world.network("POST", "operations", operations=[call])

    async def judge(self, settle: float, journal: ReadJournal | None = None) -> None:
        """What is wrong with all that was told (tests.chaos.judge)."""
        judge = Judge(self._world, self._report, self._began, self.clients, self.orders)
        judge.set_back, judge.before = self._set_back, self._before
        if self._jumps:
            judge.wrong, judge.clock_of_redis = self._jumps.wrong, self._jumps.of_redis
        await judge.judge(settle, journal)


def _newest(told: list[Told]) -> Position:
    """The newest event of the chain's among what was told last."""
    return next((each.position for each in reversed(told) if "." in each.name), START)
