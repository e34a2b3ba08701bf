"""The check at the end of a run: wait until all clients have caught up, then check each of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from typing import Any

from shared.domain.position import Position, parse_position
from shared.journal.wire import JournalEntry, entry_of
from tests.chaos.api_callers import ApiCallers
from tests.chaos.archive_check import check_archive
from tests.chaos.archive_faults import archiver_command
from tests.chaos.checker import (
    ANY,
    ExpectedEvent,
    Kind,
    Violation,
    check_client,
)
from tests.chaos.checker import Span as Missing
from tests.chaos.clients import Client, reconnect_seconds
from tests.chaos.clocks import Span, trusted
from tests.chaos.ended_tokens import check_ended_tokens
from tests.chaos.facts import expected_events
from tests.chaos.failovers import losses_of
from tests.chaos.insist import insist
from tests.chaos.journals import RESET, check_notices
from tests.chaos.losses import DataLoss, lost_at, split_at_resets
from tests.chaos.lost import due_to
from tests.chaos.report import GOALS, Report
from tests.chaos.world import KEYS, World
from tests.support.waiting import until

ReadJournal = Callable[[], Awaitable[Sequence[JournalEntry]]]


@dataclass
class FinalCheck:
    """The check of one run. `began` is the start of the run by the monotonic clock.

    `wrong` has the times when a clock was wrong. `set_back` has the times (Unix seconds) when the
    cursor of the source moved back. `before` is the number of events in the ledger before all
    clients were connected.
    """

    world: World
    report: Report
    began: float
    clients: Sequence[Client]
    api_callers: ApiCallers
    wrong: Sequence[Span] = ()
    clock_of_redis: bool = False
    set_back: list[tuple[float, str]] = field(default_factory=list)
    before: int = 0

    async def judge(self, settle: float, journal: ReadJournal | None = None) -> None:
        """End all faults, wait for the clients, check.

        `journal` reads a journal that was trimmed.
        """
        await self.world.heal()
        await self.world.restarted()
        await self.api_callers.end()
        held = await self.world.held()
        positions = [parse_position(each["id"]) for each in held]
        end = max([*positions, *(parse_position(ack.position) for ack in self.api_callers.acks)])
        await self._caught_up(end, settle)
        for client in self.clients:
            await client.close()
        read = journal or self._read
        kept = [entry for entry in await insist(read) if parse_position(entry.position) <= end]
        began = await insist(self.world.where_it_began)
        facts, wrong = expected_events(held, self.api_callers.acks, kept, self.world.lost, began)
        self.report.violations += wrong
        self.report.violations += self._of_journal(kept)
        entries = self.world.lost.everything(kept)
        resets = {parse_position(each.position) for each in entries if each.type == RESET}
        lost = self.world.lost
        data_loss = DataLoss(lost.data_loss(kept), resets, lost.begins(began), lost.held)
        spans = ANY if journal else self.world.lost.spans(began)
        for client in self.clients:
            self.report.violations += self._of_client(client, facts, data_loss, end, spans)
        self._count(len(held) - self.before, len(facts) - len(held))

    async def _read(self) -> list[JournalEntry]:
        """Read the journal from Redis directly, not by the code under test."""
        rows: Any = await self.world.redis.xrange(KEYS.journal)
        entries = [entry_of(*row) for row in rows]
        if self.world.archive is None:
            return entries
        archived = await asyncio.to_thread(self.world.archive.entries)
        self.report.archived = len(archived)
        self.report.violations += check_archive(archived, entries)
        code, output = await archiver_command(self.world, "verify")
        if code:
            lines = tuple(output.splitlines())
            self.report.violations.append(Violation(Kind.ALTERED, "archive", "verify", lines))
        kept = {each.position: each for each in (*archived, *entries)}
        return sorted(kept.values(), key=lambda each: parse_position(each.position))

    def _of_journal(self, journal: Sequence[JournalEntry]) -> Iterator[Violation]:
        losses = [*losses_of(self.world), *self.world.lost.rewound]
        for at, where in self.set_back:
            if not lost_at(at, losses, noticed=5.0):
                yield Violation(Kind.FENCE, "journal", where)
        if not self.clock_of_redis:
            yield from check_notices(self.world.lost.everything(journal))

    def _of_client(
        self,
        client: Client,
        facts: Sequence[ExpectedEvent],
        data_loss: DataLoss,
        end: Position,
        spans: Sequence[Missing],
    ) -> Iterator[Violation]:
        lost, zero = self.world.lost, time.time() - (time.monotonic() - self.began)
        # A client that was refused is no longer a party of its stream. Later events are not for it.
        reach = client.at if client.refused else end
        frames = [each for each in client.frames if each.position <= end]
        expected = due_to(
            frames, [f for f in facts if f.position <= reach], data_loss.events, lost, zero
        )
        yield from check_ended_tokens(
            client.name, [*trusted(frames, self.began, self.wrong)], client.ends
        )
        yield from client.final
        for period in split_at_resets(
            frames, expected, [*losses_of(self.world), *lost.losses], zero, data_loss
        ):
            yield from check_client(
                client.name, client.asked, period.frames, period.expected, spans
            )

    async def _caught_up(self, end: Position, settle: float) -> None:
        with suppress(AssertionError):
            await until(
                lambda: all(client.refused or client.at >= end for client in self.clients),
                seconds=settle,
            )
            return
        for client in self.clients:
            if not client.refused and client.at < end:
                history = tuple(map(str, client.frames[-3:]))
                wrong = Violation(Kind.STUCK, client.name, f"{client.at}, not {end}", history)
                self.report.violations.append(wrong)

    def _count(self, chain: int, api: int) -> None:
        report, clients = self.report, self.clients
        report.chain_events, report.api_events = chain, api
        report.acks, report.tries = len(self.api_callers.acks), self.api_callers.tries
        report.clients = len(clients)
        report.connections = sum(client.connections for client in clients)
        report.delivered = sum("." in each.name for client in clients for each in client.frames)
        report.gaps = sum(each.since is not None for client in clients for each in client.frames)
        report.resets = sum(each.name == "reset" for client in clients for each in client.frames)
        for injected in report.injected:
            seconds = injected.recovery
            if injected.name.endswith("of a fanout"):
                seconds = max(
                    reconnect_seconds(self.clients, injected.note, injected.at), default=0.0
                )
                report.returns[injected.name] = max(report.returns.get(injected.name, 0.0), seconds)
            if injected.alone and (seconds or 0.0) > GOALS.get(injected.name, inf):
                report.late.append(f"{injected.name} at {injected.at:.1f} s: {seconds:.2f} s")
