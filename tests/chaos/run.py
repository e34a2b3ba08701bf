"""One run: a world, what lives in it, faults by chance, and the judgement at the end."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import count
from math import inf
from pathlib import Path

from redis.exceptions import RedisError

from deploy.local.network import accounts
from shared.journal import Journal
from shared.positions import START, Position, parse_position
from shared.tasks import cancel
from shared.wire import Entry
from tests.chaos.checker import Asked, Kind, Told, Violation, check_client, check_ends
from tests.chaos.clients import Client, returns
from tests.chaos.clocks import Span, trusted
from tests.chaos.facts import facts_of
from tests.chaos.failovers import acts_of, dealt, losses_of
from tests.chaos.faults import ALONE, Faults
from tests.chaos.losses import lives, lost_at
from tests.chaos.orders import Orders
from tests.chaos.outside import Outside
from tests.chaos.redis_single import RedisSingle
from tests.chaos.report import GOALS, Report, Struck
from tests.chaos.world import KEYS, MakeRedis, World, world
from tests.support.pace import last
from tests.support.waiting import until

ReadJournal = Callable[[], Awaitable[Sequence[Entry]]]

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
    """`only` limits the faults by name; `environment` goes to the services."""
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
        self._wrong: list[Span] = []
        self._before = 0  # events of the ledger from before all were connected

    def draws(self) -> random.Random:
        """Chances of one's own, so that nobody's haste changes what befalls another."""
        return random.Random(self._chance.random())

    @asynccontextmanager
    async def lived(self) -> AsyncIterator[None]:
        """From the first subscription to the last."""
        self.clients = [self._client(*each) for each in await self._audience()]
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
        third = KEYS.stream("3")
        await until(lambda: self._world.redis.exists(third), seconds=90, what="three streams")
        alice = accounts.address("alice")
        found = [(f"all-{n}", "all=true", Asked(everything=True)) for n in (1, 2, 3)]
        for name in ("alice", "bob", "carol"):
            address = accounts.address(name)
            asked = Asked(accounts=frozenset({address}), holder=address)
            found.append((name, f"users={address}", asked))
        for stream in (await self._streams())[:3]:  # which will change hands
            one = Asked(streams=frozenset({stream["id"]}), holder=stream["recipient"])
            found.append((f"party-{stream['id']}", f"streams={stream['id']}", one))
        both = Asked(accounts=frozenset({alice}), streams=frozenset({"2", "3"}))
        return [*found, ("mixed", f"users={alice}&streams=2,3", both)]

    async def _streams(self) -> list[dict[str, str]]:
        streams: list[dict[str, str]] = (await self._world.network("GET", "streams"))["streams"]
        return streams

    def _client(self, name: str, query: str, asked: Asked) -> Client:
        return Client(name, query, asked, self._world, chance=self.draws(), began=self._began)

    # ── while it goes on ──

    async def suffer(self, faults: Faults, seconds: float, only: Collection[str]) -> None:
        """Fault after fault, now and then two at once, each followed by a recovery."""
        self._wrong = faults.jumps.wrong
        possible = acts_of(faults, self._world, self.draws)
        acts = {name: act for name, act in possible.items() if not only or name in only}
        end = time.monotonic() + seconds
        deck: list[str] = []
        while time.monotonic() < end:
            if not deck:  # each comes before any comes again
                deck = dealt(acts, self._chance)
            two = self._chance.random() < 0.3 and ALONE not in deck[-2:]
            names = [deck.pop() for _ in range(min(len(deck), 1 + two))]
            at = time.monotonic() - self._began
            faults.outside.alone = len(names) == 1
            notes = await asyncio.gather(*(acts[name]() for name in names))
            recovery = await self._recovered()
            alone = len(names) == 1
            for whom in zip(names, notes, strict=True):
                self._report.struck.append(Struck(*whom, at, recovery, alone))
            await self._world.restarted()
            if recovery is None:
                after = (f"after {' and '.join(names)}",)
                self._report.violations.append(Violation(Kind.STUCK, "all", f"{at:.1f} s", after))
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

    # ── the end ──

    async def judge(self, settle: float, journal: ReadJournal | None = None) -> None:
        """Heal everything, let all catch up, compare. `journal` reads one that is trimmed."""
        report = self._report
        await self._world.heal()
        await self._world.restarted()
        await self.orders.end()
        held = await self._world.held()
        places = [parse_position(each["id"]) for each in held]
        end = max([*places, *(parse_position(ack.position) for ack in self.orders.acks)])
        await self._caught_up(end, settle)
        for client in self.clients:
            await client.close()
        read = journal or (lambda: Journal(self._world.redis, KEYS).latest(1_000_000))
        kept = [entry for entry in await read() if parse_position(entry.position) <= end]
        facts, wrong = facts_of(held, self.orders.acks, kept)
        report.violations += wrong
        losses, zero = losses_of(self._world), time.time() - (time.monotonic() - self._began)
        for at, where in self._set_back:
            if not lost_at(at, losses, noticed=5.0):
                report.violations.append(Violation(Kind.FENCE, "journal", where))
        for client in self.clients:
            # One that was refused has lost its stream to others, and with it all that follows.
            reach = client.at if client.refused else end
            told = [each for each in client.told if each.position <= end]
            due = [fact for fact in facts if fact.position <= reach]
            sure = [*trusted(told, self._began, self._wrong)]
            report.violations += check_ends(client.name, sure, client.ends)
            for life in lives(told, due, losses, zero):
                report.violations += check_client(client.name, client.asked, life.told, life.due)
        self._count(len(held) - self._before, len(facts) - len(held))

    async def _caught_up(self, end: Position, settle: float) -> None:
        with suppress(AssertionError):
            await until(
                lambda: all(client.refused or client.at >= end for client in self.clients),
                seconds=settle,
            )
            return
        for client in self.clients:
            if not client.refused and client.at < end:
                history = tuple(map(str, client.told[-3:]))
                wrong = Violation(Kind.STUCK, client.name, f"{client.at}, not {end}", history)
                self._report.violations.append(wrong)

    def _count(self, chain: int, api: int) -> None:
        report, clients = self._report, self.clients
        report.chain_events, report.api_events = chain, api
        report.acks, report.tries = len(self.orders.acks), self.orders.tries
        report.clients = len(clients)
        report.connections = sum(client.connections for client in clients)
        report.delivered = sum("." in each.name for client in clients for each in client.told)
        report.gaps = sum(each.since is not None for client in clients for each in client.told)
        for struck in report.struck:
            seconds = struck.recovery
            if struck.name.endswith("of a fanout"):
                seconds = max(returns(self.clients, struck.note, struck.at), default=0.0)
                report.returns[struck.name] = max(report.returns.get(struck.name, 0.0), seconds)
            if struck.alone and (seconds or 0.0) > GOALS.get(struck.name, inf):
                report.late.append(f"{struck.name} at {struck.at:.1f} s: {seconds:.2f} s")


def _newest(told: list[Told]) -> Position:
    """The newest event of the chain's among what was told last."""
    return next((each.position for each in reversed(told) if "." in each.name), START)
