"""Waiting for a condition with a deadline, in place of sleeping and hoping."""

from __future__ import annotations

import asyncio
import inspect
import random
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias, TypeVar, overload

T = TypeVar("T")

What: TypeAlias = str | Callable[[], str]
"""What is waited for, or a function that tells more about it once the wait was in vain."""

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


@overload
async def until(
    condition: Callable[..., Awaitable[T | None]], *, seconds: float = 30, what: What = ""
) -> T: ...
@overload
async def until(
    condition: Callable[..., T | None], *, seconds: float = 30, what: What = ""
) -> T: ...
async def until(
    condition: Callable[..., object], *, seconds: float = 30, what: What = ""
) -> object:
    """The first truthy result of `condition`; fails by name when the deadline passes.

    The deadline matters only on failure, so it allows for a busy machine. The condition is asked
    less often the longer it takes, so that the question does not slow down what it waits for.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    while True:
        result = condition()
        if inspect.isawaitable(result):
            result = await result
        if result:
            return result
        waited = loop.time() - began
        if waited > seconds:
            said = what() if callable(what) else what
            raise AssertionError(f"not within {seconds} s: {said or condition}")
        await asyncio.sleep(min(0.1, max(0.01, waited / 20)))


def own_ports() -> range:
    """Ports that the kernel gives to no connection by itself, so that a server may be away.

    Whoever knocks at a port of the kernel's own range until its server is there can be given that
    very port, and is connected with himself.
    """
    above = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32_768
    return range(min(10_240, above // 2), above)


def free_port() -> int:
    """A port that was free a moment ago, for a server of a test's own."""
    while True:
        port = random.choice(own_ports())
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
