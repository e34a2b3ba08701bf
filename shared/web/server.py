"""Running a service: uvloop, the listening socket, its port in the log, and a clean end."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
import uvloop
from aiohttp import web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.typedefs import Handler, Middleware
from multidict import CIMultiDict, CIMultiDictProxy

from shared.runtime import tracing as traces
from shared.runtime.tasks import run_until_first

log = structlog.get_logger()

_BACKLOG = 4096
_LINE_BYTES = 72 << 10
"""A request's head of 64 KB passes, even in one line, with what a gateway adds to that line."""
_HEAD_SECONDS = 10.0
_IDLE_SECONDS = 150.0  # above what gateways keep idle connections for (Caddy 120, nginx 60)

STOPPING = web.AppKey("stopping", asyncio.Event)
"""Set by SIGTERM and SIGINT, or by a part of the service that cannot go on."""

Drain = Callable[[], Coroutine[Any, Any, None]]

DRAIN: web.AppKey[Drain] = web.AppKey("drain")
"""What a service does between being told to stop and stopping; a second signal cuts it short."""

EXIT_CODE = web.AppKey("exit_code", list[int])
"""What the process will return; a part that cannot go on puts a number here."""


def run(build: Callable[[], web.Application], host: str, port: int) -> int:
    """Serve the app until it is told to stop; returns the exit code."""
    traces.start_tracing()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(build(), host, port))


def stop(app: web.Application, code: int) -> None:
    """End the process in order, with an exit code."""
    app[EXIT_CODE].append(code)
    app[STOPPING].set()


async def _serve(app: web.Application, host: str, port: int) -> int:
    app[STOPPING] = stopping = asyncio.Event()
    second_signal = asyncio.Event()
    codes: list[int] = []
    app[EXIT_CODE] = codes
    loop = asyncio.get_running_loop()

    def told_to_stop() -> None:
        (second_signal if stopping.is_set() else stopping).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop)
    sock = _bind(host, port)
    impatience = RequestHeadTimeout()
    app.middlewares.insert(0, impatience.middleware())
    runner = web.AppRunner(
        app,
        access_log=None,
        handler_cancellation=True,
        keepalive_timeout=_IDLE_SECONDS,
        tcp_keepalive=False,  # inherited from the listening socket
        shutdown_timeout=1.0,  # SSE sockets have left aiohttp: only short requests are waited for
        max_line_size=_LINE_BYTES,  # a subscription may name thousands of streams in its URL
        max_field_size=_LINE_BYTES,  # and a token have thousands of claims
    )
    await runner.setup()
    _ignore_odd_expectations(runner)
    watch = asyncio.create_task(impatience.run(runner))
    try:
        await web.SockSite(runner, sock, backlog=_BACKLOG).start()
        tune_gc()
        log.info("listening", host=host, port=sock.getsockname()[1])
        await stopping.wait()
        log.info("stopping")
        if drain := app.get(DRAIN):
            await _drain(drain, second_signal)
    finally:
        watch.cancel()
        await runner.cleanup()
    return max(codes, default=0)


def _ignore_odd_expectations(runner: web.AppRunner) -> None:
    """Serve who expects what nobody knows as if it expected nothing (RFC 9110 10.1.1 lets us).

    aiohttp answers 417 before any middleware, and 500 when the value is no UTF-8.
    """
    assert runner.server
    make = runner.server.request_factory

    def request(message: RawRequestMessage, *more: Any) -> web.BaseRequest:
        if message.headers.get("Expect", "100-continue").lower() != "100-continue":
            headers = CIMultiDict(message.headers)
            del headers["Expect"]
            message = message._replace(headers=CIMultiDictProxy(headers))
        return make(message, *more)

    runner.server.request_factory = request


class RequestHeadTimeout:
    """Hangs up on connections whose first request is not whole in time (slow-loris).

    aiohttp knows one time-out for these and for idle ones, which a gateway wants long.
    """

    def __init__(self) -> None:
        self._known: set[object] = set()

    def middleware(self) -> Middleware:
        """Notes from whom a request has come."""

        @web.middleware
        async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
            self._known.add(request.protocol)
            return await handler(request)

        return note

    async def run(self, runner: web.AppRunner) -> None:
        """Look once a second, until cancelled."""
        loop = asyncio.get_running_loop()
        since: dict[object, float] = {}
        while True:
            await asyncio.sleep(1)
            now = loop.time()
            connections = runner.server.connections if runner.server else []
            self._known.intersection_update(connections)
            since = {c: since.get(c, now) for c in connections if c not in self._known}
            for connection in connections:
                if now - since.get(connection, now) > _HEAD_SECONDS:
                    connection.force_close()


async def _drain(
    drain: Callable[[], Coroutine[Any, Any, None]], second_signal: asyncio.Event
) -> None:
    """Drain until it is done or a second signal comes. A failure must not stop the shutdown."""
    try:
        await run_until_first(drain(), second_signal.wait())
    except Exception:
        log.exception("drain_failed")


def _bind(host: str, port: int) -> socket.socket:
    """A listening socket; logs and exits when the address cannot be used.

    `::` listens on IPv6 and IPv4 where the machine has both.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::" and socket.has_dualstack_ipv6()
    try:
        sock = socket.create_server(
            (host, port), backlog=_BACKLOG, family=family, dualstack_ipv6=both
        )
    except OSError as error:
        log.error("cannot_listen", host=host, port=port, error=str(error))
        raise SystemExit(1) from None
    _notice_dead_peers(sock)
    return sock


def tune_gc() -> None:
    """Look for cycles rarely: what is kept by the ten thousand has none, and each look costs."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 20)


def _notice_dead_peers(sock: socket.socket) -> None:
    """A peer that vanished is gone within a minute; accepted sockets inherit this on Linux."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 20)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 45_000)
