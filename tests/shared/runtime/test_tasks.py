"""Background tasks: restarted after a failure, ended by a fatal error, always logged."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import ConnectionError as RedisConnectionError
from structlog.testing import capture_logs

from shared.redis.client import WriteRefusedError
from shared.runtime.metrics import TASK_FAILURES
from shared.runtime.tasks import (
    ExpectedRestart,
    backoff,
    cancel,
    keep_running,
    run_until_first,
    supervise,
)
from tests.support.waiting import until

QUICK = 0.002
"""A short maximum wait, in seconds."""


class Broken(Exception):
    """The error that these tests raise."""


def failures(name: str) -> float:
    return TASK_FAILURES.labels(name)._value.get()


async def test_a_task_that_fails_is_restarted_and_counted() -> None:
    runs = 0

    async def run() -> None:
        nonlocal runs
        runs += 1
        if runs < 4:
            raise Broken(f"run {runs}")

    before = failures("again")
    with capture_logs() as logs:
        await asyncio.wait_for(supervise("again", run, max_wait=QUICK), 30)
    assert (runs, failures("again") - before) == (4, 3)
    assert [entry["event"] for entry in logs] == ["task_failed"] * 3
    assert logs[0]["task"] == "again"
    assert "run 1" in logs[0]["error"]


async def test_a_traceback_is_logged_for_defects_and_not_for_a_peer_that_is_away() -> None:
    errors = iter(
        [ValueError("defect"), ConnectionResetError("away"), EOFError(), ExpectedRestart()]
    )

    async def run() -> None:
        if (error := next(errors, None)) is not None:
            raise error

    with capture_logs() as logs:
        await asyncio.wait_for(supervise("peers", run, max_wait=QUICK), 30)
    assert [entry["exc_info"] for entry in logs] == [True, False, False, False]


async def test_an_unavailable_redis_is_logged_in_one_line() -> None:
    errors = iter(
        [RedisConnectionError("a replica"), WriteRefusedError("memory is full"), TimeoutError()]
    )

    async def run() -> None:
        if (error := next(errors, None)) is not None:
            raise error

    with capture_logs() as logs:
        await asyncio.wait_for(supervise("redis", run, max_wait=QUICK), 30)
    assert [entry["error"] for entry in logs] == [
        "ConnectionError: a replica",
        "WriteRefusedError: memory is full",
        "TimeoutError",
    ]
    assert not any(entry["exc_info"] for entry in logs)


async def test_a_task_that_returns_is_not_restarted() -> None:
    runs = []

    async def run() -> None:
        runs.append(1)

    await asyncio.wait_for(supervise("done", run), 30)
    assert runs == [1]


async def test_a_fatal_error_ends_the_task_and_is_passed_on() -> None:
    errors: list[Exception] = []

    async def run() -> None:
        raise Broken("for good")

    before = failures("fatal")
    with capture_logs() as logs:
        task = supervise("fatal", run, fatal=(Broken,), on_fatal=errors.append)
        await asyncio.wait_for(task, 30)
    assert [str(error) for error in errors] == ["for good"]
    assert failures("fatal") == before
    assert [(e["event"], e["kind"]) for e in logs] == [("task_ended", "Broken")]


async def test_a_fatal_error_is_raised_by_keep_running_after_other_failures() -> None:
    errors = iter([MemoryError(), TypeError("strange"), Broken("for good")])

    async def run() -> None:
        raise next(errors)

    before = failures("kept")
    with capture_logs() as logs, pytest.raises(Broken, match="for good"):
        await keep_running("kept", run, fatal=(Broken,), max_wait=QUICK)
    assert failures("kept") - before == 2
    assert [entry["error"] for entry in logs] == ["MemoryError", "TypeError: strange"]


async def test_a_fatal_error_needs_no_callback() -> None:
    async def run() -> None:
        raise Broken

    with capture_logs():
        await asyncio.wait_for(supervise("nobody", run, fatal=(Broken,)), 30)


async def test_cancelling_ends_a_running_task_and_one_that_waits_for_its_restart() -> None:
    started = asyncio.Event()

    async def work() -> None:
        started.set()
        await asyncio.Event().wait()

    async def fail() -> None:
        raise Broken

    with capture_logs():
        tasks = [supervise("work", work), supervise("fail", fail, max_wait=3600)]
        await started.wait()
        await until(lambda: failures("fail") >= 1)
        await asyncio.wait_for(cancel(*tasks), 30)
    assert all(task.cancelled() for task in tasks)


async def test_cancelling_waits_for_the_cleanup_of_a_task() -> None:
    tidied, started = [], asyncio.Event()

    async def work() -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            await until(lambda: True)
            tidied.append(1)

    task = supervise("tidy", work)
    await started.wait()
    await cancel(task)
    assert tidied == [1]


async def test_an_owner_that_is_cancelled_again_leaves_no_task_behind() -> None:
    """The inner task loses its first cancellation. After 1 s its owner is cancelled once more."""
    started = asyncio.Event()

    async def loses_a_cancellation() -> None:
        with suppress(asyncio.CancelledError):
            started.set()
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async def owner() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await cancel(inner)

    inner, task = asyncio.create_task(loses_a_cancellation()), asyncio.create_task(owner())
    await started.wait()
    await cancel(task)
    assert task.cancelled()
    assert inner.cancelled()


async def test_cancelling_no_task_or_an_ended_task_does_nothing() -> None:
    async def work() -> None:
        return

    task = supervise("short", work)
    await task
    await cancel()
    await cancel(task)


@given(st.floats(0.001, 10), st.floats(0.001, 100))
def test_a_wait_is_at_most_its_doubling_bound(first: float, most: float) -> None:
    bound = first
    for wait in islice(backoff(first, most), 30):
        assert 0 <= wait <= min(bound, most)
        bound *= 2


def test_waits_are_random_and_grow() -> None:
    firsts = [next(backoff(1, 64)) for _ in range(200)]
    assert min(firsts) < 0.2
    assert max(firsts) > 0.8
    tenths = [next(islice(backoff(1, 64), 9, None)) for _ in range(200)]
    assert max(tenths) > 32


async def test_run_until_first_cancels_the_others_and_raises_the_error_of_the_first() -> None:
    cancelled = asyncio.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def fail() -> None:
        raise Broken("first")

    with pytest.raises(Broken):
        await run_until_first(wait(), fail())
    assert cancelled.is_set()


async def test_run_until_first_is_cancelled_with_its_caller() -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    task = asyncio.create_task(run_until_first(wait()))
    await started.wait()
    await cancel(task)
    assert cancelled.is_set()
