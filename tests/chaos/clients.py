"""Clients that behave as in production: they move between replicas, stall, lose tokens, resume."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from shared.domain.position import START, Position, parse_position
from tests.chaos.checker import Kind, ReceivedFrame, SubscriberView, Violation
from tests.chaos.ended_tokens import EndedToken
from tests.chaos.tokens import token
from tests.chaos.world import FANOUTS, World
from tests.support.pace import last
from tests.support.sse_client import SseClient
from tests.support.sse_parser import Event

_GRACE = 1.5
"""Seconds from `exp` to the end of a connection: 1 for rounding, 0.25 for the check, a margin."""

_SILENCE = 3.0
"""Seconds without data after which a client closes a connection. `sync` comes every second."""


@dataclass(frozen=True, slots=True)
class Outage:
    """The time without a connection, after a connection that the client did not close itself."""

    via: str
    since: float
    seconds: float


class Client:
    """One EventSource with its last id. `frames` has all frames of all its connections."""

    def __init__(
        self,
        name: str,
        query: str,
        asked: SubscriberView,
        world: World,
        *,
        rng: random.Random,
        began: float,
        gateway: str = "",
    ) -> None:
        """With `gateway`, connect there; then a status other than 200 or 401 is a violation."""
        self.name = name
        self.final: list[Violation] = []
        self._gateway = gateway
        self.asked = asked
        self.frames: list[ReceivedFrame] = []
        self.absences: list[Outage] = []
        self.ends: list[EndedToken] = []
        self.connections = 0
        self.tokens = 0
        self.refused = False
        self.last = ""
        self._query = query
        self._world = world
        self._rng = rng
        self._began = began
        self._lost: tuple[str, float] | None = None
        self._retry = 0.25
        self._renew()
        self._task = asyncio.create_task(self._run())

    @property
    def at(self) -> Position:
        """The last position that it received."""
        return parse_position(self.last) if self.last else START

    @property
    def token_name(self) -> str:
        """The `jti` of its current token."""
        return f"{self.name}-{self.tokens}"

    async def close(self) -> None:
        """Disconnect and stop."""
        while not self._task.done():  # wait_for can swallow a cancellation at its timeout
            self._task.cancel()
            await asyncio.wait([self._task], timeout=1.0)
        if not self._task.cancelled():
            self._task.result()

    def _renew(self) -> None:
        """Get a new token. Tokens of an account are valid for 3 to 12 s, others for 600 s."""
        self.tokens += 1
        holder, now = self.asked.holder, time.time()
        seconds = 600 if holder is None else self._rng.uniform(3, 12)
        scope = "events:all" if holder is None else ""
        self.token = token(
            holder or "operator", scope=scope, seconds=seconds, at=now, name=self.token_name
        )
        self.ends.append(EndedToken(self.token_name, now + seconds + _GRACE))

    async def _run(self) -> None:
        """Connect again and again. If one fanout does not answer, try the next."""
        while not self.refused:
            targets = [self._gateway] if self._gateway else self._rng.sample(FANOUTS, len(FANOUTS))
            for via in targets:
                with suppress(OSError, TimeoutError):
                    if await self._visit(via):
                        break
            await last(self._retry * self._rng.uniform(0.5, 1.0))

    async def _visit(self, via: str) -> bool:
        """One connection, until it ends or the client leaves. Returns whether it was answered."""
        way = self._world.proxies.get(("clients", via))
        port = way.port if way else self._world.gateways[via]
        headers = {"Host": f"127.0.0.1:{port}", "Authorization": f"Bearer {self.token}"}
        shown = self.token_name
        if self.last:
            headers["Last-Event-ID"] = self.last
        if self._rng.random() < 0.5:  # the encoding can be another one on each connection
            headers["Accept-Encoding"] = "gzip"
        target = f"/v1/events/subscribe?{self._query}"
        async with asyncio.timeout(_SILENCE):
            sse = await SseClient.connect(port, target, headers=headers)
        self.connections += 1
        self._noted, self._shown = 0, shown
        try:
            wished = await self._stay(sse, via)
        finally:
            sse.close()
            self._take(sse, via)
        if not wished and self._lost is None:
            self._lost = (via, time.monotonic())
        if sse.status == 401 or any(_is_over(event) for event in sse.events):
            self._renew()
        if self._gateway and sse.status not in (0, 200, 401):
            at = time.monotonic() - self._began
            self.final.append(Violation(Kind.FINAL, self.name, f"{at:.1f} s", (_head(sse),)))
        self.refused = sse.status == 403
        return sse.status != 0

    async def _stay(self, sse: SseClient, via: str) -> bool:
        """Read events. True if the client left by itself, False if the connection ended."""
        leaves = time.monotonic() + self._rng.expovariate(1 / 6)
        stalls = time.monotonic() + self._rng.expovariate(1 / 8)
        size, heard = 0, time.monotonic()
        while not sse.closed.is_set() and sse.status in (0, 200):
            # Python 3.11's asyncio.wait_for can lose a cancellation: the client would never end.
            with suppress(TimeoutError):
                async with asyncio.timeout(0.02):
                    await sse.closed.wait()
            self._take(sse, via)
            now = time.monotonic()
            if now > stalls:  # a slow reader: it reads nothing for a while
                sse.stall()
                await last(self._rng.uniform(0.2, 2.0))
                sse.resume()
                heard = now = time.monotonic()
                stalls = now + self._rng.expovariate(1 / 8)
            if len(sse.body) > size:
                size, heard = len(sse.body), max(now, heard)
            if now > leaves:
                return True
            if now - heard > _SILENCE:
                return False
        return False

    def _take(self, sse: SseClient, via: str) -> None:
        """Record the new frames and move the cursor."""
        for event in sse.events[self._noted :]:
            self._noted += 1
            frames = received_frame(event, event.at - self._began, via, self._shown)
            self.frames.append(frames)
            self.last = event.id or self.last
            if frames.name == "connected" and self._lost:
                lost, since = self._lost
                self.absences.append(Outage(lost, since - self._began, event.at - since))
                self._lost = None
        if sse.parser.retry is not None:
            self._retry = sse.parser.retry / 1000


def _head(sse: SseClient) -> str:
    return sse.head.partition(b"\r\n\r\n")[0].decode("utf-8", "replace")


def reconnect_seconds(clients: Iterable[Client], via: str, at: float) -> Iterator[float]:
    """Seconds without a connection, for the clients whose connection `via` ended at that time."""
    for client in clients:
        for absence in client.absences:
            if absence.via == via and 0 <= absence.since - at < 2:
                yield absence.seconds


def received_frame(event: Event, at: float, via: str, token: str = "") -> ReceivedFrame:
    """A frame in the form that the checker needs."""
    published = _published(event) if "." in event.name else 0.0
    since = parse_position(event.json["from"]) if event.name == "gap" else None
    name = "connected" if event.name == "message" else event.name
    position = parse_position(event.id) if event.id else START
    return ReceivedFrame(at, via, name, position, event.data, since, token, published)


def _published(event: Event) -> float:
    """The time of publication in Unix seconds.

    It is never after the arrival, even if the clock of Redis was wrong.
    """
    came = time.time() - (time.monotonic() - event.at)
    return min(came, float(event.json["publishedAt"]) / 1e6)


def _is_over(event: Event) -> bool:
    """True for a goodbye because the token expired or was revoked."""
    return event.name == "goodbye" and event.json["reason"] in ("token_expired", "revoked")
