"""One account floods the system in every way at once: `python -m tests.attacks.flood`.

The process reads one line of JSON from stdin (`FloodPlan`). It floods until stdin ends, and then
prints what it did as one line of JSON (`FloodResult`). It has the lowest priority, and uses at most
its share of one CPU. So it slows the services down only by its requests. Its memory does not grow,
so it can run for hours.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
import uuid
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from itertools import count, cycle
from typing import Any

import aiohttp
import jwt
import orjson
from stellar_sdk import Keypair

from shared.runtime.tasks import cancel
from tests.attacks.half_sent import HalfSent
from tests.attacks.metadata import largest
from tests.support.pace import last
from tests.support.sse_client import SseClient

_TIMEOUT = aiohttp.ClientTimeout(total=10)
_SLOW = 25
"""How many slow subscribers, and how many slow bodies, the flood tries to hold open."""
_GARBAGE = (
    b"GET / HTTP/9.9\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
    b"BREW /v1/streams\r\n\r\n",
)


@dataclass(frozen=True, slots=True)
class FloodPlan:
    """Whom to flood. `apis` and `fanouts` are ports on 127.0.0.1, `secret` signs tokens.

    `share` is the part of one CPU that the flood may use. Some of the streams go to `victim`.
    """

    apis: list[int]
    fanouts: list[int]
    secret: str
    victim: str
    token: str
    share: float = 0.15
    account: str = field(default_factory=lambda: Keypair.random().public_key)


@dataclass(frozen=True, slots=True)
class FloodResult:
    """The number of requests by kind and status (0: no answer), and the CPU that they took."""

    requests: dict[str, int]
    seconds: float
    cpu: float


class Pace:
    """Keeps this process below its share of one CPU."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._began, self._used = time.monotonic(), time.process_time()

    async def turn(self) -> None:
        """Wait until the process is below its share."""
        await last(0)
        while self.cpu > self._share:
            await last(0.05)

    @property
    def seconds(self) -> float:
        """Seconds since the flood began."""
        return time.monotonic() - self._began

    @property
    def cpu(self) -> float:
        """The part of one CPU that was used since then."""
        return (time.process_time() - self._used) / (self.seconds + 1.0)


