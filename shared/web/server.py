"""Runs a service: event loop, listening socket, signals, and an orderly shutdown.

See docs/decisions/0022-garbage-collector-is-tuned.md,
docs/decisions/0057-request-heads-up-to-64-kb.md.
"""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
import uvloop
from aiohttp import web
from aiohttp.http_parser import RawRequestMessage
from multidict import CIMultiDict, CIMultiDictProxy

from shared.runtime import tracing as traces
from shared.runtime.tasks import run_until_first
from shared.web.connections import Connections
from shared.web.default_headers import RequestWithDefaults
from shared.web.listening import BACKLOG, listen

log = structlog.get_logger()

_LINE_BYTES = 72 << 10
"""Bytes of the longest line of a request: 64 KB from the client, and what a gateway adds."""
_IDLE_SECONDS = 150.0
"""Seconds until an idle connection is closed: longer than in gateways (Caddy 120 s, nginx 60 s).

Otherwise a gateway could send a request on a connection that the service has just closed.
"""

STOPPING = web.AppKey("stopping", asyncio.Event)
"""Set by SIGTERM and SIGINT, or by a part of the service that failed for good."""

Drain = Callable[[], Coroutine[Any, Any, None]]

DRAIN: web.AppKey[Drain] = web.AppKey("drain")
"""A function to call after SIGTERM, before the service stops. A second signal cancels it."""

EXIT_CODE = web.AppKey("exit_code", list[int])
"""Exit codes of parts that failed for good. The process returns the highest one."""


def run(build: Callable[[], web.Application], host: str, port: int) -> int:
    """Serve the app until a signal stops it. Returns the exit code."""
    traces.start_tracing()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(build(), host, port))


def stop(app: web.Application, code: int) -> None:
    """Shut the process down in order. The process then exits with this code."""
    app[EXIT_CODE].append(code)
    app[STOPPING].set()


async def _serve(app: web.Application, host: str, port: int) -> int:
    app[STOPPING] = stopping = asyncio.Event()
    second_signal = asyncio.Event()
    codes: list[int] = []
    app[EXIT_CODE] = codes
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        (second_signal if stopping.is_set() else stopping).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    sock = listen(host, port)
    runner = web.AppRunner(
        app,
        handler_cancellation=True,
        shutdown_timeout=1.0,  # seconds; short, because SSE connections have left aiohttp
    )
    await runner.setup()
    assert runner.server
    runner.server.request_factory = _request_factory(runner.server)
    connections = Connections(
        runner.server,
        access_log=None,
        keepalive_timeout=_IDLE_SECONDS,
        tcp_keepalive=False,  # because `listen` sets it on the listening socket
        max_line_size=_LINE_BYTES,  # a subscription may list thousands of streams in its URL
        max_field_size=_LINE_BYTES,  # a token may list thousands of topics
    )
    watch = asyncio.create_task(connections.watch())
    listening = await loop.create_server(connections.make, sock=sock, backlog=BACKLOG)
    try:
        tune_gc()
        log.info("listening", host=host, port=sock.getsockname()[1])
        await stopping.wait()
        log.info("stopping")
        if drain := app.get(DRAIN):
            await _drain(drain, second_signal)
    finally:
        watch.cancel()
        listening.close()
        await runner.cleanup()
    return max(codes, default=0)


def _request_factory(server: web.Server) -> Callable[..., web.BaseRequest]:
    """Makes requests whose answers get the default headers.

    Removes an `Expect` header with an unknown value, as RFC 9110 10.1.1 allows. aiohttp would
    answer 417 before any middleware runs, or 500 if the value is not UTF-8.
    """
    make = server.request_factory

    def request(message: RawRequestMessage, *more: Any) -> web.BaseRequest:
        if message.headers.get("Expect", "100-continue").lower() != "100-continue":
            headers = CIMultiDict(message.headers)
            del headers["Expect"]
            message = message._replace(headers=CIMultiDictProxy(headers))
        # `make` is Application._make_request. The protocol of its type lacks the parameter.
        return make(message, *more, _cls=RequestWithDefaults)  # type: ignore[call-arg]

    return request


async def _drain(
    drain: Callable[[], Coroutine[Any, Any, None]], second_signal: asyncio.Event
) -> None:
    """Run `drain` until it ends or a second signal comes. A failure does not stop the shutdown."""
    try:
        await run_until_first(drain(), second_signal.wait())
    except Exception:
        log.exception("drain_failed")


def tune_gc() -> None:
    """Run the cyclic garbage collector rarely.

    A full run visits every subscriber and every recent event, although they form no cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 20)
