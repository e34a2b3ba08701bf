"""The sandbox of `make run`: requests that make the system misbehave, and a stand-in wallet.

Only the runner starts it, on loopback, beside the processes that it may harm. No service and no
other gateway has its paths. See docs/decisions/0112-sandbox-belongs-to-the-runner.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from deploy.local import wallet
from deploy.local.ports import Ports
from deploy.local.processes import Processes
from shared.journal.keys import CHANNEL
from shared.redis.client import RedisError, connect, connect_multiplexed
from shared.web import client as http

PATH = "/sandbox"
_CUT_SECONDS = 8.0
"""The runner gives up on a process that ends six times in 30 s, so a fanout must not end faster."""
_LOSE_SECONDS = 5.0
_PAUSE_SECONDS = 10
_REPEAT_SECONDS = 8.0
"""At least two ledgers of the simulated network close in this time."""

Fault = Callable[[web.Request], Awaitable[str]]
"""Does one kind of harm and returns when it is over. The result is a sentence about it."""


class Sandbox:
    """Does one kind of harm at a time. A request is answered when its fault is over."""

    def __init__(self, ports: Ports, processes: Processes) -> None:
        self._ports = ports
        self._processes = processes
        self._busy = asyncio.Lock()
        hosts = ("localhost", "127.0.0.1")
        self._origins = frozenset(f"http://{host}:{ports.gateway}" for host in hosts)
        self._faults: Mapping[str, Fault] = {
            "cut": self._cut,
            "lose": self._lose,
            "repeat": self._repeat,
            "pause": self._pause,
        }

    def app(self) -> web.Application:
        """The application with the paths of the sandbox."""
        app = web.Application()
        app.router.add_get(PATH, self._offer)
        app.router.add_get(PATH + "/wallet", self._accounts)
        app.router.add_post(PATH + "/wallet", self._sign)
        app.router.add_post(PATH + "/{fault}", self._harm)
        return app

    async def _offer(self, _: web.Request) -> web.Response:
        """GET /sandbox: the names of the faults."""
        return web.json_response({"faults": list(self._faults)})

    async def _accounts(self, _: web.Request) -> web.Response:
        """GET /sandbox/wallet: the accounts for which the wallet signs."""
        return web.json_response({"accounts": wallet.offer()})

    async def _sign(self, request: web.Request) -> web.Response:
        """POST /sandbox/wallet {xdr, networkPassphrase, account}: the signed envelope."""
        if (refused := self._refuse_foreign(request)) is not None:
            return refused
        try:
            body = await request.json()
            names = ("xdr", "networkPassphrase", "account")
            signed = wallet.sign(*(body.get(name) for name in names))
        except (ValueError, AttributeError) as error:
            return _refusal(400, str(error))
        return web.json_response({"signedXdr": signed})

    def _refuse_foreign(self, request: web.Request) -> web.Response | None:
        """Only pages of this run's gateway may send a POST; others get this answer.

        The allowed origins are fixed: a comparison with `Host` would accept a foreign name that
        leads to 127.0.0.1.
        """
        if request.headers.get("Origin") in self._origins:
            return None
        return _refusal(403, f"The header Origin must be {' or '.join(sorted(self._origins))}.")

    async def _harm(self, request: web.Request) -> web.Response:
        """POST /sandbox/{fault}."""
        if (refused := self._refuse_foreign(request)) is not None:
            return refused
        fault = self._faults.get(request.match_info["fault"])
        if fault is None:
            return _refusal(404, f"There is no such fault. Known: {', '.join(self._faults)}.")
        if self._busy.locked():
            return _refusal(409, "Another fault is not over yet. Wait some seconds.")
        async with self._busy:
            try:
                return web.json_response({"done": await fault(request)})
            except ValueError as error:
                return _refusal(400, str(error))
            except (RedisError, aiohttp.ClientError, TimeoutError) as error:
                return _refusal(502, f"The fault failed: {http.reason(error)}")

    async def _cut(self, request: web.Request) -> str:
        """Kill the fanout on the port `?fanout=`, by default the first. The runner restarts it."""
        names = {str(port): f"fanout-{n}" for n, port in enumerate(self._ports.fanouts, 1)}
        port = request.query.get("fanout") or next(iter(names))
        if port not in names:
            raise ValueError(f"fanout={port!r}: expected {' or '.join(names)}")
        self._processes.running[names[port]].kill()
        await asyncio.sleep(_CUT_SECONDS)
        return f"The fanout on port {port} was killed."

    async def _lose(self, _: web.Request) -> str:
        """End all subscriptions of Redis again and again, so that messages find no subscriber."""
        redis = connect_multiplexed(f"redis://127.0.0.1:{self._ports.redis}/0")
        loop, ended = asyncio.get_running_loop(), 0
        until = loop.time() + _LOSE_SECONDS
        try:
            while loop.time() < until:
                ended += int(await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub"))
                await asyncio.sleep(0.05)
        finally:
            await redis.aclose()
        return f"Redis ended {ended} subscriptions of the fanouts."

    async def _repeat(self, _: web.Request) -> str:
        """Publish each message of the channel once more, so that each fanout gets it twice."""
        redis = connect(f"redis://127.0.0.1:{self._ports.redis}/0")
        loop, repeated = asyncio.get_running_loop(), set[bytes]()
        until = loop.time() + _REPEAT_SECONDS
        async with redis, redis.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe(CHANNEL)
            while (left := until - loop.time()) > 0:
                message = await channel.get_message(timeout=left)
                if message and message["data"] not in repeated:  # not one of our own
                    repeated.add(message["data"])
                    await redis.publish(CHANNEL, message["data"])
        return f"{len(repeated)} messages were published again."

    async def _pause(self, _: web.Request) -> str:
        """Let the simulated network close no ledger for some time."""
        url = f"http://127.0.0.1:{self._ports.network}/sim/pause"
        timeout = aiohttp.ClientTimeout(total=5)
        async with (
            http.session(timeout=timeout, raise_for_status=True) as session,
            session.post(url, json={"seconds": _PAUSE_SECONDS}),
        ):
            pass
        await asyncio.sleep(_PAUSE_SECONDS)
        return f"The simulated network closed no ledger for {_PAUSE_SECONDS} seconds."


def _refusal(status: int, detail: str) -> web.Response:
    body = {"type": "about:blank", "status": status, "detail": detail}
    return web.json_response(body, status=status, content_type="application/problem+json")


@asynccontextmanager
async def running_sandbox(ports: Ports, processes: Processes) -> AsyncIterator[None]:
    """Serve the sandbox on its port of loopback."""
    runner = web.AppRunner(Sandbox(ports, processes).app(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", ports.sandbox).start()
        yield
    finally:
        await runner.cleanup()