class Flood:
    """The flood. `counts` has the requests by kind and status."""

    def __init__(self, plan: FloodPlan, session: aiohttp.ClientSession) -> None:
        self.counts: Counter[str] = Counter()
        self._plan = plan
        self._session = session
        self.pace = Pace(plan.share)
        self._apis, self._fanouts = cycle(plan.apis), cycle(plan.fanouts)
        self._streams: deque[str] = deque(maxlen=50)
        self._emoji = 3200
        self._turns = count()
        self._oldest = ""
        self._log_in()

    def _log_in(self) -> None:
        now = time.time()
        claims = {"iss": "headrace", "aud": "headrace", "sub": self._plan.account}
        claims |= {"scope": "streams:write", "jti": uuid.uuid4().hex}
        token = jwt.encode({**claims, "iat": now, "exp": now + 3600}, self._plan.secret, "HS256")
        self._headers = {"Authorization": f"Bearer {token}"}

    async def run(self) -> None:
        """Flood until cancelled."""
        kinds = [self.write] * 2 + [self.read] * 2 + [self.resume, self.send_garbage]
        kinds += [self.subscribe_slowly] * _SLOW + [self.send_slowly] * _SLOW
        await asyncio.gather(*(self._again(kind) for kind in kinds))

    async def _again(self, kind: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self.pace.turn()
            try:
                await kind()
            except (aiohttp.ClientError, OSError, TimeoutError):
                self.counts[f"{kind.__name__} 0"] += 1
                await last(0.2)

    # ── requests ──

    async def _request(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        url = f"http://127.0.0.1:{next(self._apis)}/v1/{path}"
        headers = self._headers | more.pop("headers", {})
        async with self._session.request(method, url, headers=headers, **more) as answer:
            text = await answer.read()
            self.counts[f"{method} {answer.status}"] += 1
            if answer.status == 401:  # the data is younger than the token
                self._log_in()
            return answer.status, orjson.loads(text) if answer.status < 300 else {}

    async def write(self) -> None:
        """Make a stream with the largest metadata, or replace the metadata of one."""
        plan, metadata = self._plan, largest(self._emoji)
        body: dict[str, Any] = {"metadata": metadata}
        method, path = "POST", "streams"
        turn = next(self._turns)
        if self._streams and turn % 2:
            method, path = "PATCH", f"streams/{self._streams[0]}"
            self._streams.rotate(1)
        else:
            to = Keypair.random().public_key if turn % 10 else plan.victim
            body |= {"sender": plan.account, "recipient": to, "tokenAddress": plan.token}
            body |= {"ratePerSecond": "1", "depositedAmount": str(10**30)}
        key = {"Idempotency-Key": str(uuid.uuid4())}
        status, document = await self._request(method, path, json=body, headers=key)
        if status == 201:
            self._streams.append(document["id"])
        elif status in (400, 413, 422):
            self._emoji = max(1, self._emoji * 3 // 4)
        elif status == 404:
            self._streams.clear()

    async def read(self) -> None:
        """Read the largest page of the account's own history, from its old end."""
        query = f"events?users={self._plan.account}&limit=500&order=asc"
        status, page = await self._request("GET", query)
        if status == 200 and page["items"]:
            self._oldest = page["items"][0]["id"]

    # ── connections ──

    async def _subscribe(self, **more: Any) -> SseClient:
        target = f"/v1/events/subscribe?users={self._plan.account}"
        headers = self._headers | more.pop("headers", {})
        return await SseClient.connect(next(self._fanouts), target, headers=headers, **more)

    async def subscribe_slowly(self) -> None:
        """Subscribe, and read nothing for a while."""
        since = {"Last-Event-ID": self._oldest} if self._oldest else {}
        client = await self._subscribe(headers=since, receive_buffer=2048, stalled=True)
        with closing(client):
            self.counts["slow subscriber"] += 1
            await self._wait(client.closed, 10)

    async def resume(self) -> None:
        """Resume from the oldest id, and disconnect after a second."""
        client = await self._subscribe(headers={"Last-Event-ID": self._oldest or "1-0"})
        with closing(client):
            await self._wait(client.closed, 1)
            self.counts[f"resume {client.status}"] += 1

    async def send_slowly(self) -> None:
        """Send a body that never ends."""
        half = await HalfSent.connect(next(self._apis), HalfSent.BODY, self._headers)
        with closing(half):
            self.counts["slow body"] += 1
            await self._wait(half.closed, 30)

    async def send_garbage(self) -> None:
        """Send a malformed request to each service."""
        for port in (next(self._apis), next(self._fanouts)):
            garbage = _GARBAGE[self.counts["malformed"] % len(_GARBAGE)]
            half = await HalfSent.connect(port, garbage)
            with closing(half):
                self.counts["malformed"] += 1
                await self._wait(half.closed, 1)

    @staticmethod
    async def _wait(closed: asyncio.Event, seconds: float) -> None:
        # Python 3.11's asyncio.wait_for can lose a cancellation: the flood would never end.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await closed.wait()


async def main() -> None:
    """Flood until stdin ends."""
    os.nice(19)
    plan = FloodPlan(**orjson.loads(await asyncio.to_thread(sys.stdin.buffer.readline)))
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        flood = Flood(plan, session)
        running = asyncio.create_task(flood.run())
        ended = asyncio.create_task(asyncio.to_thread(sys.stdin.buffer.read))
        await asyncio.wait((running, ended), return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()  # raises what went wrong
        await cancel(running)
        pace = flood.pace
        result = FloodResult(dict(sorted(flood.counts.items())), pace.seconds, pace.cpu)
        print(orjson.dumps(asdict(result)).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
