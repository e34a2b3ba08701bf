"""Background tasks: every one is supervised, none dies unseen."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator
from typing import Any

import structlog

from shared.domain.errors import HeadraceError
from shared.runtime.metrics import TASK_FAILURES

log = structlog.get_logger()


class ExpectedRestart(HeadraceError):
    """An end of a task that is part of the design; it is tried again without a traceback."""


def backoff(first: float = 0.1, max_wait: float = 30.0) -> Iterator[float]:
    """Seconds to wait before each try: full jitter under a doubling bound."""
    bound = min(first, max_wait)
    while True:
        yield random.uniform(0, bound)
        bound = min(max_wait, bound * 2)


def supervise(
    name: str,
    run: Callable[[], Awaitable[None]],
    *,
    fatal: tuple[type[Exception], ...] = (),
    on_fatal: Callable[[Exception], None] | None = None,
    max_wait: float = 5.0,
) -> asyncio.Task[None]:
    """Run `run` again whenever it fails, after a jittered wait; stop when it returns.

    An exception of `fatal` ends the task and is handed to `on_fatal`.
    """
    return asyncio.create_task(_supervised(name, run, fatal, on_fatal, max_wait), name=name)


async def _supervised(
    name: str,
    run: Callable[[], Awaitable[None]],
    fatal: tuple[type[Exception], ...],
    on_fatal: Callable[[Exception], None] | None,
    max_wait: float,
) -> None:
    loop = asyncio.get_running_loop()
    waits = backoff(max_wait=max_wait)
    TASK_FAILURES.labels(name)  # the series exists at 0, so that the first failure is an increase
    while True:
        started = loop.time()
        try:
            await run()
            return
        except fatal as error:
            log.error("task_ended", task=name, error=str(error), kind=type(error).__name__)
            if on_fatal:
                on_fatal(error)
            return
        except Exception as error:
            TASK_FAILURES.labels(name).inc()
            log.warning(
                "task_failed", task=name, error=describe(error), exc_info=_needs_traceback(error)
            )
        if loop.time() - started > max_wait:  # it had worked for a while: begin the waits anew
            waits = backoff(max_wait=max_wait)
        await asyncio.sleep(next(waits))


def describe(error: BaseException) -> str:
    """For the log: what it is and what it says. redis-py's own repr leaves out what it says."""
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _needs_traceback(error: Exception) -> bool:
    """A traceback is for defects; a peer that is away or refuses needs none."""
    return not isinstance(error, OSError | EOFError | ExpectedRestart) and not any(
        kind.__module__.startswith("redis.") for kind in type(error).__mro__
    )


async def cancel(*tasks: asyncio.Task[Any]) -> None:
    """Cancel and wait until all have ended.

    Asks again each second: redis-py sends within `wait_for`, and that of Python 3.11 swallows a
    cancellation which comes just as the sending ends (python/cpython#86296).
    """
    pending: Collection[asyncio.Task[Any]] = tasks
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=1.0)
    await asyncio.gather(*tasks, return_exceptions=True)


async def run_until_first(*works: Coroutine[Any, Any, object]) -> None:
    """Run coroutines side by side until the first one ends, then cancel the others.

    Raises what the first one raised. When the caller is cancelled, all are cancelled.
    """
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel(*tasks)
    for task in done:
        task.result()
