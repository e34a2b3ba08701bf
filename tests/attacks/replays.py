"""Clients that resume from the oldest event, again and again: `python -m tests.attacks.replays`.

Prints how long live events need meanwhile. SECONDS, ENTRIES and CLIENTS change the attack.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from shared.domain.strkeys import is_account
from shared.journal.keys import Keys
from shared.redis.client import connect
from shared.runtime.tasks import cancel
from tests.attacks.helpers import measuring
from tests.attacks.live import LivePlan
from tests.fanout.replicas import ALICE, BOB, CAROL, SUBSCRIBE, Chain, Replica, replica_process
from tests.support.data import begun_long_ago
from tests.support.pace import last
from tests.support.redis_server import redis_server

SECONDS = float(os.environ.get("SECONDS", "15"))
ENTRIES = int(os.environ.get("ENTRIES", "100000"))
CLIENTS = int(os.environ.get("CLIENTS", "60"))
NOBODY = CAROL
"""An account without events, but for one at the end, by which a client knows that it is done."""
LIVE = "999"
_RATE = 50
_READ = 1 << 18


class Attack:
    """`CLIENTS` connections that resume from the oldest event, and reconnect when they have all."""

    def __init__(self, replica: Replica, query: str, end: str) -> None:
        self.done = self.received = 0
        self._port = replica.port
        self._request = (
            f"GET {SUBSCRIBE}?{query} HTTP/1.1\r\nHost: test\r\nLast-Event-ID: 0-0\r\n\r\n"
        ).encode()
        self._end = f"id: {end}\n".encode()

    async def run(self) -> None:
        """Attack until cancelled."""
        await asyncio.gather(*(self._resume_again_and_again() for _ in range(CLIENTS)))

    async def _resume_again_and_again(self) -> None:
        while True:
            with suppress(OSError):
                await self._resume()

    async def _resume(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=_READ)
        try:
            writer.write(self._request)
            rest = b""
            while data := await reader.read(_READ):
                self.received += len(data)
                rest = rest[-100:] + data
                if self._end in rest:
                    self.done += 1
                    return
        finally:
            writer.transport.abort()


async def _publish(chain: Chain) -> None:
    """Commit live events at a steady rate."""
    while True:
        await chain.commit(chain.event(int(LIVE), ALICE, BOB))
        await last(1 / _RATE)


async def _measure(replica: Replica, chain: Chain, name: str, attack: Attack | None) -> None:
    tasks = [asyncio.create_task(_publish(chain))]
    cpu = await replica.metric_of("process_cpu_seconds_total")
    if attack:
        tasks.append(asyncio.create_task(attack.run()))
        await last(2)
    async with measuring(LivePlan([replica.port], f"streams={LIVE}", "none")) as results:
        await last(SECONDS)
    memory = await replica.metric_of("process_resident_memory_bytes")
    cpu = await replica.metric_of("process_cpu_seconds_total") - cpu
    await cancel(*tasks)
    (live,) = results
    attacked = f"; {attack.done} resumes, {attack.received / 1e6:.0f} MB" if attack else ""
    print(
        f"{name:<32} live p50 {live.p50:6.1f} ms  p99 {live.p99:6.1f} ms  most {live.most:6.1f} ms"
        f"  of {live.count} events; {cpu:.1f} s of CPU, {memory / 1e6:.0f} MB of memory"
        f"{attacked}",
        flush=True,
    )


async def main() -> None:
    """Fill a journal, then measure without an attack and with each attack."""
    assert is_account(NOBODY)
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as url:
        keys = Keys("replays")
        redis = connect(url)
        await begun_long_ago(redis, keys)
        chain = Chain(redis, keys)
        await chain.commit_many(ENTRIES)
        (end,) = await chain.commit(chain.event(8, ALICE, NOBODY))
        async with replica_process(url, keys) as replica:
            await _measure(replica, chain, "no attack", None)
            for name, query in (("without events", f"users={NOBODY}"), ("everything", "all=true")):
                attack = Attack(replica, query, end)
                await _measure(replica, chain, f"{CLIENTS} resume {name}", attack)
        await redis.aclose()


if __name__ == "__main__":
    asyncio.run(main())
