"""Background tasks: each one is restarted when it fails, and each failure is logged and counted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import structlog

from shared.domain.errors import HeadraceError
from shared.runtime.metrics import TASK_FAILURES

log = structlog.get_logger()


class ExpectedRestart(HeadraceError):
    """A task raises this to be restarted in normal operation. It is logged without a traceback."""


def backoff(first: float = 0.1, max_wait: float = 30.0) -> Iterator[float]:
    """Yields the seconds to wait before each retry: random, up to a bound that doubles."""
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
    """Start a task that calls `run`, and calls it again after each failure, until `run` returns.

    Before a retry the task waits a random time of at most `max_wait` seconds. An exception of a
    type in `fatal` ends the task and is passed to `on_fatal`. `name` is the label in metrics and
    logs.
    """
    return asyncio.create_task(_supervised(name, run, fatal, on_fatal, max_wait), name=name)


async def _supervised(
    name: str,
    run: Callable[[], Awaitable[None]],
    fatal: tuple[type[Exception], ...],
    on_fatal: Callable[[Exception], None] | None,
    max_wait: float,
) -> None:
    try:
        await keep_running(name, run, fatal=fatal, max_wait=max_wait)
    except fatal as error:
        log.error("task_ended", task=name, error=str(error), kind=type(error).__name__)
        if on_fatal:
            on_fatal(error)


async def keep_running(
    name: str,
    run: Callable[[], Awaitable[None]],
    *,
    fatal: tuple[type[Exception], ...] = (),
    first_wait: float = 0.1,
    max_wait: float = 5.0,
) -> None:
    """Call `run`, and call it again after each failure, until `run` returns.

    Raises the errors whose types are in `fatal`. Before a retry it waits a random time of at most
    `first_wait` seconds; this bound doubles with each failure, up to `max_wait`. `name` is the
    label in metrics and logs.
    """
    loop = asyncio.get_running_loop()
    waits = backoff(first_wait, max_wait)
    TASK_FAILURES.labels(name)  # creates the series at 0, see shared.runtime.metrics.at_zero
    while True:
        started = loop.time()
        try:
            await run()
            return
        except fatal:
            raise
        except Exception as error:
            TASK_FAILURES.labels(name).inc()
            log.warning(
                "task_failed", task=name, error=describe(error), exc_info=_needs_traceback(error)
            )
        if loop.time() - started > max_wait:  # after a long run, start with short waits again
            waits = backoff(first_wait, max_wait)
        await asyncio.sleep(next(waits))


def describe(error: BaseException) -> str:
    """Type and message of an error, for logs: the repr of a redis-py error lacks the message."""
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _needs_traceback(error: Exception) -> bool:
    """True if the error is a defect. A server that is away or refuses needs no traceback."""
    return not isinstance(error, OSError | EOFError | ExpectedRestart) and not any(
        kind.__module__.startswith("redis.") for kind in type(error).__mro__
    )


async def cancel(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until all have ended, even if the caller is cancelled meanwhile.

    Cancels again each second, because a cancellation can get lost: redis-py sends commands inside
    `wait_for`, and in Python 3.11 `wait_for` swallows a cancellation that arrives when the sending
    completes (python/cpython#86296). So a caller that is one of these tasks itself is cancelled
    again too, and must not leave its own tasks behind: they would run for ever.
    """
    pending, interrupted = set(tasks), False
    while pending:
        for task in pending:
            task.cancel()
        try:
            await asyncio.wait(pending, timeout=1.0)
        except asyncio.CancelledError:
            interrupted = True
        pending = {task for task in pending if not task.done()}
    await asyncio.gather(*tasks, return_exceptions=True)
    if interrupted:
        raise asyncio.CancelledError


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
