"""Indexers as separate processes, with a simulated network in the test's process."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import sys
from contextlib import AbstractAsyncContextManager, redirect_stderr, redirect_stdout
from typing import Any, NamedTuple

from redis.asyncio import Redis
from structlog.testing import capture_logs

from deploy.simulator.chain import accounts
from services.indexer.commands import deadletter, verify
from services.indexer.commands.runner import attempt
from services.indexer.settings import IndexerSettings
from shared.journal.keys import Keys
from tests.indexer.simulated import PASSPHRASE, Sim, journal
from tests.support.processes import ServiceProcess, running
from tests.support.waiting import until

_COMMANDS: dict[str, Any] = {"verify": verify, "deadletter": deadletter}


class CommandOutcome(NamedTuple):
    """The outcome of a command: exit code, lines (parsed if they are JSON), and stderr."""

    code: int
    lines: list[Any]
    stderr: str

    @classmethod
    def of(cls, code: int, out: str, err: str) -> CommandOutcome:
        lines = [json.loads(x) if x.startswith("{") else x for x in out.splitlines()]
        return cls(code, lines, err)


class Site:
    """One namespace; `indexer()` starts a process for it."""

    def __init__(self, sim: Sim, redis: Redis, redis_url: str, keys: Keys) -> None:
        self.sim = sim
        self.redis = redis
        self.redis_url = redis_url
        self.keys = keys

    def settings(self, **environment: object) -> dict[str, object]:
        return {
            "REDIS_URL": self.redis_url,
            "HORIZON_URL": self.sim.url,
            "RPC_URL": f"{self.sim.url}/rpc",
            "CONTRACTS": accounts.STREAMS,
            "NETWORK_PASSPHRASE": PASSPHRASE,
            "NAMESPACE": self.keys.namespace,
            "SOURCE_WAIT_SECONDS": "0.1",
            "RPC_POLL_SECONDS": "0.05",
            "START": "earliest",
        } | environment

    def indexer(self, **environment: object) -> AbstractAsyncContextManager[ServiceProcess]:
        return running("services.indexer", **self.settings(**environment))

    async def command(self, name: str, *words: object, **environment: object) -> CommandOutcome:
        """Run one of the indexer's commands in this process."""
        given = {k.lower(): v for k, v in self.settings(**environment).items()}
        module = _COMMANDS[name]
        out, err = io.StringIO(), io.StringIO()
        # Logs of a command are not part of its answer: a process writes them to stderr.
        with redirect_stdout(out), redirect_stderr(err), capture_logs():
            args = module.arguments([str(word) for word in words])
            settings = IndexerSettings(**given)  # type: ignore[arg-type]  # pydantic reads them
            code = await attempt(module.run(args, settings, self.redis))
        return CommandOutcome.of(code, out.getvalue(), err.getvalue())

    async def process(self, *words: object, **environment: object) -> CommandOutcome:
        """Run `python -m services.indexer` with these words to its end."""
        env = os.environ | {k: str(v) for k, v in self.settings(**environment).items()}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.indexer", *map(str, words),
            env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode is not None
        return CommandOutcome.of(process.returncode, out.decode(), err.decode())

    async def ready(self, process: ServiceProcess) -> tuple[bool, dict[str, str]]:
        """Whether /readyz answers 200, and its reason for each part."""
        async with self._get(process, "/readyz") as response:
            document = await response.json()
            assert document["ready"] == (response.status == 200)
            return response.status == 200, document["parts"]

    async def notes(self, process: ServiceProcess) -> dict[str, str]:
        """The notes in /readyz."""
        async with self._get(process, "/readyz") as response:
            notes: dict[str, str] = (await response.json()).get("notes", {})
            return notes

    async def alive(self, process: ServiceProcess) -> bool:
        async with self._get(process, "/livez") as response:
            return bool(response.status == 200)

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

    async def caught_up(self, seconds: float = 30) -> None:
        async def there() -> bool:
            return await self.cursor() >= self.sim.tip  # above it: nothing was closed since START

        await until(there, seconds=seconds, what="the tip")

    async def heard(self, process: ServiceProcess) -> None:
        """Wait until the process has noticed that it committed the tip."""

        async def so() -> bool:
            read = await self.metric(process, "headrace_indexer_cursor_ledger")
            return read == self.sim.network.chain.latest.sequence

        await until(so, what="the commit of the tip was answered")

    async def is_exact(self, contract: str = accounts.STREAMS) -> None:
        """Whether the journal has exactly the contract's events, none missing, none twice."""
        positions = [entry.position for entry in await journal(self.redis, self.keys)]
        due = self.sim.positions(contract=contract)
        missing, others = sorted(set(due) - set(positions)), sorted(set(positions) - set(due))
        assert positions == due, f"missing: {missing}; not of the chain, or twice: {others}"

    async def until_ready(self, process: ServiceProcess, ready: bool = True) -> dict[str, str]:
        async def so() -> dict[str, str] | None:
            is_ready, parts = await self.ready(process)
            return parts if is_ready is ready else None

        parts = await until(so, seconds=45, what=f"ready = {ready}")
        assert parts
        return parts
