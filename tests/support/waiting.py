"""Waits for conditions with a deadline. Tests use this instead of sleeping."""

from __future__ import annotations

import asyncio
import inspect
import os
import random
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias, TypeVar, overload

T = TypeVar("T")

What: TypeAlias = str | Callable[[], str]
"""A description of the condition, or a function that returns one after the deadline."""

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_given: deque[int] = deque(maxlen=100)
"""The latest ports of `free_port`. Their servers may not listen yet."""


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
    It is then connected to itself. Each worker of pytest-xdist has its own part of the range.
    Otherwise another worker could take a port before the server of this worker listens.
    """
    above = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32_768
    ports = range(min(10_240, above // 2), above)
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    size = len(ports) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return ports[number * size : (number + 1) * size]


def free_port() -> int:
    """A port that was free a moment ago, for a server of a test. Not one of the latest 100."""
    while True:
        port = random.choice(own_ports())
        if port in _given:
            continue
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            _given.append(port)
            return port
