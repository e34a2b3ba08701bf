"""Waits for conditions with a deadline. Tests use this instead of sleeping."""

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
"""A description of the condition, or a function that returns one after the deadline."""

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
    """Wait for the first truthy result of `condition` and return it. Fails after `seconds`.

    The deadline matters only on failure, so it is long enough for a busy machine. The interval
    between two checks grows, so that the checks do not slow down the program under test.
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
            text = what() if callable(what) else what
            raise AssertionError(f"not within {seconds} s: {text or condition}")
        await asyncio.sleep(min(0.1, max(0.01, waited / 20)))


def own_ports() -> range:
    """Ports below the kernel's ephemeral range, for servers that are not always running.

    A client that retries a port in the ephemeral range can get this port as its own local port.
    It is then connected to itself.
    """
    above = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32_768
    return range(min(10_240, above // 2), above)


def free_port() -> int:
    """A port that was free a moment ago, for a server of a test."""
    while True:
        port = random.choice(own_ports())
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
