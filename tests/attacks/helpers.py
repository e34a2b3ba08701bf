"""Separate processes: one floods the services, one measures the delivery of live events."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import orjson

from tests.attacks.flood import FloodPlan, FloodResult
from tests.attacks.live import LivePlan, LiveResult

_ROOT = Path(__file__).parents[2]
R = TypeVar("R")


class Helper:
    """A process that runs a plan from stdin until stdin ends. Then `result` is what it printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.result: dict[str, Any] = {}

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def end(self) -> None:
        """Close stdin, and wait for the result. Raises TimeoutError after a minute."""
        assert self._process.stdin
        self._process.stdin.close()
        async with asyncio.timeout(60):
            output, _ = await self._process.communicate()
        assert self._process.returncode == 0, f"it ended with {self._process.returncode}"
        self.result = orjson.loads(output)


@asynccontextmanager
async def _helper(module: str, plan: dict[str, Any]) -> AsyncIterator[Helper]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        cwd=_ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin
    try:
        process.stdin.write(orjson.dumps(plan) + b"\n")
        helper = Helper(process)
        yield helper
        await helper.end()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def _results(module: str, plan: Any, kind: Callable[..., R]) -> AsyncIterator[list[R]]:
    results: list[R] = []
    async with _helper(module, asdict(plan)) as helper:
        yield results
    results.append(kind(**helper.result))


def flooding(plan: FloodPlan) -> AbstractAsyncContextManager[list[FloodResult]]:
    """Flood while the block runs. The list gets the result when the block ends."""
    return _results("tests.attacks.flood", plan, FloodResult)


def measuring(plan: LivePlan) -> AbstractAsyncContextManager[list[LiveResult]]:
    """Measure live deliveries while the block runs. The list gets the result when it ends."""
    return _results("tests.attacks.live", plan, LiveResult)
