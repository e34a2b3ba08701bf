"""Indexers as processes of their own, against a simulated network in the test's process."""

from __future__ import annotations

import re
from contextlib import AbstractAsyncContextManager
from typing import Any

from redis.asyncio import Redis

from deploy.local.network import accounts
from shared.keys import Keys
from tests.indexer.simulated import PASSPHRASE, Sim, journal
from tests.support.processes import ServiceProcess, running
from tests.support.waiting import until


class Site:
    """One namespace; `indexer()` starts a process for it."""

    def __init__(self, sim: Sim, redis: Redis, redis_url: str, keys: Keys) -> None:
        self.sim = sim
        self.redis = redis
        self.redis_url = redis_url
        self.keys = keys

    def indexer(self, **environment: object) -> AbstractAsyncContextManager[ServiceProcess]:
        usual = {
            "REDIS_URL": self.redis_url,
            "HORIZON_URL": self.sim.url,
            "RPC_URL": f"{self.sim.url}/rpc",
            "CONTRACT_IDS": accounts.STREAMS,
            "NETWORK_PASSPHRASE": PASSPHRASE,
            "NAMESPACE": self.keys.namespace,
            "SOURCE_WAIT_SECONDS": "0.1",
            "START": "earliest",
        }
        return running("services.indexer", **usual | environment)

    async def ready(self, process: ServiceProcess) -> tuple[bool, dict[str, str]]:
        """Whether /readyz says 200, and what it says of each part."""
        async with self._get(process, "/readyz") as response:
            document = await response.json()
            assert document["ready"] == (response.status == 200)
            return response.status == 200, document["parts"]

    async def metric(self, process: ServiceProcess, name: str) -> float | None:
        async with self._get(process, "/metrics") as response:
            found = re.search(f"^{re.escape(name)} (.*)$", await response.text(), re.MULTILINE)
        return float(found[1]) if found else None

    async def active(self, *processes: ServiceProcess) -> list[ServiceProcess]:
        return [p for p in processes if await self.metric(p, "headrace_indexer_active") == 1]

    def _get(self, process: ServiceProcess, path: str) -> Any:
        return self.sim.session.get(f"http://127.0.0.1:{process.port}{path}")

    async def cursor(self) -> int:
        return int(await self.redis.hget(self.keys.progress, "cursor") or 0)

    async def caught_up(self, seconds: float = 15) -> None:
        async def there() -> bool:
            return await self.cursor() == self.sim.tip

        await until(there, seconds=seconds, what="the tip")

    async def heard(self, process: ServiceProcess) -> None:
        """Until the process knows that it has committed the tip."""

        async def so() -> bool:
            read = await self.metric(process, "headrace_indexer_cursor_ledger")
            return read == self.sim.network.chain.latest.sequence

        await until(so, what="the commit of the tip was answered")

    async def is_exact(self, contract: str = accounts.STREAMS) -> None:
        """The journal is the contract's events, none missing, none twice."""
        positions = [entry.position for entry in await journal(self.redis, self.keys)]
        assert positions == self.sim.positions(contract=contract)

    async def until_ready(self, process: ServiceProcess, ready: bool = True) -> dict[str, str]:
        async def so() -> dict[str, str] | None:
            is_ready, parts = await self.ready(process)
            return parts if is_ready is ready else None

        parts = await until(so, seconds=15, what=f"ready = {ready}")
        assert parts
        return parts
